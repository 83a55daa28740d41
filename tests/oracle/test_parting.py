"""The oracle's own reading of where a header ends, one example for each sentence of the rules."""

import pytest

from tests.oracle.parting import part


@pytest.mark.parametrize(
    ("mail", "names", "body"),
    [
        ("From: a\nTo : b\n\nhello\n", "from to", "hello\n"),
        ("From : a\n folded\n\t\n\n\n", "from", "\n"),
        ("From anna Thu\nTo: b\n\nFrom c\n", "to", "From c\n"),
        ("From anna\nFrom bert\nTo: b\n", "", "From bert\nTo: b\n"),
        ("Hello\nTo: b\n\n", "", "Hello\nTo: b\n\n"),
        (" To: b\n\n", "", " To: b\n\n"),
        ("\nTo: b\n", "", "To: b\n"),
        ("To: b\nHello\n\nBcc: c\n", "to", "Hello\n\nBcc: c\n"),
        ("To: b\nHello\n Bcc: c\n", "to", "Hello\n Bcc: c\n"),
        ("To: b\nFrom c\n", "to", "From c\n"),
        ("To: b\n", "to", ""),
        ("", "", ""),
    ],
)
def test_a_mail_has_header_and_body(mail: str, names: str, body: str) -> None:
    parted = part(mail.replace("\n", "\r\n").encode())
    assert not parted.refused
    assert [field.name for field in parted.fields] == names.split()
    assert parted.body == body.replace("\n", "\r\n").encode()


@pytest.mark.parametrize("mail", ["To: b\nHello\nBcc: c\n\n", "To: b\ntwo words: x\n y\nBcc : c\n", "a:\nFrom b\nc:\n"])
def test_nobody_can_tell_where_it_ends(mail: str) -> None:
    assert part(mail.replace("\n", "\r\n").encode()).refused
