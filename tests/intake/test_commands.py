import contextlib
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.intake.commands import (
    BadCommandError,
    MailParameters,
    offers_login,
    parse_argument,
    parse_forward_path,
    parse_reverse_path,
    read_mail_parameters,
    read_rcpt_parameters,
    read_recipient,
    read_sender,
    refuse_header,
    refuse_octets,
    refuse_without_login,
)
from relay.model.address import Address
from relay.model.envelope import DsnOptions
from relay.rules.address import parse_addr_spec
from relay.rules.message_splitter import MessageSplitter
from relay.settings import Listener

LAN, HERE = ip_address("192.0.2.1"), ip_address("127.0.0.1")


@pytest.mark.parametrize(
    ("ip", "over_tls", "plaintext", "has_passwords", "offered"),
    [
        (LAN, False, False, True, False),
        (LAN, True, False, True, True),
        (LAN, False, True, True, True),
        (HERE, False, False, True, True),
        (HERE, True, True, False, False),
    ],
)
def test_a_login_is_offered_where_nobody_can_listen(
    ip: object, over_tls: bool, plaintext: bool, has_passwords: bool, offered: bool
) -> None:
    listener = Listener(plaintext_auth=plaintext)
    assert offers_login(listener, ip, over_tls=over_tls, has_passwords=has_passwords) is offered  # type: ignore[arg-type]


def test_only_a_login_gets_by_where_everybody_must_log_in() -> None:
    assert refuse_without_login(Listener(), None, may_log_in=False) is None
    asking = Listener(require_auth=True)
    assert refuse_without_login(asking, "anna", may_log_in=True) is None
    assert str(refuse_without_login(asking, None, may_log_in=True)) == "530 5.7.0 Log in first"
    assert str(refuse_without_login(asking, None, may_log_in=False)) == "530 5.7.0 TLS first"


def test_an_international_address_needs_smtputf8() -> None:
    with pytest.raises(BadCommandError) as refused:
        read_recipient("TO:<jürgen@x.example>", esmtp=True, smtputf8=False, postmaster=None)
    assert str(refused.value.reply).startswith("553 5.6.7 ")
    recipient, wish = read_recipient("TO:<jürgen@x.example> NOTIFY=NEVER", esmtp=True, smtputf8=True, postmaster=None)
    assert (str(recipient), wish) == ("jürgen@x.example", DsnOptions(notify="NEVER"))
    with pytest.raises(BadCommandError):
        read_sender("FROM:<jürgen@x.example>", esmtp=True, may_log_in=False)
    sender, asked = read_sender("FROM:<jürgen@x.example> SMTPUTF8", esmtp=True, may_log_in=False)
    assert (str(sender), asked.smtputf8) == ("jürgen@x.example", True)


def test_the_null_path_and_the_postmaster() -> None:
    assert read_sender("FROM:<>", esmtp=False, may_log_in=False)[0] is None
    anna = parse_addr_spec("anna@example.com")
    assert read_recipient("TO:<PostMaster>", esmtp=False, smtputf8=False, postmaster=anna)[0] is anna


ANNA = Address(local="anna", domain="x.example")


@pytest.mark.parametrize(
    ("argument", "path", "parameters"),
    [
        ("FROM:<a@b>", "a@b", {}),
        ("from: <a@b>  SIZE=3  BODY=8BITMIME ", "a@b", {"SIZE": "3", "BODY": "8BITMIME"}),
        ("FROM:a@b SMTPUTF8", "a@b", {"SMTPUTF8": None}),
        ("FROM :<>", "", {}),
        ('FROM:<"a > b"@c>', '"a > b"@c', {}),
        ('FROM:<"\\""@c>', '"\\""@c', {}),
        ("FROM:<@x,@y:a@b>", "a@b", {}),
    ],
)
def test_arguments(argument: str, path: str, parameters: dict[str, str | None]) -> None:
    assert parse_argument(argument, "FROM") == (path, parameters)


@pytest.mark.parametrize(
    "argument",
    ["", "FROM", "TO:<a@b>", "FROM:", "FROM:<a@b", "FROM:a@b>", "FROM:<a@b>x", "FROM:<a@b> =", "FROM:<a@b> A=1 a=2"],
)
def test_bad_arguments(argument: str) -> None:
    with pytest.raises(BadCommandError):
        parse_argument(argument, "FROM")


@given(st.text(max_size=100))
def test_any_argument_is_parsed_or_refused(text: str) -> None:
    for argument in (text, f"TO:{text}", f"TO:<{text}>", f"TO:<a@b> {text}"):
        with contextlib.suppress(BadCommandError):
            parse_forward_path(parse_argument(argument, "TO")[0], ANNA)
        with contextlib.suppress(BadCommandError):
            parse_reverse_path(text)


def test_bare_names() -> None:
    assert parse_reverse_path("") is None
    assert parse_reverse_path("root") == Address(local="root", domain="localhost")
    assert parse_reverse_path('"a@b"') == Address(local="a@b", domain="localhost")
    assert parse_forward_path("POSTMASTER", ANNA) == ANNA
    for bare in ("anna", "postmaster"):
        with pytest.raises(BadCommandError) as error:
            parse_forward_path(bare, None)
        assert error.value.reply.enhanced == "5.1.3"


_bits = st.sampled_from(
    ["a", "@", "b.c", '"', "<", ">", " ", ":", ",", "\\", "=", "SIZE=1", "BODY=8BITMIME", "é", "\u2028"]
)


@given(st.lists(_bits, max_size=8).map("".join), st.lists(_bits, max_size=6).map("".join))
def test_a_blank_in_front_of_an_argument_changes_nothing(path: str, behind: str) -> None:
    results = []
    for start in ("TO:<", " TO:<"):
        try:
            results.append(parse_argument(f"{start}{path}>{behind}", "TO"))
        except BadCommandError as error:
            results.append(error.reply)  # type: ignore[arg-type]  # compared, not used
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("argument", "code", "enhanced"),
    [
        ("TO:<bob@gate:by@y.de>", 501, "5.1.3"),
        ("TO:<bob@gate,@x:by@y.de>", 501, "5.1.3"),
        ('TO:<"a@b">', 550, "5.1.3"),
        ('TO:<"a@b\\"c">', 550, "5.1.3"),
        ("TO:<a@[IPv6:2001:db8::zz]>", 501, "5.1.3"),
        ("TO:<" + "a" * 2_000 + "@b.example>", 501, "5.1.3"),
        ("TO:<@" + "a" * 2_000 + ":x@b.example>", 501, "5.1.3"),
    ],
)
def test_a_recipient_that_is_none_is_refused(argument: str, code: int, enhanced: str) -> None:
    with pytest.raises(BadCommandError) as error:
        parse_forward_path(parse_argument(argument, "TO")[0], None)
    assert (error.value.reply.code, error.value.reply.enhanced) == (code, enhanced)


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ("TO:<bob@[IPv6:2001:db8::1]>", "bob@[IPv6:2001:db8::1]"),
        ("TO:<@a.example,@b.example:bob@y.example>", "bob@y.example"),
        ('TO:<"bob@gate:by"@y.example>', '"bob@gate:by"@y.example'),
    ],
)
def test_a_recipient_is_what_stands_behind_an_anchored_route(argument: str, address: str) -> None:
    assert str(parse_forward_path(parse_argument(argument, "TO")[0], None)) == address


def mail(argument: str, *, esmtp: bool = True, may_log_in: bool = False) -> MailParameters:
    return read_mail_parameters(parse_argument(argument, "FROM")[1], esmtp=esmtp, may_log_in=may_log_in)


def rcpt(argument: str, *, esmtp: bool = True) -> DsnOptions:
    return read_rcpt_parameters(parse_argument(argument, "TO")[1], esmtp=esmtp)


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


def test_a_mail_may_have_so_many_octets_and_no_line_beyond_all_limits() -> None:
    assert refuse_octets(10, most=10, too_long=False) is None
    for size, too_long, reason, code in ((11, False, "too_large", 552), (9, True, "long_line", 554)):
        refusal = refuse_octets(size, most=10, too_long=too_long)
        assert refusal is not None
        assert (refusal.reason, refusal.reply.code) == (reason, code)


def test_a_header_is_refused_as_soon_as_its_fault_is_seen() -> None:
    splitter = MessageSplitter(header_limit=40)
    splitter.feed(b"A: b\r\nno field\r\nBc")
    assert refuse_header(splitter, most=40) is None
    splitter.feed(b"c:")
    refusal = refuse_header(splitter, most=40)
    assert refusal is not None
    assert str(refusal.reply).startswith("554 5.6.0 Line 2 ")
    splitter = MessageSplitter(header_limit=40)
    splitter.feed(b"A: b\r\n" * 9)
    refusal = refuse_header(splitter, most=40)
    assert refusal is not None
    assert (refusal.reason, refusal.reply.code) == ("large_header", 552)
