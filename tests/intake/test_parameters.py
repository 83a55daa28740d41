import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.intake.parameters import MailParameters, read_mail_parameters, read_rcpt_parameters
from relay.intake.path import BadCommandError, parse_argument
from relay.model.envelope import DsnOptions


def mail(argument: str, *, esmtp: bool = True, may_log_in: bool = False) -> MailParameters:
    return read_mail_parameters(parse_argument(argument, "FROM"), esmtp=esmtp, may_log_in=may_log_in)


def rcpt(argument: str, *, esmtp: bool = True) -> DsnOptions:
    return read_rcpt_parameters(parse_argument(argument, "TO"), esmtp=esmtp)


def test_everything_that_is_known_is_read() -> None:
    asked = mail("FROM:<a@b> SIZE=100 body=8bitmime SMTPUTF8 RET=hdrs ENVID=QQ+2B1 AUTH=<>", may_log_in=True)
    assert asked == MailParameters(size=100, smtputf8=True, ret="HDRS", envelope_id="QQ+2B1")
    wish = rcpt("TO:<a@b> NOTIFY=failure,SUCCESS ORCPT=rfc822;a+2Bx@b")
    assert wish == DsnOptions(notify="SUCCESS,FAILURE", orcpt="rfc822;a+2Bx@b")
    assert (mail("FROM:<>"), rcpt("TO:<a@b>")) == (MailParameters(), DsnOptions())


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ("FROM:<a@b> SIZE=x", 501), ("FROM:<a@b> BODY=BINARYMIME", 501), ("FROM:<a@b> SMTPUTF8=1", 501),
        ("FROM:<a@b> RET=ALL", 501), ("FROM:<a@b> ENVID=+zz", 501), ("FROM:<a@b> X=1", 555),
        ("FROM:<a@b> AUTH=<>", 555),
    ],
)  # fmt: skip
def test_what_is_wrong_in_mail_is_refused(argument: str, code: int) -> None:
    with pytest.raises(BadCommandError) as caught:
        mail(argument)
    assert caught.value.reply.code == code


@pytest.mark.parametrize(("argument", "code"), [("NOTIFY=NEVER,DELAY", 501), ("ORCPT=x", 501), ("SIZE=1", 555)])
def test_what_is_wrong_in_rcpt_is_refused(argument: str, code: int) -> None:
    with pytest.raises(BadCommandError) as caught:
        rcpt(f"TO:<a@b> {argument}")
    assert caught.value.reply.code == code


def test_without_ehlo_there_are_no_parameters() -> None:
    for read in (mail, rcpt):
        argument = "FROM:<a@b> SIZE=1" if read is mail else "TO:<a@b> NOTIFY=NEVER"
        with pytest.raises(BadCommandError, match="EHLO"):
            read(argument, esmtp=False)


@given(st.text(st.characters(codec="ascii")))
def test_any_text_is_read_or_refused(text: str) -> None:
    for keyword, read in (("FROM", mail), ("TO", rcpt)):
        with contextlib.suppress(BadCommandError):
            read(f"{keyword}:<a@b> {text}")
