"""The account doctor before broken servers: each time the true cause is named, with what to do, and nothing else.

Real Postfix and Dovecot where they can be broken so, a written dialogue for what no real server does on demand.
"""

import datetime as dt
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest
import trustme

from relay.accounts.credentials import Credentials
from relay.model.account import Account, Pop3Server, Security, SmtpServer
from relay.model.address import Address
from relay.model.secret import Secret
from relay.upstream.course import Step
from relay.upstream.probe import probe_pop3, probe_smtp
from tests.delivery.faults import deaf_port
from tests.peers.credentials import key
from tests.peers.dialogue import Dialogue
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.machine import free_port
from tests.peers.postfix import Postfix
from tests.upstream.conftest import Authority

NOW: Final = dt.datetime.now(dt.UTC)
DAY: Final = dt.timedelta(days=1)
ACCOUNT: Final = Account(name="sales", address=Address(local="sales", domain="example.com"), owner="anna")
LARGEST: Final = 75 << 20
EHLO = "S: 220 hi\nC: EHLO .*\n"
HELLO = EHLO + "S: 250-server\nS: 250 AUTH PLAIN\n"
LOGIN = HELLO + "C: AUTH .*\nS: 235 ok\n"
MAIL = "C: MAIL FROM:<sales@example.com>\n"
GOOD = f"{MAIL}S: 250 ok\nC: RCPT TO:<sales@example.com>\nS: 250 ok\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye"
POP3 = "S: +OK hi\nC: CAPA\nS: -ERR\nC: USER u\nS: +OK\nC: PASS .*\n"
TLS = EHLO + "S: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n! tls\n! silence"


@dataclass(frozen=True)
class World:
    """The real servers, and the authority of the others."""

    postfix: Postfix
    dovecot: Dovecot
    authority: Authority


SOON = 1.5
"""Seconds after which a server is asked why it is silent: a busy machine is silent, too."""
Server = SmtpServer | Pop3Server
Place = Callable[[World], AbstractAsyncContextManager[Server]]


@pytest.fixture(scope="module")
def world(authority: Authority) -> Iterator[World]:
    """A provider that lets each login send as itself alone, and a mailbox."""
    logins = {"sales@example.com": "secret", "other@example.com": "secret"}
    with Postfix(logins=logins, senders={login: login for login in logins}) as postfix, Dovecot() as dovecot:
        yield World(postfix, dovecot, authority)


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give some names the addresses that a name server would."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - as the original has it
        if host == "smpt.provider.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host == "offline.provider.example":
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        hosts = ("::1", "127.0.0.1") if host == "both.provider.example" else (host,)
        return [entry for one in hosts for entry in real(one, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


# Servers


def smtp(port: int, **more: Any) -> SmtpServer:  # noqa: ANN401 - a server's fields
    values = {"host": "127.0.0.1", "username": "u", "password": Secret(value="p"), "security": Security.NONE, **more}
    return SmtpServer(port=port, **values)


def pop3(port: int, **more: Any) -> Pop3Server:  # noqa: ANN401 - a server's fields
    values = {"host": "127.0.0.1", "username": "u", "password": Secret(value="p"), "security": Security.NONE, **more}
    return Pop3Server(port=port, **values)


def postfix(**more: Any) -> Place:  # noqa: ANN401 - a server's fields
    @asynccontextmanager
    async def place(world: World) -> AsyncIterator[Server]:
        values = {"security": Security.STARTTLS, "username": "sales@example.com", "password": Secret(value="secret")}
        yield smtp(world.postfix.port, **{**values, "ca_file": str(world.postfix.ca_file), **more})

    return place


def dovecot(port: str, **more: Any) -> Place:  # noqa: ANN401 - a server's fields
    @asynccontextmanager
    async def place(world: World) -> AsyncIterator[Server]:
        values = {"username": "sales", "password": Secret(value=PASSWORD), "ca_file": str(world.dovecot.ca_file)}
        yield pop3(getattr(world.dovecot, port), **{**values, **more})

    return place


def says(*scripts: str, make: Callable[..., Server] = smtp, **more: Any) -> Place:  # noqa: ANN401 - a server's fields
    @asynccontextmanager
    async def place(_world: World) -> AsyncIterator[Server]:
        async with Dialogue(*scripts) as server:
            yield make(server.port, **more)

    return place


def shows(name: str = "127.0.0.1", **how: Any) -> Place:  # noqa: ANN401 - of a certificate
    """Be a server with a certificate of an authority that is trusted."""

    @asynccontextmanager
    async def place(world: World) -> AsyncIterator[Server]:
        context = world.authority.server(name, **how)
        async with Dialogue(*[TLS] * 2, context=context) as server:
            yield smtp(server.port, security=Security.STARTTLS, ca_file=str(world.authority.ca_file))

    return place


@asynccontextmanager
async def signs_itself(_world: World) -> AsyncIterator[Server]:
    """Be a server whose certificate has no other issuer than itself."""
    made = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with made.cert_pem.tempfile() as certificate, made.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    async with Dialogue(*[TLS] * 2, context=context) as server:
        yield smtp(server.port, security=Security.STARTTLS)


@asynccontextmanager
async def is_a_web_server(_world: World) -> AsyncIterator[Server]:
    """Be a server of HTTP, which says nothing before it is asked."""

    class Pages(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield smtp(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def is_not_there(_world: World) -> AsyncIterator[Server]:
    """Be a port on which nobody listens."""
    yield smtp(free_port())


@asynccontextmanager
async def swallows_everything(_world: World) -> AsyncIterator[Server]:
    """Be a firewall that drops what comes."""
    with deaf_port() as port:
        yield smtp(port)


def named(host: str) -> Place:
    @asynccontextmanager
    async def place(_world: World) -> AsyncIterator[Server]:
        yield smtp(587, host=host)

    return place


@dataclass(frozen=True)
class Row:
    """One broken server: at which step it shows, and what the doctor has to say of it."""

    fault: str
    place: Place
    step: str
    words: tuple[str, ...]
    works: bool = False
    """Whether mail goes all the same, so that it is only to be looked at."""
    patience: float = 20
    """Seconds for a step: few where all of them will pass."""


SEND = "send as sales@example.com"
MATRIX: Final = (
    Row("the name has a slip", named("smpt.provider.example"), "find the host",
        ("There is no server of this name", "letter by letter")),
    Row("no name server answers", named("offline.provider.example"), "find the host",
        ("no name server answers", "in the internet at all")),
    Row("nobody listens on the port", is_not_there, "connect", ("refuses the connection", "Compare host and port")),
    Row("a firewall drops everything", swallows_everything, "connect", ("gives no answer", "firewall"),
        patience=0.5),
    Row("IPv6 is broken, IPv4 works", says("! silence", f"{LOGIN}{GOOD}", host="both.provider.example"),
        "connect over IPv6", ("Connection refused", "can't be reached over IPv6", "over IPv4"), works=True),
    Row("STARTTLS there, TLS set", postfix(security=Security.TLS), "connect",
        ("does not begin with TLS", 'security = "starttls"')),
    Row("TLS there, STARTTLS set", dovecot("pop3s_port", security=Security.STARTTLS), "connect",
        ("begins with TLS", 'security = "tls"')),
    Row("no STARTTLS is offered", says(*[f"{HELLO}! silence"] * 2, security=Security.STARTTLS), "STARTTLS",
        ("offers no STARTTLS", 'with security = "tls"')),
    Row("the certificate has expired", shows(not_before=NOW - 9 * DAY, not_after=NOW - 2 * DAY), "STARTTLS",
        ("has expired on", "only the provider can mend this")),
    Row("the certificate is not valid yet", shows(not_before=NOW + DAY, not_after=NOW + 9 * DAY), "STARTTLS",
        ("is valid only from", "Set this machine's date")),
    Row("the certificate is another's", shows("smtp.other.example"), "STARTTLS",
        ("is for smtp.other.example, and not for 127.0.0.1",)),
    Row("the certificate is self-signed", signs_itself, "STARTTLS", ("has signed its certificate itself", "ca_file")),
    Row("nobody knows who signed it", postfix(ca_file=None), "STARTTLS", ("is made by", "does not know")),
    Row("the password for sending is wrong", postfix(password=Secret(value="wrong")), "log in",
        ("535 5.7.8", "user name sales@example.com. Compare username and password of account[sales].smtp")),
    Row("the password of the mailbox is wrong",
        dovecot("pop3_port", security=Security.STARTTLS, password=Secret(value="wrong")), "log in",
        ("user name sales. Compare username and password of account[sales].pop3",)),
    Row("POP3 is switched off",
        says(f"{POP3}S: -ERR [AUTH] POP3 is not enabled for this account\n! silence", make=pop3), "log in",
        ("POP3 is not enabled", "allowed on their web page first")),
    Row("SMTP AUTH is switched off",
        says(f"{HELLO}C: AUTH .*\nS: 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for"
             " the Mailbox\n! silence"), "log in",
        ("SmtpClientAuthentication is disabled", "Authenticated SMTP")),
    Row("no login is offered", says(f"{EHLO}S: 250 server\n! silence", "S: 220 hi\n! silence"), "log in",
        ("offers no login that we know", "587 with")),
    Row("only logins that we do not know are offered",
        says(f"{EHLO}S: 250-server\nS: 250 AUTH NTLM GSSAPI\n! silence", "S: 220 hi\n! silence"), "log in",
        ("offers no login that we know, only NTLM, GSSAPI",)),
    Row("the sender is refused at MAIL",
        says(f"{LOGIN}{MAIL}S: 550 Sender address is not allowed.\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye"), SEND,
        ("MAIL FROM was answered by 550", "does not let the login u send as sales@example.com")),
    Row("the sender is refused at RCPT", postfix(username="other@example.com"), SEND,
        ("RCPT TO was answered by 553 5.7.1", "does not let the login other@example.com send as sales@example.com")),
    Row("the server takes small mails only",
        says(f"{EHLO}S: 250-server\nS: 250-SIZE 1048576\nS: 250 AUTH PLAIN\nC: AUTH .*\nS: 235 ok\n{GOOD}"),
        "the server", ("takes mails of up to 1.0 MiB", "though up to 75.0 MiB are taken"), works=True),
    Row("the server says nothing", says(*["! silence"] * 4), "connect", ("gives no answer",), patience=0.5),
    Row("the server hangs up", says(*["! close"] * 4), "connect", ("ended the connection without saying why",)),
    Row("the server takes nobody", says("S: 554 5.7.1 your address is on a list\n! silence"), "connect",
        ("554 5.7.1 your address is on a list", "refuses this machine")),
    Row("an IMAP server is there", dovecot("imap_port", security=Security.STARTTLS), "connect",
        ("answers an IMAP server, and no POP3 server", "995")),
    Row("a POP3 server is there", says(*["S: +OK ready\n! silence"] * 4), "connect",
        ("answers a POP3 server, and no SMTP server", "465")),
    Row("a web server is there", is_a_web_server, "connect", ("answers a web server, and no SMTP server",),
        patience=0.5),
    Row("the mailbox is in use", says(f"{POP3}S: -ERR [IN-USE] locked\n! silence", make=pop3), "log in",
        ("[IN-USE]", "Another program reads this mailbox")),
    Row("it is too soon", says(f"{POP3}S: -ERR [LOGIN-DELAY] wait\n! silence", make=pop3), "log in",
        ("only from time to time",)),
    Row("this machine's clock is wrong",
        says(f"S: 220 mx ready at Sat, 28 Nov 2015 06:00:00 +0000\n{LOGIN.partition(chr(10))[2]}{GOOD}"), "clock",
        ("2015-11-28", "Set this machine's clock"), works=True),
)  # fmt: skip


async def examine(server: Server) -> list[Step]:
    if isinstance(server, SmtpServer):
        return await probe_smtp(
            ACCOUNT, server, Credentials(key).of(server), hostname="x", largest=LARGEST, silence=SOON
        )
    return await probe_pop3(ACCOUNT, server, Credentials(key).of(server), silence=SOON)


@pytest.mark.peer
@pytest.mark.parametrize("row", MATRIX, ids=lambda row: row.fault)
async def test_the_true_cause_is_named(row: Row, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("probe", "peeking"):
        monkeypatch.setattr(f"relay.upstream.{module}.PATIENCE", row.patience)
    async with row.place(world) as server:
        steps = await examine(server)
    (found,) = [step for step in steps if not step.good or step.warns]
    assert (found.name, found.good) == (row.step, row.works), steps
    for words in row.words:
        assert words in f"{found.text} {found.advice}"
    assert found.advice
    assert found.seconds < 10


@pytest.mark.peer
@pytest.mark.parametrize("place", [postfix(), dovecot("pop3_port", security=Security.STARTTLS)])
async def test_before_a_healthy_server_nothing_is_wrong(place: Place, world: World) -> None:
    async with place(world) as server:
        steps = await examine(server)
    assert [step for step in steps if not step.good or step.warns] == []


def test_there_are_at_least_twenty() -> None:
    assert len({row.fault for row in MATRIX}) == len(MATRIX) >= 20
