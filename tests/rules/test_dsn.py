import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.envelope import DsnOptions
from relay.rules.dsn import (
    decode_xtext,
    mail_options,
    rcpt_options,
    read_envelope_id,
    read_notify,
    read_orcpt,
    read_ret,
    wants,
)

READERS = (read_ret, read_envelope_id, read_notify, read_orcpt)


def test_what_is_asked_is_read() -> None:
    assert read_ret("hdrs") == "HDRS"
    assert read_envelope_id("QQ314159+2B") == "QQ314159+2B"
    assert read_notify("delay,success") == "SUCCESS,DELAY"
    assert read_notify("never") == "NEVER"
    assert read_orcpt("rfc822;Bob+2Bx@example.net") == "rfc822;Bob+2Bx@example.net"


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (read_ret, None), (read_ret, "ALL"), (read_envelope_id, ""), (read_envelope_id, "a+2"),
        (read_envelope_id, "a=b"),
        (read_envelope_id, "x" * 101), (read_notify, None), (read_notify, "NEVER,DELAY"), (read_notify, "DELAY,DELAY"),
        (read_notify, "SUCCESS,"), (read_orcpt, "bob@example.net"), (read_orcpt, "rfc822;"), (read_orcpt, ";x"),
        (read_orcpt, "rfc822;" + "x" * 500), (read_orcpt, "rfc822;ü@example.net"),
    ],
)  # fmt: skip
def test_what_is_no_wish_is_refused(reader: object, value: str | None) -> None:
    with pytest.raises(ValueError, match=r"RET|ENVID|NOTIFY|ORCPT"):
        reader(value)  # type: ignore[operator]


@given(st.sampled_from(READERS), st.text())
def test_whatever_is_passed_on_is_one_word_of_printable_ascii(reader: object, value: str) -> None:
    try:
        read = reader(value)  # type: ignore[operator]
    except ValueError:
        return
    assert re.fullmatch(r"[!-~]+", read)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_xtext_gives_back_what_was_written(text: str) -> None:
    written = "".join(
        chr(byte) if 33 <= byte <= 126 and byte not in b"+=" else f"+{byte:02X}" for byte in text.encode()
    )
    assert decode_xtext(written) == text


def test_defaults_are_those_of_the_standard() -> None:
    events = ("FAILURE", "DELAY", "SUCCESS")
    assert [wants(event, "") for event in events] == [True, True, False]
    assert [wants(event, "NEVER") for event in events] == [False, False, False]
    assert (wants("FAILURE", "SUCCESS"), wants("DELAY", "FAILURE"), wants("SUCCESS", "SUCCESS,DELAY")) == (
        False,
        False,
        True,
    )


def test_options_are_written_as_they_were_read() -> None:
    assert mail_options(ret="FULL", envelope_id="a+2B") == " RET=FULL ENVID=a+2B"
    assert rcpt_options(DsnOptions(notify="NEVER", orcpt="rfc822;a@b")) == " NOTIFY=NEVER ORCPT=rfc822;a@b"
    assert mail_options(ret="", envelope_id="") + rcpt_options(DsnOptions()) == ""
