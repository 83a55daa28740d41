"""Each of aiosmtpd's own replies has an enhanced code, and shows nothing that a client sent."""

import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.intake.replies import CONTROL_CHARACTERS, THIS_IS_SMTP, UNKNOWN_COMMAND, encode, make_reply, translate
from relay.model.reply import Reply

OURS = re.compile(rb"[245]\d\d[ -][245]\.\d\.\d{1,2} [ -~]+\r\n")
STATUS = re.compile(r"""push\(\s*f?b?(["'])([245]\d\d .*?)\1""", re.DOTALL)


def said_by_aiosmtpd() -> list[str]:
    """Find the replies in aiosmtpd's source, so that a new version of it is looked at as well."""
    source = resources.files("aiosmtpd").joinpath("smtp.py").read_text()
    return sorted({found[2] for found in STATUS.finditer(source)})


def test_the_replies_are_found() -> None:
    assert len(said_by_aiosmtpd()) > 15


@pytest.mark.parametrize("status", said_by_aiosmtpd())
def test_each_gets_an_enhanced_code(status: str) -> None:
    reply = translate(status)
    if isinstance(reply, bytes):
        assert reply == b"220 2.0.0 Ready to start TLS" or status.startswith("220 {}")
        return
    assert str(reply.code) == status[:3]
    assert OURS.fullmatch(encode(reply, "de")), reply


def test_the_greeting_has_none() -> None:
    assert translate("220 relay.example ESMTP") == b"220 relay.example ESMTP"


@given(st.text(max_size=40))
def test_nothing_that_a_client_said_is_said_back(command: str) -> None:
    reply = translate(f'500 Error: command "{command.upper()}" not recognized')
    assert isinstance(reply, Reply)
    assert reply in (UNKNOWN_COMMAND, CONTROL_CHARACTERS, THIS_IS_SMTP)
    other = translate(f"502 Could not VRFY {command}")
    assert isinstance(other, Reply)
    assert OURS.fullmatch(encode(other, "en"))


@pytest.mark.parametrize("verb", ["HOST:", "HOST:X", "USER-AGENT:"])
def test_the_fields_of_a_browser_are_known(verb: str) -> None:
    reply = translate(f'500 Error: command "{verb}" not recognized')
    assert isinstance(reply, Reply)
    assert reply.code == 421


def test_a_refusal_is_encoded_in_the_language_of_the_office() -> None:
    reply = Reply(code=554, enhanced="5.6.0", text="A line is too long", german="Eine Zeile ist zu lang")
    assert encode(reply, "en") == b"554 5.6.0 A line is too long\r\n"
    assert encode(reply, "de") == b"554-5.6.0 Eine Zeile ist zu lang\r\n554 5.6.0 A line is too long\r\n"
    assert encode(make_reply(250, "2.0.0", "queued as 1"), "de") == b"250 2.0.0 queued as 1\r\n"
