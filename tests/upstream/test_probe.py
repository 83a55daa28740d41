from collections.abc import Iterator
from dataclasses import replace

import pytest

from relay.accounts.credentials import Credentials
from relay.model.account import Account, FirstPoll, Pop3Server, Security, SmtpServer
from relay.model.address import Address
from relay.model.errors import CredentialError
from relay.model.secret import Secret
from relay.upstream.course import Step
from relay.upstream.diagnosis import SILENCE
from relay.upstream.probe import probe_pop3, probe_smtp, show_octets
from tests.peers.credentials import Token, key
from tests.peers.dialogue import Dialogue
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.machine import free_port
from tests.peers.postfix import Postfix
from tests.upstream.conftest import Authority

HELLO = "S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250-AUTH PLAIN\nS: 250 SIZE 1000\n"
LOGIN = HELLO + "C: AUTH .*\nS: 235 ok\n"
MAIL = "C: MAIL FROM:<sales@example.com>\n"
RCPT = "C: RCPT TO:<sales@example.com>\n"
BYE = "C: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye"
POP3 = "S: +OK hi\nC: CAPA\nS: -ERR\nC: USER u\nS: +OK\nC: PASS .*\n"
LISTED = POP3 + "S: +OK\nC: CAPA\nS: -ERR\nC: LIST\nS: +OK\n"
ACCOUNT = Account(name="sales", address=Address(local="sales", domain="example.com"), owner="anna")


def told(steps: list[Step]) -> list[tuple[str, bool]]:
    return [(step.name, step.good) for step in steps]


def smtp(port: int, **more: object) -> SmtpServer:
    values = {"username": "u", "password": Secret(value="p"), "security": Security.NONE, **more}
    return SmtpServer(host="127.0.0.1", port=port, **values)  # type: ignore[arg-type]


def pop3(port: int, **more: object) -> Pop3Server:
    values = {"username": "u", "password": Secret(value="p"), "security": Security.NONE, **more}
    return Pop3Server(host="127.0.0.1", port=port, **values)  # type: ignore[arg-type]


async def try_smtp(server: SmtpServer, account: Account = ACCOUNT, *, silence: float = SILENCE) -> list[Step]:
    return await probe_smtp(account, server, Credentials(key).of(server), hostname="x", silence=silence)


async def try_pop3(server: Pop3Server, account: Account = ACCOUNT, *, silence: float = SILENCE) -> list[Step]:
    return await probe_pop3(replace(account, pop3=server), server, Credentials(key).of(server), silence=silence)


async def test_what_works_is_told_step_by_step() -> None:
    async with Dialogue(f"{LOGIN}{MAIL}S: 250 ok\n{RCPT}S: 250 ok\n{BYE}") as server:
        steps = await try_smtp(smtp(server.port))
        names = ["find the host", "connect", "greeting", "log in", "send as sales@example.com", "the server"]
        assert told(steps) == [(name, True) for name in names]
        assert steps[-1].text == "takes mails of up to 1000 octets, offers no extensions that we use; logins: PLAIN"
    script = f"{LISTED}S: 1 5\nS: .\nC: UIDL\nS: -ERR\nC: QUIT\nS: +OK"
    async with Dialogue(script) as server:
        steps = await try_pop3(pop3(server.port))
        assert all(step.good for step in steps)
        assert steps[-1].text == "1 message, 5 octets; the server has no unique ids"


@pytest.mark.parametrize(
    ("changes", "fate"),
    [
        ({}, "is DELETED at the provider once it is collected into the inbox (leave_on_server = false)"),
        ({"leave_on_server": True}, "All of it stays at the provider"),
        ({"leave_on_server": 14 * 86_400_000}, "deleted at the provider 14 days after it was collected"),
        ({"leave_on_server": 36 * 3_600_000}, "36 h after"),
        ({"first_poll": FirstPoll.NEW}, "What is there at the first poll is left alone"),
    ],
)
async def test_what_becomes_of_the_mail_is_said(changes: dict[str, object], fate: str) -> None:
    async with Dialogue(f"{LISTED}S: .\nC: UIDL\nS: +OK\nS: .\nC: QUIT\nS: +OK") as server:
        steps = await try_pop3(pop3(server.port, **changes))
    assert steps[-1].text == "0 messages"
    assert fate in steps[-1].advice


@pytest.mark.parametrize(
    ("changes", "account", "good"),
    [
        ({"leave_on_server": 14 * 86_400_000}, ACCOUNT, False),
        ({"leave_on_server": True}, ACCOUNT, False),
        ({"first_poll": FirstPoll.NEW}, ACCOUNT, False),
        ({}, ACCOUNT, True),
        ({"leave_on_server": True}, replace(ACCOUNT, receive=False), True),
    ],
)
async def test_a_mailbox_that_no_poll_can_collect_does_not_work(
    changes: dict[str, object], account: Account, *, good: bool
) -> None:
    async with Dialogue(f"{LISTED}S: 1 5\nS: .\nC: UIDL\nS: -ERR\nC: QUIT\nS: +OK") as server:
        steps = await try_pop3(pop3(server.port, **changes), account)
    assert told(steps)[-1] == ("the mailbox", good)
    assert ("nothing would be collected" in steps[-1].text) is not good
    assert ("set leave_on_server = false in account[sales].pop3" in steps[-1].advice) is not good


@pytest.mark.parametrize(("change", "why"), [({"receive": False}, "receive = false"), ({"excluded": True}, "excluded")])
async def test_what_is_not_collected_is_not_threatened(change: dict[str, bool], why: str) -> None:
    async with Dialogue(f"{LISTED}S: .\nC: UIDL\nS: +OK\nS: .\nC: QUIT\nS: +OK") as server:
        steps = await try_pop3(pop3(server.port), replace(ACCOUNT, **change))  # type: ignore[arg-type]
    assert steps[-1].advice.startswith("Nothing is collected, and all stays at the provider")
    assert why in steps[-1].advice


async def test_the_step_that_fails_is_the_last_one_and_says_why_and_what_to_do() -> None:
    async with Dialogue(HELLO + "C: AUTH .*\nS: 535 5.7.8 no\n! silence") as server:
        steps = await try_smtp(smtp(server.port, password=Secret(command=("echo", "p"))))
        assert told(steps)[-1] == ("log in", False)
        assert steps[-1].text == "535 5.7.8 no"
        assert "user name u. Compare username and password_command of account[sales].smtp" in steps[-1].advice
    async with Dialogue(POP3 + "S: -ERR [AUTH] no\n! silence") as server:
        steps = await try_pop3(pop3(server.port))
        assert told(steps) == [("find the host", True), ("connect", True), ("log in", False)]
        assert steps[-1].login_refused
        assert "password of account[sales].pop3" in steps[-1].advice
    for said, advice in (
        ("S: -ERR [IN-USE] locked\n! silence", "Another program reads this mailbox"),
        ("S: -ERR [LOGIN-DELAY] wait\n! silence", "from time to time"),
        ("S: -ERR [SYS/TEMP] no\n! silence", "of its own"),
        ("S: -ERR Protocol error. Connection is closed. 10\n! close", "Microsoft ended the session at the login"),
        ("! close", "ended the connection without saying why"),
    ):
        async with Dialogue(f"{POP3}{said}") as server:
            steps = await try_pop3(pop3(server.port))
        assert steps[-1].name == "log in"
        assert advice in steps[-1].advice
        assert "refuses this password" not in steps[-1].advice
    steps = await try_smtp(smtp(free_port()))
    assert told(steps)[-1] == ("connect", False)
    assert "Compare host and port" in steps[-1].advice
    steps = await try_pop3(pop3(free_port()))
    assert "Compare host and port" in steps[-1].advice


@pytest.mark.parametrize(
    ("script", "advice"),
    [
        ("S: 554 5.7.1 go away\n! silence", "Ask the provider why"),
        ("S: 421 4.3.2 later\n! silence", "That is for now"),
        ("S: 220 hi\nC: EHLO .*\nS: 550 invalid HELO name\n! silence", "Set hostname of [server]"),
        ("S: 220 hi\nC: EHLO .*\nS: 554 go away\n! silence", "Ask the provider why"),
    ],
)
async def test_a_server_that_says_no_is_quoted(script: str, advice: str) -> None:
    async with Dialogue(script) as server:
        steps = await try_smtp(smtp(server.port))
    assert told(steps)[-1] == ("greeting" if "EHLO" in script else "connect", False)
    assert advice in steps[-1].advice


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("-ERR too many connections from your address", "More programs read this mailbox, or come from this address"),
        ("-ERR [SYS/TEMP] not now", "a trouble of its own"),
    ],
)
async def test_a_pop3_server_that_takes_no_connection_is_one(said: str, advice: str) -> None:
    async with Dialogue(*[f"S: {said}\n! silence"] * 2) as server:
        steps = await try_pop3(pop3(server.port))
    assert told(steps)[-1] == ("connect", False)
    assert said.removeprefix("-ERR ") in steps[-1].text
    assert advice in steps[-1].advice
    assert "no POP3 server" not in steps[-1].text


async def test_a_greeting_that_makes_no_sense_has_a_next_step() -> None:
    async with Dialogue("S: 22x\n! silence", "S: 220 hi\n! silence") as server:
        steps = await try_smtp(smtp(server.port))
    assert told(steps)[-1] == ("connect", False)
    assert "compare host and port" in steps[-1].advice


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ({"env": "NO_SUCH_VARIABLE"}, "relay account edit sales --password"),
        ({"file": "/nowhere"}, "relay account edit sales --password"),
        ({"file": "/"}, "Mend password_file"),
    ],
)
async def test_a_password_that_can_not_be_read_is_named(source: dict[str, str], advice: str) -> None:
    for steps in (
        await try_smtp(smtp(1, password=Secret(**source))),  # type: ignore[arg-type]
        await try_pop3(pop3(1, password=Secret(**source))),  # type: ignore[arg-type]
    ):
        assert told(steps)[-1] == ("read the password", False)
        assert advice in steps[-1].advice


@pytest.mark.parametrize("ends", [True, False])
async def test_a_token_that_can_not_be_had_is_a_refused_login_only_if_it_has_ended(*, ends: bool) -> None:
    token = Token()
    token.fault = CredentialError("invalid_grant", permanent=ends)
    server = smtp(1)
    step = (await probe_smtp(ACCOUNT, server, token, hostname="x"))[-1]
    assert (step.name, step.good, step.text, step.login_refused) == ("get a token", False, "invalid_grant", ends)
    assert step.advice == "Mend oauth of account[sales].smtp."


async def test_a_host_that_is_not_there_is_found_out_first() -> None:
    (step,) = await try_smtp(replace(smtp(1), host="no-such-host.invalid"))
    assert not step.good
    assert "internet" in step.advice or "letter by letter" in step.advice


async def test_a_list_that_never_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.upstream.probe._LONGEST_LISTING", 0.05)
    async with Dialogue(f"{LISTED}S: 1 5\n! silence") as server:
        steps = await try_pop3(pop3(server.port))
    assert told(steps)[-1] == ("list the messages", False)
    assert "did not end" in steps[-1].text
    assert "ask the provider" in steps[-1].advice
    async with Dialogue(f"{POP3}S: +OK\nC: CAPA\nS: -ERR\nC: LIST\nS: -ERR locked\n! silence") as server:
        steps = await try_pop3(pop3(server.port))
    assert (steps[-1].name, steps[-1].text, steps[-1].login_refused) == ("list the messages", "locked", False)
    assert "ask the provider" in steps[-1].advice


# Whether the address may send


@pytest.mark.parametrize(
    ("said", "good", "expected"),
    [
        (f"{MAIL}S: 553 5.7.1 not owned by user u\nC: RSET\nS: 250 ok\n", False, "does not let the login u send as"),
        (f"{MAIL}S: 250 ok\n{RCPT}S: 553 5.7.1 Sender address rejected: not owned by user u\nC: RSET\nS: 250 ok\n",
         False, "every mail would come back"),
        (f"{MAIL}S: 250 ok\n{RCPT}S: 550 5.1.1 unknown user\nC: RSET\nS: 250 ok\n", True, "replies would be lost"),
        (f"{MAIL}S: 250 ok\n{RCPT}S: 450 4.7.1 greylisted\nC: RSET\nS: 250 ok\n", True, "not known yet"),
        ((f"{MAIL}S: 250 ok\n{RCPT}S: 504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname\nC: RSET\n"
         "S: 250 ok\n"), False, "Set hostname of [server]"),
        (f"{MAIL}S: 250 ok\n{RCPT}S: 452 4.3.1 full\nC: RSET\nS: 250 ok\n", True, "That is for now"),
        (f"{MAIL}S: 250 ok\n{RCPT}S: 550 5.7.1 no\nC: RSET\nS: 250 ok\n", False, "account[sales].smtp.username"),
        (f"{MAIL}! close\n", False, "Try again"),
    ],
)  # fmt: skip
async def test_a_sender_that_is_refused_is_found(said: str, expected: str, *, good: bool) -> None:
    async with Dialogue(f"{LOGIN}{said}C: QUIT\nS: 221 bye") as server:
        steps = await try_smtp(smtp(server.port))
    (step,) = [step for step in steps if step.name == "send as sales@example.com"]
    assert step.good is good
    assert step.warns is ("not known yet" in step.text)
    assert expected in step.text + step.advice


async def test_which_password_the_provider_means_is_said_with_the_refusal() -> None:
    account = replace(ACCOUNT, preset="gmx")
    async with Dialogue(HELLO + "C: AUTH .*\nS: 535 no\n! silence") as server:
        advice = (await try_smtp(smtp(server.port), account))[-1].advice
    async with Dialogue(POP3 + "S: -ERR no\n! silence") as server:
        assert (await try_pop3(pop3(server.port), account))[-1].advice.endswith(advice[advice.index("GMX means") :])
    assert "GMX means the password of your GMX account" in advice
    assert "To be switched on first: In the GMX web page once: E-Mail" in advice


async def test_who_did_not_log_in_is_told_to() -> None:
    hello = "S: 220 hi\nC: EHLO .*\nS: 250 x\n"
    async with Dialogue(
        f"{hello}{MAIL}S: 530 5.7.0 Authentication required\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 x"
    ) as s:
        steps = await try_smtp(smtp(s.port, username=None))
    assert "set username and a password in account[sales].smtp" in steps[-2].advice
    account = replace(ACCOUNT, address=Address(local="jörg", domain="example.com"))
    async with Dialogue(f"{hello}C: QUIT\nS: 221 x") as s:
        steps = await try_smtp(smtp(s.port, username=None), account)
    assert "account[sales].address" in steps[-2].advice


def test_sizes_are_shown_as_people_read_them() -> None:
    assert [show_octets(n) for n in (5, 1536, 5 << 20, 3 << 30)] == ["5 octets", "1.5 KiB", "5.0 MiB", "3.0 GiB"]


# A wrong port, a wrong word: found at once


async def test_a_port_that_begins_with_tls_is_found_at_once(authority: Authority) -> None:
    for greeting in ("220 hi", "+OK hi"):
        scripts = [f"S: {greeting}\n! silence"] * 4
        async with Dialogue(*scripts, context=authority.server(), implicit_tls=True) as server:
            steps = await (
                try_smtp(smtp(server.port, security=Security.STARTTLS), silence=0.05)
                if greeting.startswith("2")
                else try_pop3(pop3(server.port), silence=0.05)
            )
        assert (steps[-1].name, steps[-1].good) == ("connect", False)
        assert steps[-1].text == f"port {server.port} begins with TLS"


# Real peers


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    """A provider that lets each login send as itself alone, and says so only at RCPT, as Postfix does by default."""
    logins = {"sales@example.com": "secret", "other@example.com": "secret"}
    with Postfix(logins=logins, senders={login: login for login in logins}) as running:
        yield running


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as running:
        running.fill("sales", [b"Subject: one\n\nhello\n", b"Subject: two\n\nhello\n"])
        yield running


def at_postfix(postfix: Postfix, **more: object) -> SmtpServer:
    values = {"security": Security.STARTTLS, "username": "sales@example.com", "password": Secret(value="secret")}
    return smtp(postfix.port, **{**values, "ca_file": str(postfix.ca_file), **more})


@pytest.mark.peer
async def test_postfix_lets_the_right_login_send_and_nothing_is_sent(postfix: Postfix) -> None:
    steps = await try_smtp(at_postfix(postfix))
    assert all(step.good for step in steps), steps
    assert postfix.inbox("sales@example.com") == []


@pytest.mark.peer
async def test_postfix_refuses_another_login_at_rcpt_and_it_is_told(postfix: Postfix) -> None:
    steps = await try_smtp(at_postfix(postfix, username="other@example.com"))
    (failed,) = [step for step in steps if not step.good]
    assert failed.name == "send as sales@example.com"
    assert "553 5.7.1" in failed.text
    assert "does not let the login other@example.com send as sales@example.com" in failed.advice


@pytest.mark.peer
async def test_what_is_wrong_with_a_postfix_is_told(postfix: Postfix) -> None:
    for changes, name, text in (
        ({"security": Security.TLS}, "connect", f"port {postfix.port} does not begin with TLS"),
        ({"ca_file": None}, "STARTTLS", "the certificate of 127.0.0.1 is made by"),
        ({"password": Secret(value="wrong")}, "log in", "535 5.7.8"),
    ):
        steps = await try_smtp(at_postfix(postfix, **changes))
        assert (steps[-1].name, steps[-1].good) == (name, False)
        assert text in steps[-1].text
        assert steps[-1].advice
    assert 'security = "starttls"' in (await try_smtp(at_postfix(postfix, security=Security.TLS)))[-1].advice


@pytest.mark.peer
async def test_a_dovecot_is_counted_and_its_wrong_ports_are_told(dovecot: Dovecot) -> None:
    values = {"username": "sales", "password": Secret(value=PASSWORD), "ca_file": str(dovecot.ca_file)}
    for port, security in ((dovecot.pop3_port, Security.STARTTLS), (dovecot.pop3s_port, Security.TLS)):
        steps = await try_pop3(pop3(port, security=security, **values))
        assert all(step.good for step in steps), steps
        assert steps[-1].text.startswith("2 messages, ")
        assert "DELETED" in steps[-1].advice
    assert len(dovecot.mails("sales")) == 2
    for port, security, text in (
        (dovecot.pop3_port, Security.TLS, "does not begin with TLS"),
        (dovecot.pop3s_port, Security.STARTTLS, "begins with TLS"),
        (dovecot.imap_port, Security.STARTTLS, "answers an IMAP server, and no POP3 server"),
    ):
        steps = await try_pop3(pop3(port, security=security, **values), silence=0.3)
        assert (steps[-1].name, steps[-1].good) == ("connect", False)
        assert text in steps[-1].text
        assert "security = " in steps[-1].advice
