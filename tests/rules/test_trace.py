import re
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.rules.headers import find_values, split_fields
from relay.rules.trace import loop_count, received_count, received_field, stamp_header

AT = datetime(2026, 3, 29, 1, 30, tzinfo=timezone(timedelta(hours=1)))
TO = Address(local="c", domain="d.example")
ENVELOPE = Envelope(reverse_path=None, recipients=(TO,))
CLIENT = Client(ip=ip_address("192.0.2.7"), helo="scanner.lan")


def received(client: Client = CLIENT, envelope: Envelope = ENVELOPE, *, show_client: bool = False) -> str:
    return received_field(
        client=client, envelope=envelope, hostname="relay.example", queue_id="q1", show_client=show_client, at=AT
    ).decode()


def stamp(block: bytes) -> bytes:
    return stamp_header(
        block,
        received=b"Received: ours\r\n",
        hostname="relay.example",
        queue_id="q1",
        message_id_domain="b.example",
        at=AT,
    )


def test_the_received_field_names_host_protocol_id_and_time() -> None:
    text = received()
    assert " by relay.example with ESMTP id q1\r\n for <c@d.example>;" in text
    assert parsedate_to_datetime(text.rpartition(";")[2].strip()) == AT
    assert all(len(line) <= 78 for line in text.splitlines())


def test_the_client_is_shown_only_where_it_is_wanted() -> None:
    assert "192.0.2.7" not in received()
    assert "scanner" not in received()
    assert "from scanner.lan ([192.0.2.7])" in received(show_client=True)
    assert "([IPv6:2001:db8::1])" in received(Client(ip=ip_address("2001:db8::1"), helo="x"), show_client=True)


@given(st.text(max_size=300))
def test_a_hostile_helo_adds_nothing(helo: str) -> None:
    text = received(Client(ip=CLIENT.ip, helo=helo), show_client=True)
    assert len(split_fields(text.encode())) == 1
    assert re.fullmatch(r"[\x20-\x7e\r\n]+", text)


def test_several_recipients_are_not_named() -> None:
    assert " for " not in received(envelope=Envelope(reverse_path=None, recipients=(TO, TO)))


@pytest.mark.parametrize(
    ("client", "smtputf8", "word"),
    [
        (Client(ip=CLIENT.ip, esmtp=False), False, "SMTP"),
        (Client(ip=CLIENT.ip), False, "ESMTP"),
        (Client(ip=CLIENT.ip, tls=True), False, "ESMTPS"),
        (Client(ip=CLIENT.ip, login="anna"), False, "ESMTPA"),
        (Client(ip=CLIENT.ip, tls=True, login="anna"), False, "ESMTPSA"),
        (Client(ip=CLIENT.ip, tls=True, login="anna"), True, "UTF8SMTPSA"),
    ],
)
def test_the_protocol_word_is_the_registered_one(client: Client, smtputf8: bool, word: str) -> None:
    envelope = Envelope(reverse_path=None, recipients=(TO,), smtputf8=smtputf8)
    assert f" with {word} id " in received(client, envelope)


def test_what_is_missing_is_added_and_what_must_not_leave_is_removed() -> None:
    block = b"From: a@b.example\r\nbcc: x@y.example\r\nResent-Bcc: z@y.example\r\nReturn-Path: <a@b.example>\r\n"
    after = stamp(block)
    assert [field.key for field in split_fields(after)] == ["received", "relay-loop", "from", "message-id", "date"]
    assert find_values(after, "Message-ID") == [b"<q1@b.example>"]
    assert find_values(after, "Date") == [b"Sun, 29 Mar 2026 01:30:00 +0100"]


def test_what_is_there_stays() -> None:
    block = b"MESSAGE-ID: <1@x.example>\r\ndate: whenever\r\nSubject: x\r\n"
    assert stamp(block) == b"Received: ours\r\nRelay-Loop: relay.example\r\n" + block


@given(st.lists(st.sampled_from([b"Bcc: a", b"X: y", b" z", b"Date: d", b"junk", b"\xff"]), max_size=12))
def test_every_other_line_keeps_its_place(lines: list[bytes]) -> None:
    block = b"".join(one + b"\r\n" for one in lines)
    hidden = ("bcc", "resent-bcc", "return-path")
    kept = b"".join(field.raw for field in split_fields(block) if field.key not in hidden)
    assert stamp(block).startswith(b"Received: ours\r\nRelay-Loop: relay.example\r\n" + kept)


def test_loops_and_hops_are_counted() -> None:
    block = stamp(stamp(b"Received: a\r\nRelay-Loop: other.example\r\n"))
    assert received_count(block) == 3
    assert loop_count(block, "Relay.Example") == 2
