"""Each fault leads to the key that mends it."""

import datetime as dt
from pathlib import Path

import pytest
import trustme

from relay.accounts.credentials import PasswordCredential
from relay.model.account import Pop3Server, Security, SmtpServer
from relay.model.credential import Identity
from relay.model.secret import Secret
from relay.upstream.diagnosis import BeginsWithTlsError, advise_login, diagnose, open_watched
from relay.upstream.pop3 import open_pop3
from relay.upstream.secrecy import Veil
from relay.upstream.smarthost import ConnectError, connect
from tests.peers.credentials import password
from tests.peers.dialogue import Dialogue
from tests.peers.machine import free_port
from tests.upstream.conftest import QUICK, Authority

HELLO = "S: 220 hi\nC: EHLO .*\n"
SECRET = "secret-of-u"
NOTHING = Veil(None, None)


def smtp(port: int, security: Security, **more: object) -> SmtpServer:
    return SmtpServer(host="127.0.0.1", port=port, security=security, **more)  # type: ignore[arg-type]


async def fault(server: SmtpServer) -> str:
    """Connect, and give why it fails."""
    with pytest.raises(ConnectError) as error:
        await connect(server, hostname="x", credential=None, timeouts=QUICK)
    return error.value.reply.text


async def tell(server: SmtpServer) -> tuple[str, str]:
    found = await diagnose(await fault(server), server, Veil("u", SECRET))
    return found.what, found.advice


COMMAND = "relay account edit {account} --smtp-security"
PLAIN = f'Take port 465 with security = "tls": "{COMMAND} tls --smtp-port 465".'


@pytest.mark.parametrize(
    ("offer", "advice"),
    [
        ("S: 250-x\nS: 250 STARTTLS\n", f'Set security = "starttls": "{COMMAND} starttls --smtp-port PORT".'),
        ("S: 250 x\n", f"The server offers no encryption there. {PLAIN}"),
    ],
)
async def test_a_port_that_does_not_begin_with_tls_is_told(offer: str, advice: str) -> None:
    look = f"{HELLO}{offer}"
    async with Dialogue("S: 220 hi\n! close", "S: 220 hi", look) as server:
        server.faults = []
        what, told = await tell(smtp(server.port, Security.TLS))
    assert what == f"port {server.port} does not begin with TLS"
    assert told == advice.replace("PORT", str(server.port))


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.NONE])
async def test_both_waiting_for_the_other_is_found_out(authority: Authority, security: Security) -> None:
    scripts = ["S: 220 hi\n! silence"] * 4
    async with Dialogue(*scripts, context=authority.server(), implicit_tls=True) as server:
        where = smtp(server.port, security)
        with pytest.raises(BeginsWithTlsError):
            await open_watched(connect(where, hostname="x", credential=None, timeouts=QUICK), where, silence=0.05)
        found = await diagnose("it begins with TLS", where, NOTHING)
    assert found.what == f"port {server.port} begins with TLS"
    assert found.advice.startswith('Set security = "tls": "relay account edit {account} --smtp-security tls')


async def test_a_slow_server_is_waited_for() -> None:
    async with Dialogue(f"{HELLO}S: 250 x\nC: QUIT\nS: 221 bye", "! close") as server:
        where = smtp(server.port, Security.NONE)
        opening = connect(where, hostname="x", credential=None, timeouts=QUICK)
        connection = await open_watched(opening, where, silence=0.0)
        await connection.close()


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [("+OK ready", "a POP3 server"), ("* OK IMAP4rev1", "an IMAP server"), ("SSH-2.0", "something else")],
)
async def test_another_kind_of_server_is_named(greeting: str, kind: str) -> None:
    async with Dialogue(f"S: {greeting}\n! silence", f"S: {greeting}") as server:
        what, advice = await tell(smtp(server.port, Security.NONE))
    assert what == f"on port {server.port} answers {kind}, and no SMTP server: {greeting}"
    assert 'port 465 with security = "tls"' in advice


@pytest.mark.parametrize(
    "greeting", [SECRET, f"554 {SECRET}", f"* OK {'x' * 66} {SECRET}", f"{SECRET[:4]} {SECRET[4:]}"]
)
async def test_a_password_in_the_second_greeting_is_not_told(greeting: str) -> None:
    async with Dialogue("S: ready\n! silence", f"S: {greeting}") as server:
        what, _ = await tell(smtp(server.port, Security.NONE))
    assert what.endswith("no SMTP server: (withheld: the server repeats the account's password)")


async def test_another_kind_of_server_is_named_behind_tls_too(authority: Authority) -> None:
    scripts = ["S: * OK IMAP4rev1\n! silence"] * 2
    async with Dialogue(*scripts, context=authority.server(), implicit_tls=True) as server:
        where = Pop3Server(
            host="127.0.0.1", port=server.port, security=Security.TLS, username="u", ca_file=str(authority.ca_file)
        )
        with pytest.raises(Exception, match="connect: ") as error:
            await open_pop3(where, password("p"), patience=5)
        found = await diagnose(str(error.value).removeprefix("connect: "), where, NOTHING)
    assert found.what.startswith(f"on port {server.port} answers an IMAP server, and no POP3 server")


async def certificate(context_of: trustme.LeafCert, **more: object) -> tuple[str, str]:
    """Tell what is the matter with a certificate."""
    import ssl  # noqa: PLC0415 - for this one

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context_of.configure_cert(context)
    async with Dialogue("! silence", "! silence", context=context, implicit_tls=True) as server:
        return await tell(smtp(server.port, Security.TLS, **more))


async def test_a_certificate_is_told_with_what_it_says(authority: Authority, tmp_path: Path) -> None:
    made = trustme.CA(organization_name="Office Authority")
    what, advice = await certificate(made.issue_cert("127.0.0.1"))
    assert what.startswith('the certificate of 127.0.0.1 is made by "Office Authority')
    assert what.endswith("which this machine does not know")
    assert '"relay account edit {account} --ca-file FILE"' in advice
    assert "verify = false" in advice
    what, _ = await certificate(made.issue_cert("127.0.0.1"), ca_file=str(authority.ca_file))
    assert what.endswith(f"which is not in ca_file ({authority.ca_file})")
    path = tmp_path / "ca.pem"
    made.cert_pem.write_to_path(path)
    what, advice = await certificate(made.issue_cert("mail.example", "*.example.org"), ca_file=str(path))
    assert what == "the certificate is for mail.example, *.example.org, and not for 127.0.0.1"
    assert '"relay account edit {account} --smtp-host HOST"' in advice
    what, advice = await certificate(made.issue_cert(f"{SECRET}.example"), ca_file=str(path))
    assert SECRET not in what
    assert advice
    old = made.issue_cert("127.0.0.1", not_after=dt.datetime(2020, 5, 1, tzinfo=dt.UTC))
    what, advice = await certificate(old, ca_file=str(path))
    assert what.startswith("the certificate of 127.0.0.1 has expired on 2020-05-01; this machine says that it is 20")
    assert "provider" in advice
    new = made.issue_cert(
        "127.0.0.1",
        not_before=dt.datetime(2090, 5, 1, tzinfo=dt.UTC),
        not_after=dt.datetime(2091, 5, 1, tzinfo=dt.UTC),
    )
    what, advice = await certificate(new, ca_file=str(path))
    assert "is valid only from 2090-05-01" in what
    assert advice == "Set this machine's date."


async def test_without_a_look_there_are_still_words() -> None:
    found = await diagnose("127.0.0.1:1: Connection refused", smtp(free_port(), Security.TLS), NOTHING)
    assert found.what == "127.0.0.1:1: Connection refused"
    assert "Compare host and port" in found.advice
    found = await diagnose("something new", smtp(free_port(), Security.TLS), NOTHING)
    assert found.what == "something new"
    assert "ask them, with this answer" in found.advice
    found = await diagnose("the certificate of x: certificate has expired", smtp(free_port(), Security.TLS), NOTHING)
    assert "has expired" in found.advice


def test_a_refused_login_names_the_keys() -> None:
    identity = Identity(kind="password", login="u", host="x.example")
    credential = PasswordCredential(identity=identity, source=Secret(file="/etc/relay/secrets/sales"))
    said = advise_login("u@x.example", credential, "account[sales].smtp")
    assert "user name u@x.example" in said
    assert "password_file (/etc/relay/secrets/sales) of account[sales].smtp" in said
