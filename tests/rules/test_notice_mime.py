import email
import email.policy
import quopri
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.address import Address
from relay.rules.notice_mime import (
    ascii_only,
    encode_text,
    find_message_id,
    join_parts,
    make_boundary,
    make_field,
    make_mailbox,
    make_subject,
    plain,
    safe_domain,
)

ANNA = Address(local="anna", domain="example.com")
anything = st.text(st.characters(), max_size=300)


def is_one_field(field: bytes) -> bool:
    lines = field.split(b"\r\n")
    return (
        lines[-1] == b""
        and not lines[0].startswith((b" ", b"\t"))
        and all(line.startswith(b" ") and line.strip() for line in lines[1:-1])
        and all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in lines)
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  two  words\r\nEvil: yes\0\x1b[31m", "two words Evil: yes [31m"),
        ("a\u202eb\u200bc\ufeff", "abc"),
        ("line\u2028line\u2029line\x85line", "line line line line"),
        ("broken \ud800", "broken \ufffd"),
        ("Grüße 👋", "Grüße 👋"),
    ],
)
def test_plain_is_harmless(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(anything, st.integers(0, 50))
def test_plain_is_one_short_line(text: str, octets: int) -> None:
    shown = plain(text, octets)
    assert shown.isprintable() or all(not c.isspace() or c == " " for c in shown)
    assert len(shown.encode()) <= octets


def test_what_is_not_ascii_is_written_by_number() -> None:
    assert ascii_only("Grüße 👋") == r"Gr\x{FC}\x{DF}e \x{1F44B}"


@pytest.mark.parametrize("domain", ["relay.office.example", "localhost", "[192.168.1.2]", "[IPv6:::1]"])
def test_a_domain_stays(domain: str) -> None:
    assert safe_domain(domain) == domain


@pytest.mark.parametrize("domain", ["", "a b", "x\r\nEvil: y", "münchen.example", "x" * 300, "a>b"])
def test_a_domain_that_fits_nowhere(domain: str) -> None:
    assert safe_domain(domain) == "localhost"


@given(anything)
def test_nothing_breaks_out_of_a_field(text: str) -> None:
    assert is_one_field(make_field("X", text))
    assert is_one_field(make_subject(text))
    assert is_one_field(make_mailbox("To", text, ANNA))
    assert is_one_field(make_mailbox("To", "Anna", Address(local=text, domain=text)))


@given(anything)
def test_a_subject_is_read_as_it_was_meant(text: str) -> None:
    field = make_subject(text)
    assert field.isascii()
    assert all(len(line) <= 76 for line in field.split(b"\r\n") if b"=?" in line)
    value = field.removeprefix(b"Subject:").decode().replace("\r\n", "").strip()
    assert str(make_header(decode_header(value))) == plain(text)


@pytest.mark.parametrize(
    "name", ["Anna", "Schmidt, Anna", 'An "na" \\', "Anna Müller", "=?utf-8?q?x?=", "a <b@c.example>", "x" * 190]
)
def test_a_mailbox_is_read_as_it_was_meant(name: str) -> None:
    message = email.message_from_bytes(make_mailbox("To", name, ANNA) + b"\r\n", policy=email.policy.default)
    (mailbox,) = message["To"].addresses
    assert (mailbox.display_name, mailbox.addr_spec) == (name, "anna@example.com")


def test_long_fields_are_folded_at_spaces() -> None:
    field = make_field("Diagnostic-Code", "smtp; " + "word " * 60)
    assert all(len(line) <= 76 for line in field.split(b"\r\n"))
    assert field.replace(b"\r\n", b"").decode().split() == ["Diagnostic-Code:", "smtp;", *["word"] * 60]


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=300))
def test_text_comes_back(text: str) -> None:
    encoded = encode_text(f"{text}\n\nend \n")
    assert encoded.isascii()
    assert all(len(line) <= 76 for line in encoded.split(b"\r\n"))
    assert b"\n" not in encoded.replace(b"\r\n", b"")
    assert quopri.decodestring(encoded).replace(b"\r\n", b"\n").decode() == f"{text}\n\nend \n"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"From: a\r\nMessage-ID: <a.b@c.example>\r\n", "<a.b@c.example>"),
        (b"message-id:\r\n <a@b>\r\n", "<a@b>"),
        (b"Message-ID: <a@b>\t\r\nMessage-ID: <c@d>\r\n", "<a@b>"),
        (b"X: 1\r\n Message-ID: <a@b>\r\n", None),
        (b"Message-ID: <a b@c>\r\n", None),
        (b"Message-ID: <a@b> <c@d>\r\n", None),
        (b"Message-ID: a@b\r\n", None),
        (b"Message-ID: <a@b\r\n c>\r\n", None),
        (b"Message-ID: <\xff@b>\r\n", None),
        (b"Message-ID: <" + b"x" * 500 + b"@b>\r\n", None),
        (b"", None),
    ],
)
def test_only_a_sane_message_id_is_repeated(header: bytes, found: str | None) -> None:
    assert find_message_id(header) == found


def test_a_boundary_that_is_in_the_content_is_not_taken() -> None:
    first = make_boundary("seed", [])
    second = make_boundary("seed", [b"--" + first.encode()])
    assert make_boundary("seed", []) == first
    assert second not in {first, make_boundary("other", [])}
    assert make_boundary("seed", [first.encode(), second.encode()]) not in {first, second}


def test_parts_stay_as_they_are() -> None:
    body = join_parts("b", [b"X: 1\r\n\r\none\r\n", b"\r\ntwo"])
    assert body == b"--b\r\nX: 1\r\n\r\none\r\n\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
