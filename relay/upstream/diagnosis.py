"""Explains why a server could not be used, and which line of the configuration to change."""

import asyncio
import datetime as dt
from collections.abc import Coroutine
from typing import Any, TypeVar

from relay.model.account import Pop3Server, Security, SmtpServer
from relay.model.credential import TOKEN, Credential
from relay.rules.answers.connection_rows import explain_cause, read_cause
from relay.rules.answers.row import Cause, Explanation
from relay.rules.certificates import Certificate
from relay.upstream.peeking import (
    POP3,
    SMTP,
    Speech,
    begins_with_tls,
    fetch_certificate,
    hear_greeting,
    hear_web_server,
    offers_encryption,
)
from relay.upstream.secrecy import Veil

T = TypeVar("T")

SILENCE = 3.0
"""Seconds without a greeting after which a second connection finds out whether the server waits for TLS."""
_MOST_NAMES = 5
_NOT_NOW = (
    "Try again in some minutes. If it stays so, look which other programs use this server from here, and ask the"
    " provider, with this answer."
)
_NO_CAUSE = (
    "Try again in some minutes. If it stays so, compare host and port with what the provider names, and ask them, with"
    " this answer."
)


class BeginsWithTlsError(Exception):
    """The server waits for a TLS handshake while we wait for its greeting."""


async def open_watched(
    opening: Coroutine[Any, Any, T], server: SmtpServer | Pop3Server, *, silence: float = SILENCE
) -> T:
    """Await the opening of a connection. Raises BeginsWithTlsError when both sides turn out to wait for each other.

    `silence`: seconds without a greeting after which that is asked.
    """
    task = asyncio.ensure_future(opening)
    try:
        if server.security is not Security.TLS:
            done, _ = await asyncio.wait({task}, timeout=silence)
            if not done and await begins_with_tls(server.host, server.port):
                raise BeginsWithTlsError
        return await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def diagnose(fault: str, server: SmtpServer | Pop3Server, veil: Veil) -> Explanation:
    """Explain an error before the login, given the text that was stored for it; inspects the server if that helps.

    In the advice {account} stands for the account's name (`Explanation.of`).
    """
    speech = SMTP if isinstance(server, SmtpServer) else POP3
    cause = read_cause(fault)
    if cause is Cause.NO_TLS or (cause is None and server.security is not Security.TLS):
        found = await _look(server, speech, veil, tls=False)
    elif cause is Cause.TLS_AT_ONCE or cause is None:
        found = await _look(server, speech, veil, tls=True)
    elif cause is Cause.NO_ANSWER:
        said = await hear_web_server(server.host, server.port, veil, tls=server.security is Security.TLS)
        found = None if said is None else _another_service(said, server, speech)
    elif cause.is_certificate:
        certificate = await fetch_certificate(server.host, server.port, speech, at_once=server.security is Security.TLS)
        found = None if certificate is None else _tell_certificate(cause, certificate, server)
    else:
        found = None
    if found is not None and not veil.hides(found.what.encode()):  # a certificate may name what it likes
        return found
    if cause is None:
        return Explanation(what=fault, advice=_NO_CAUSE)
    words = explain_cause(cause, "en", account="{account}")
    return Explanation(what=fault, advice=str(words))


async def _look(server: SmtpServer | Pop3Server, speech: Speech, veil: Veil, *, tls: bool) -> Explanation | None:
    """Inspect how a server greets with or without TLS; None if that explains nothing."""
    greeting = await hear_greeting(server.host, server.port, veil, tls=tls)
    if greeting is None:
        return None
    if not greeting.encode().startswith(speech.greeting):
        return _another_service(greeting, server, speech)
    if (server.security is Security.TLS) is tls:
        return None
    if tls:
        return Explanation(
            what=f"port {server.port} begins with TLS", advice='Set security = "tls": ' + _set(server, "tls")
        )
    advice = f'The server offers no encryption there. Take port {speech.tls_port} with security = "tls": '
    advice += _set(server, "tls", speech.tls_port)
    if await offers_encryption(server.host, server.port, speech):
        advice = 'Set security = "starttls": ' + _set(server, "starttls")
    return Explanation(what=f"port {server.port} does not begin with TLS", advice=advice)


def _another_service(greeting: str, server: SmtpServer | Pop3Server, speech: Speech) -> Explanation:
    if greeting.startswith(("4", "5") if speech is SMTP else "-ERR"):
        return Explanation(what=f"the server takes no connection: {greeting}", advice=_NOT_NOW)
    kinds = {"220": "an SMTP server", "+OK": "a POP3 server", "* O": "an IMAP server", "HTT": "a web server"}
    kind = kinds.get(greeting[:3], "something else")
    return Explanation(
        what=f"on port {server.port} answers {kind}, and no {speech.name} server: {greeting[:80]}",
        advice=f'Usual for {speech.name} are port {speech.tls_port} with security = "tls", and port'
        f' {speech.plain_port} with security = "starttls": ' + _set(server, "tls", speech.tls_port),
    )


def _set(server: SmtpServer | Pop3Server, security: str, port: int | None = None) -> str:
    """Give the command that changes port and security of a server; `port`: None for the one that it has."""
    kind = "smtp" if isinstance(server, SmtpServer) else "pop3"
    where = f"--{kind}-security {security} --{kind}-port {server.port if port is None else port}"
    return f'"relay account edit {{account}} {where}".'


def _tell_certificate(cause: Cause, certificate: Certificate, server: SmtpServer | Pop3Server) -> Explanation | None:
    host, issuer = server.host, certificate.issuer
    if cause is Cause.CERTIFICATE_NAME:
        names = ", ".join(certificate.names[:_MOST_NAMES]) or "no name at all"
        more = f" and {len(certificate.names) - _MOST_NAMES} more" if len(certificate.names) > _MOST_NAMES else ""
        return Explanation(
            what=f"the certificate is for {names}{more}, and not for {host}",
            advice="Take as host a name that is in the certificate, if the provider names it as well:"
            f' "relay account edit {{account}} --{"smtp" if isinstance(server, SmtpServer) else "pop3"}-host HOST".',
        )
    if cause in (Cause.CERTIFICATE_EXPIRED, Cause.CERTIFICATE_FUTURE):
        expired = cause is Cause.CERTIFICATE_EXPIRED
        moment = certificate.until if expired else certificate.since
        kind = "has expired on" if expired else "is valid only from"
        today = dt.datetime.now(dt.UTC)
        return Explanation(
            what=f"the certificate of {host} {kind} {moment:%Y-%m-%d}; this machine says that it is {today:%Y-%m-%d}",
            advice="If this machine's date is right, only the provider can mend this: tell them."
            if expired
            else "Set this machine's date.",
        )
    if cause is Cause.CERTIFICATE_SELF_SIGNED:
        what = f"{host} has signed its certificate itself ({issuer})"
        return Explanation(what=what, advice=_trust("its certificate", server))
    if cause is Cause.CERTIFICATE_ISSUER:
        known = "this machine does not know" if server.ca_file is None else f"is not in ca_file ({server.ca_file})"
        return Explanation(
            what=f'the certificate of {host} is made by "{issuer}", which {known}',
            advice=_trust("the certificate of that authority", server),
        )
    return None


def _trust(what: str, server: SmtpServer | Pop3Server) -> str:
    other = "" if server.ca_file is None else f", in place of {server.ca_file}"
    return (
        f"If you trust it, save {what} as a PEM file and name it in ca_file{other}:"
        ' "relay account edit {account} --ca-file FILE". verify = false would let anybody on the way read the password.'
    )


def advise_login(username: str, credential: Credential, place: str) -> str:
    """Say what to do where a login is refused. `place`: of the server's table, such as `account[sales].smtp`."""
    if credential.identity.kind == TOKEN:
        return (
            f"The provider does not let {credential.identity.login}, who has signed in, into the mailbox {username}."
            f" Compare username of {place} with user in [account.oauth]; who signs in must be allowed to use that"
            " mailbox, and access by programs (SMTP, POP3) must be switched on for it."
        )
    return (
        f"The provider refuses this password for the user name {username}. Compare username and {credential.origin}"
        f" of {place} with what the provider names. Many want a password made for programs, or that access by"
        " programs (SMTP, POP3) is allowed on their web page first."
    )
