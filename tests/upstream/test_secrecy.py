"""A password that a server says is never shown, in whatever form, at whatever step."""

import base64
from collections.abc import AsyncIterator

import pytest

from relay.model.account import Security, SmtpServer
from relay.rules.replies import read_reply
from relay.upstream.secrecy import WITHHELD, Veil
from relay.upstream.smarthost import ConnectError, connect
from relay.upstream.transaction import OutgoingMail, Stage
from tests.peers.credentials import password
from tests.peers.dialogue import Dialogue
from tests.upstream.conftest import QUICK

PASSWORD = "secret-wörd"
RAW = PASSWORD.encode()
TOKEN = base64.b64encode(b"\0u\0" + RAW)
FORMS = [
    RAW, PASSWORD.encode("latin-1"), RAW.upper(), RAW.hex().encode(), RAW.hex().upper().encode(), TOKEN, TOKEN.lower(),
    base64.b64encode(RAW), base64.b64encode(b"user@example.com\0user@example.com\0" + RAW), TOKEN[:-3],
    TOKEN[:-6], TOKEN[:-8], base64.b64encode(RAW)[:-8],
    b"<<" + RAW + b">>", b"x" + RAW + b"x",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_password_is_found_in_every_form(form: bytes) -> None:
    veil = Veil("u", PASSWORD)
    assert veil.cover([b"5.7.8 wrong: " + form]) == (b"5.7.8 " + WITHHELD,)
    assert veil.cover([b"wrong", form, b"sorry"]) == (WITHHELD,)
    assert veil.cover([b"5.7.8 wrong"]) == [b"5.7.8 wrong"]


def test_a_password_with_a_blank_is_found_across_two_lines() -> None:
    assert Veil("u", "two words").cover([b"you said two", b"words"]) == (WITHHELD,)


@pytest.mark.parametrize("form", [RAW, TOKEN, RAW.hex().encode(), base64.b64encode(RAW)])
def test_a_password_is_found_where_lines_or_blanks_part_it(form: bytes) -> None:
    veil = Veil("u", PASSWORD)
    for at in range(1, len(form)):
        one, other = form[:at], form[at:]
        assert veil.cover([b"5.5.2 you said " + one, b"5.5.2 " + other, b"5.5.2 no"]) == (b"5.5.2 " + WITHHELD,)
        assert veil.cover([one + b" ", b"\t5.5.2  " + other]) == (WITHHELD,)
        assert veil.cover([b"no " + one + b" \x00" + other]) == (WITHHELD,)
    assert veil.cover([b"no " + b" ".join(b"%c" % octet for octet in form)]) == (WITHHELD,)
    assert veil.cover([b"5.5.2 you said", form[:6] + b"x", form[6:]]) == [b"5.5.2 you said", form[:6] + b"x", form[6:]]


def test_a_password_of_blanks_and_little_else_hides_not_every_reply() -> None:
    assert Veil("u", "a      b").cover([b"a bad login"]) == [b"a bad login"]
    assert Veil("u", "a      b").cover([b"you said a      b"]) == (WITHHELD,)


def test_a_short_password_counts_as_a_word_alone_and_then_nothing_around_it_tells_it() -> None:
    veil = Veil("u", "a")
    assert veil.cover([b"5.7.8 bad password, try again"]) == [b"5.7.8 bad password, try again"]
    assert veil.cover([b"5.7.8 a bad password"]) == (b"5.7.8 " + WITHHELD,)
    assert veil.cover([b"you said (a)"]) == veil.cover([base64.b64encode(b"\0u\0a")]) == (WITHHELD,)
    for none in ("", None):
        assert Veil("u", none).cover([b"no password"]) == [b"no password"]


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("5.123.456", b"5.123.456 bad password"),
        ("5.123.456", b"5.123.456 you said 5.123.456"),
        ("5.7.8", b"5.7.8 bad password"),
        ("5.123.456 bad", b"5.123.456 bad password"),
        ("456 bad", b"5.123.456 bad password"),
        ("x5.7.8-secret", b"5.7.8 you said x5.7.8-secret"),
    ],
)
def test_a_code_that_may_be_of_the_password_goes(password: str, said: bytes) -> None:
    assert Veil("u", password).cover([said]) == (WITHHELD,)
    assert Veil("u", password).cover([b"5.7.9 no"]) == [b"5.7.9 no"]


ORDINARY = [
    b"5.7.8 Error: authentication failed: UGFzc3dvcmQ6", b"5.7.8 Username and Password not accepted. For more, go to",
    b"https://support.google.com/mail/?p=BadCredentials a640c23a62f3a-aa5ec66fa3dsm1234567890.12 - gsmtp",
    b"5.7.57 Client not authenticated to send mail. [FR0P281CA0123.DEUP281.PROD.OUTLOOK.COM 2024-11-27T06:51:09.123Z]",
    b"2.0.0 Ok: queued as 4XzB1n2Q9vz9sRr", b"Requested mail action okay, completed: id=1MPXd2-1tFkQh3dYK-00Sd5a",
    b"4.7.0 Temporary server error. Please try again later. PRX4", b"5.1.1 <customer@example.net>: user unknown",
    b"mail.provider.example ESMTP Postfix ready", b"SIZE 157286400 AUTH PLAIN LOGIN XOAUTH2 8BITMIME STARTTLS",
    b"authentication credentials invalid", b"5.5.4 Base64 data expected: dXNlckBleGFtcGxlLmNvbQ==",
]  # fmt: skip


@pytest.mark.parametrize(
    "password",
    ["123456", "secret", "qwertz", "geheim1", "passwort", "Sommer2026!", "Tr0ub4dor&3", "correct horse battery staple"],
)
def test_the_half_of_a_token_hides_no_ordinary_reply(password: str) -> None:
    said = [line for line in ORDINARY if password.encode() not in line]
    for username in ("u", "anna", "sales@example.com"):
        veil = Veil(username, password)
        assert [line for line in said if veil.hides(line)] == []


LONG = "EwBIA8l6BAAUO9chh8cJscQLmU+LSWpbnr0vmwwAAQ-" + "ab3CD7efGH-1jkLM.9nopQR_5stUVW2xyZ" * 30
SENT = base64.b64encode(f"user=anna@example.com\1auth=Bearer {LONG}\1\1".encode())


@pytest.mark.parametrize("form", [LONG.encode(), LONG.encode().hex().encode(), SENT, base64.b64encode(LONG.encode())])
def test_a_run_of_a_long_secret_is_found_wherever_it_begins(form: bytes) -> None:
    veil = Veil("anna@example.com", LONG)
    for at in range(64, 600, 7):
        assert veil.cover([b"5.7.3 no: " + form[at : at + 24] + b"..."]) == (b"5.7.3 " + WITHHELD,)
        parted = [b"5.7.3 no: " + form[at : at + 11], b"5.7.3 " + form[at + 11 : at + 30]]
        assert veil.cover(parted) == (b"5.7.3 " + WITHHELD,)
        assert veil.hides(b"no: " + form[at : at + 9] + b" " + form[at + 9 : at + 26])
        short = b"5.7.3 no: " + form[at : at + 14] + b"#" + form[at + 15 : at + 30]
        assert veil.cover([short]) == [short]


def test_a_run_that_holds_of_the_user_name_alone_is_shown() -> None:
    said = b"5.7.3 no: " + base64.b64encode(b"user=anna.with.a.very.long.name.indeed@example.com\1auth=Bearer ")
    assert Veil("anna.with.a.very.long.name.indeed@example.com", LONG).cover([said]) == [said]


def test_an_id_stays_an_id() -> None:
    veil = Veil("u", "secret-word")
    assert [veil.cover_id(one) for one in (b"1-secret-WORD", b"2-secret-word", b"3")] == [b"1-***", b"2-***", b"3"]
    assert Veil("u", "123").cover_id(b"123") == b"123"
    for n in range(3):  # no half of a token is left where the other one is covered
        covered = Veil("u", "secret-word").cover_id(base64.b64encode(b"x" * n + b"secret-word") + b".7")
        assert covered in (b"***.7", b"e***.7", b"eH***.7", b"eHh***.7")


def test_what_is_cut_off_later_is_covered_before() -> None:
    long = b"x" * 1990 + b"secret-word"
    assert "secret" not in read_reply(550, Veil("u", "secret-word").cover([long])).text


HELLO = "S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250-PIPELINING\nS: 250 AUTH PLAIN\n"
IN = HELLO + "C: AUTH .*\nS: 235 ok\n"
ECHO = f"{PASSWORD} {TOKEN.decode()}"


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        (f"S: 554 5.7.1 {ECHO}\n! close", Stage.CONNECT),
        (f"S: {ECHO}\n! close", Stage.CONNECT),
        (f"S: 220 hi\nC: .*\nS: 550-no\nS: 550 {ECHO}\nC: .*\nS: 550 {ECHO}\n! silence", Stage.EHLO),
        (f"{HELLO}C: AUTH .*\nS: 535 5.7.8 {ECHO}\n! silence", Stage.AUTH),
        (f"{HELLO}C: AUTH .*\nS: {ECHO}\n! silence", Stage.AUTH),
    ],
)
async def test_no_step_of_opening_a_connection_tells_it(script: str, stage: Stage) -> None:
    async with Dialogue(script) as server:
        settings = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, username="u")
        with pytest.raises(ConnectError) as error:
            await connect(settings, hostname="x", credential=password(PASSWORD), timeouts=QUICK)
    assert error.value.stage is stage
    _tells_nothing(str(error.value))
    assert "withheld" in str(error.value)


@pytest.mark.parametrize("step", range(4))
async def test_no_step_of_a_transaction_tells_it(step: int) -> None:
    said = ["250 ok", "250 ok", "354 go", "250 taken"]
    said[step] = f"550 5.7.1 {ECHO}"
    body = "C. hello\n" if step == 3 else ""
    answers = "".join(f"S: {line}\n" for line in said[:3])
    script = f"{IN}C: MAIL .*\nC: RCPT .*\nC: DATA\n{answers}"
    script += f"{body}S: {said[3]}\n! silence" if step in (2, 3) else "C: \\.\nS: 554 no\nC: RSET\nS: 250 ok\n! silence"
    if step == 2:
        script = f"{IN}C: MAIL .*\nC: RCPT .*\nC: DATA\n{answers}C: RSET\nS: 421 {ECHO}\n! silence"
    async with Dialogue(script) as server:
        settings = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, username="u")
        connection = await connect(settings, hostname="x", credential=password(PASSWORD), timeouts=QUICK)
        result = await connection.send(_mail())
        await connection.close()
    _tells_nothing(repr(result) + str(connection._stream.lost))
    assert "withheld" in repr(result)


@pytest.mark.parametrize("said", ["550 you said secret -wörd", "550-secret\nS: 550 5.1.1 -wörd"])
async def test_neither_a_blank_nor_a_line_end_lets_it_out_of_a_transaction(said: str) -> None:
    script = f"{IN}C: MAIL .*\nC: RCPT .*\nC: DATA\nS: 250 ok\nS: {said}\nS: 554 none\n! silence"
    async with Dialogue(script) as server:
        settings = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, username="u")
        connection = await connect(settings, hostname="x", credential=password(PASSWORD), timeouts=QUICK)
        result = await connection.send(_mail())
        await connection.close()
    assert "wörd" not in repr(result)
    assert "withheld" in repr(result)


def _mail() -> OutgoingMail:
    async def body() -> AsyncIterator[bytes]:
        yield b"hello\r\n"

    return OutgoingMail(
        reverse_path="s@x.example", recipients=("a@x.example",), header=b"A: b\r\n", body=body, size=None
    )


def _tells_nothing(text: str) -> None:
    assert not any(form in text for form in (PASSWORD, "wörd", "wÃ¶rd", TOKEN.decode()[:12]))
