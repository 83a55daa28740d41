"""What an attempt says to the provider: over a kept connection, with the address of today, in the same bytes."""

import base64
import email
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relay.model.destination import to_account
from relay.model.mail import ClaimedDelivery, Message
from relay.storage import admin
from relay.transports.smtp import _size_of
from tests.peers.dialogue import Dialogue
from tests.peers.office import MINUTE, open_office
from tests.peers.provider import Provider

A = "a@example.net"


async def test_the_bytes_that_leave_are_those_that_were_kept(tmp_path: Path) -> None:
    body = (b"." + b"x" * 70 + b"\r\n") * 4000
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        await office.hand_in(A, body=[body[:262_144], body[262_144:]])  # the first chunk is written ahead
        await office.send()
        (mail,) = provider.mails
        assert mail.data.partition(b"\r\n\r\n")[2] == body


async def test_a_connection_that_the_provider_closed_meanwhile_costs_no_attempt(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        await office.hand_in(A)
        await office.send()
        provider.answers["MAIL"] = ["lost", "250 ok"]
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        assert provider.connections == 2
        assert len(provider.mails) == 2
        assert "delivery_deferred" not in [line["event"] for line in lines]


async def test_an_address_that_was_corrected_applies_to_what_is_queued(tmp_path: Path) -> None:
    answers = {"MAIL": ["451 4.3.0 later", "250 ok"], "DATA": ["503 no", "354 go on"]}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        await office.hand_in(A)
        await office.send()
        office.configure(port=provider.port, account={"address": "offers@example.com"})
        await office.pass_time(5 * MINUTE)
        assert [mail.sender for mail in provider.mails] == ["offers@example.com"]


async def test_eight_bits_go_unchanged_where_they_are_not_announced_and_the_log_says_so(tmp_path: Path) -> None:
    async with Provider({"EHLO": "SIZE 0"}) as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            await office.hand_in(A, body=[b"\xe4\r\n"])
            await office.send()
        assert provider.mails[0].data.endswith(b"\r\n\r\n\xe4\r\n")
        assert "body_sent_unannounced" in [line["event"] for line in lines]
        assert not any("BODY=" in command for command in provider.commands)


async def test_a_password_that_cant_be_read_defers_and_says_why(tmp_path: Path) -> None:
    account = {"smtp": {"username": "u", "password_command": ["/bin/false"]}}
    async with Provider() as provider, open_office(tmp_path, port=provider.port, account=account) as office:
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        (line,) = [line for line in lines if line["event"] == "account_unreachable"]
        assert "password_command" in line["reply"]
        assert provider.connections == 0
        assert len(office.waiting("queued")) == 1


LONG = b"s" * 1500 + b"\r\n"


async def test_long_lines_are_folded_and_the_log_says_so(tmp_path: Path) -> None:
    header = f"From: sales@example.com\nTo: {','.join(f'user{n}@example.net' for n in range(80))}\nSubject: after\n"
    body = ("x" + "ä" * 700).encode() + b"\r\n"
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A, header=header, body=[body])).text.split()[-1]
            await office.send()
        head, _, rest = provider.mails[0].data.partition(b"\r\n\r\n")
        assert max(map(len, provider.mails[0].data.split(b"\r\n"))) <= 998
        assert email.message_from_bytes(head)["Subject"] == "after"
        assert head.replace(b",\r\n ", b",").count(b"@example.net,") == 79
        assert "".join(line.decode() for line in rest.split(b"\r\n")) == body.decode().strip()
        assert [line["queue_id"] for line in lines if line["event"] == "lines_folded"] == [queue_id]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/signed; boundary=o", LONG),
        ("multipart/mixed; boundary=o", b"--o\r\nContent-Type: multipart/signed; boundary=i\r\n\r\n--i\r\n\r\n" + LONG),
        ("text/plain", b"-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\n" + LONG + b"-----BEGIN PGP SIGNATURE-----\r\n"),
    ],
)
async def test_what_is_signed_leaves_as_it_is(tmp_path: Path, kind: str, body: bytes) -> None:
    header = f"From: sales@example.com\nMIME-Version: 1.0\nContent-Type: {kind}\n"
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            await office.hand_in(A, header=header, body=[body])
            await office.send()
        assert provider.mails[0].data.partition(b"\r\n\r\n")[2] == body
        assert "lines_folded" not in [line["event"] for line in lines]


PASSWORD = {"smtp": {"username": "u", "password": "secret-word"}}


@pytest.mark.parametrize("reply", ["534 5.7.9 an application's password is needed", "550 5.7.1 the login is disabled"])
async def test_any_refusal_of_the_login_pauses_the_account(tmp_path: Path, reply: str) -> None:
    answers = {"EHLO": "AUTH CRAM-MD5 PLAIN LOGIN", "AUTH": reply}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port, account=PASSWORD) as office:
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        assert "account_paused" in [line["event"] for line in lines]
        assert sum(command.startswith("AUTH") for command in provider.commands) == 1
        assert len(office.waiting("queued")) == 1


async def test_a_password_that_the_server_repeats_is_nowhere_to_be_read(tmp_path: Path) -> None:
    token = base64.b64encode(b"\0u\0secret-word").decode()
    answers = {"AUTH": f"535 5.7.8 can't read AUTH PLAIN {token} for secret-word"}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port, account=PASSWORD) as office:
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        mails = [admin.show_message(office.engine, row.message_id) for row in office.waiting("queued")]
        assert mails
        for secret in ("secret-word", token):
            assert secret not in str([lines, mails, office.inbox()])
        assert "withheld" in str(lines)


@pytest.mark.parametrize("where", ["RCPT", "DATA", "DOT"])
async def test_530_after_mail_bounces_nobody_and_pauses_the_account(tmp_path: Path, where: str) -> None:
    async with (
        Provider({where: "530 5.7.0 authentication required"}) as provider,
        open_office(tmp_path, port=provider.port) as office,
    ):
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A)).text.split()[-1]
            await office.send()
        assert office.outcomes(queue_id)[A] == "pending"
        assert "account_paused" in [line["event"] for line in lines]


async def test_a_full_mailbox_bounces_at_once(tmp_path: Path) -> None:
    answers = {f"RCPT {A}": "552 5.2.2 mailbox full"}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        queue_id = (await office.hand_in(A, "b@example.net")).text.split()[-1]
        await office.send()
        assert office.outcomes(queue_id)[A] == "bounced"
        assert sum(f"<{A}>" in command for command in provider.commands) == 1


async def test_a_sending_limit_at_rcpt_lets_the_account_rest(tmp_path: Path) -> None:
    answers = {"RCPT": "450 4.7.1 Error: too many messages, sending rate limit exceeded"}
    account = {"archive": False, "smtp": {"connections": 1}}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port, account=account) as office:
        for _ in range(5):
            await office.hand_in(A)
        await office.send()
        assert sum(command.startswith("RCPT") for command in provider.commands) == 1


@pytest.mark.parametrize("answers", [{f"RCPT {A}": "421 4.7.0 slow down"}, {"DATA": "421 4.7.0 slow down"}])
async def test_a_server_that_closes_is_not_asked_again_at_once(tmp_path: Path, answers: dict[str, str]) -> None:
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A, "b@example.net")).text.split()[-1]
            await office.send()
        assert provider.connections == 1
        assert "account_slowed" in [line["event"] for line in lines]
        provider.answers.clear()
        await office.pass_time(5 * MINUTE)
        assert set(office.outcomes(queue_id).values()) == {"delivered"}


@pytest.mark.parametrize("on_uncertain", ["retry", "hold"])
async def test_a_doubt_does_not_keep_back_who_was_refused_for_now(tmp_path: Path, on_uncertain: str) -> None:
    answers = {f"RCPT {A}": ["450 4.2.0 greylisted", "250 ok"], "DOT": ["lost after taking", "250 ok"]}
    account = {"archive": False, "on_uncertain": on_uncertain}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port, account=account) as office:
        queue_id = (await office.hand_in(A, "b@example.net")).text.split()[-1]
        await office.send()
        assert len(office.waiting()) == 2
        await office.pass_time(2 * MINUTE)
        assert office.outcomes(queue_id) == {A: "delivered", "b@example.net": "pending"}
        (left,) = office.waiting("held" if on_uncertain == "hold" else "queued")
        assert left.uncertain == 1
        assert [mail.recipients for mail in provider.mails] == [["b@example.net"], [A]]


@pytest.mark.parametrize("said", ["421 4.4.2 too many messages in this connection", "503 5.5.1 nested MAIL"])
async def test_a_kept_connection_that_is_of_no_use_costs_nothing(tmp_path: Path, said: str) -> None:
    account = {"smtp": {"connections": 1}}
    async with Provider() as provider, open_office(tmp_path, port=provider.port, account=account) as office:
        await office.hand_in(A)
        await office.send()
        provider.answers["MAIL"] = [said, "250 ok"]
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        assert [line["event"] for line in lines if line["event"] != "message_accepted"] == ["message_delivered"]
        assert provider.connections == 2


HELLO = "S: 220 x\nC: EHLO .*\nS: 250-x\nS: 250 SIZE 0\nC: MAIL .*\nS: 250 ok\nC: RCPT .*\n"


async def test_the_second_mail_after_a_refused_rset_is_taken(tmp_path: Path) -> None:
    first = HELLO + "S: 550 5.1.1 no\nC: RSET\nS: 451 4.3.0 not now\nC: QUIT"
    second = HELLO + "S: 250 ok\nC: DATA\nS: 354 go\nC. hello\nS: 250 taken\nC: QUIT\nS: 221 bye"
    account = {"archive": False, "smtp": {"host": "127.0.0.1", "connections": 1}}
    async with Dialogue(first, second) as server, open_office(tmp_path, port=server.port, account=account) as office:
        await office.hand_in(A)
        await office.send()
        queue_id = (await office.hand_in("b@example.net")).text.split()[-1]
        await office.send()
        assert office.outcomes(queue_id) == {"b@example.net": "delivered"}


async def test_what_the_provider_says_before_it_closes_in_the_middle_of_the_mail_decides(tmp_path: Path) -> None:
    script = HELLO + "S: 250 ok\nC: DATA\nS: 354 go\nC: .*\nS: 552 5.3.4 too large\n! close"
    account = {"archive": False, "smtp": {"host": "127.0.0.1"}}
    async with (
        Dialogue(script, buffer=65_536) as server,
        open_office(tmp_path, port=server.port, account=account) as office,
    ):
        queue_id = (await office.hand_in(A, body=[b"hello\r\n" * 30_000] * 100)).text.split()[-1]
        await office.send()
        assert office.outcomes(queue_id) == {A: "bounced"}


async def test_a_refusal_of_our_own_is_not_named_as_the_providers(tmp_path: Path) -> None:
    account = {"archive": False}
    async with (
        Provider({"EHLO": "SIZE 0\n8BITMIME"}) as provider,
        open_office(tmp_path, port=provider.port, account=account) as office,
    ):
        await office.hand_in("ä@example.net", smtputf8=True)
        await office.send()
        (notice,) = office.inbox()
        assert b"Diagnostic-Code: x-relay; 5.6.7 " in notice
        assert not any(command.startswith("MAIL") for command in provider.commands)


def test_the_archives_stripped_copy_is_not_announced_with_the_size_of_the_whole_mail() -> None:
    message = Message(
        id="m", received_at=0, user=None, account="sales", rule="1a", reverse_path="", header_message_id="",
        subject="", size=5000, client="", header=b"A: b\r\n", archive_header=b"A: bc\r\n",
    )  # fmt: skip
    whole = ClaimedDelivery(
        id="d",
        destination=to_account("sales"),
        version=0,
        attempts=0,
        uncertain=0,
        since=0,
        message=message,
        recipients=(),
    )
    stripped = replace(whole, version=1)
    assert _size_of(whole, None) == 5000
    assert _size_of(stripped, None) is None
    assert _size_of(stripped, (b"hello\r\n",)) == 7 + 2 + 7
