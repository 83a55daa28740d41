"""Tries an account's servers step by step for `relay account test`; nothing is sent, fetched or deleted."""

import asyncio
import shlex
from dataclasses import dataclass

from relay.model.account import Account, FirstPoll, Pop3Server, Security, SmtpServer
from relay.model.credential import TOKEN, Credential
from relay.model.errors import CredentialError
from relay.model.reply import Reply
from relay.rules.answers.connection_rows import explain_cause, read_cause
from relay.rules.answers.reading import choose_advice, explain
from relay.rules.answers.row import Advice, Cause, Stage
from relay.upstream.diagnosis import BeginsWithTlsError, advise_login, diagnose, open_watched
from relay.upstream.dialing import resolve
from relay.upstream.pop3 import Pop3Error, Pop3Session, Pop3Stage, open_pop3
from relay.upstream.secrecy import Veil
from relay.upstream.smarthost import ConnectError, Connection, connect
from relay.upstream.stream import StreamLost
from relay.upstream.transaction import Timeouts

_PATIENCE = 20.0
_LONGEST_LISTING = 120.0
"""Seconds for counting the messages of a mailbox."""

_SMTP_STEPS = {"connect": "connect", "ehlo": "greeting", "starttls": "STARTTLS", "auth": "log in"}
_POP3_STEPS = {"connect": "connect", "starttls": "STLS", "login": "log in", "list": "list the messages"}
_TLS_AT_ONCE = "it begins with TLS"
_DAY = 24 * 60 * 60 * 1000
_KNOWN_ELSEWHERE = (Advice.UNKNOWN_ADDRESS, Advice.MAILBOX_FULL, Advice.MAILBOX_CLOSED)
"""Refusals of the account's own address as a recipient that do not matter for it as a sender."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step and its result."""

    name: str
    good: bool
    text: str = ""
    advice: str = ""
    """What it means and what to do, in whole sentences."""


async def probe_smtp(
    account: Account, server: SmtpServer, credential: Credential | None, *, hostname: str
) -> list[Step]:
    """Connect, start TLS, log in, and ask whether the account's address may send. Returns a step for each."""
    steps = [await _resolve(server.host)]
    if not steps[0].good:
        return steps
    place = f"account[{account.name}].smtp"
    names = [name for stage, name in _SMTP_STEPS.items() if stage != "starttls" or server.security is Security.STARTTLS]
    if credential is None:
        names.remove("log in")
    patience = Timeouts(connect=_PATIENCE, opening=3 * _PATIENCE, command=_PATIENCE)
    opening = connect(server, hostname=hostname, credential=credential, timeouts=patience)
    try:
        connection = await open_watched(opening, server)
    except BeginsWithTlsError:
        return [*steps, await _fail("connect", _TLS_AT_ONCE, server, credential)]
    except CredentialError as error:
        return [*steps, _fail_secret(error, credential, place)]
    except ConnectError as error:
        return [*steps, *_until(names, await _fail_smtp(error, server, credential, place))]
    good = [Step(name=name, good=True) for name in names]
    return [*steps, *good, await _rehearse(connection, account, server), await _take_leave(connection)]


async def _take_leave(connection: Connection) -> Step:
    features = connection.features
    await connection.close()
    size = f"takes mails of up to {show_octets(features.size)}" if features.size else "names no limit of size"
    offers = [name for name in ("pipelining", "eightbitmime", "smtputf8") if getattr(features, name)]
    text = f"{size}, offers {', '.join(offers) or 'no extensions that we use'}"
    return Step(name="the server", good=True, text=text)


async def _fail_smtp(error: ConnectError, server: SmtpServer, credential: Credential | None, place: str) -> Step:
    name, reply = _SMTP_STEPS[error.stage], error.reply
    if not reply.code:
        return await _fail(name, str(reply.text), server, credential)
    if error.login_refused and (told := _explain(reply, place)):
        advice = told
    elif error.login_refused and server.username is not None and credential is not None:
        advice = advise_login(server.username, credential, place)
    elif error.login_refused:
        advice = f"The server wants a login: set username and a password in {place}."
    elif reply.is_permanent:
        advice = "The server refuses this machine. Ask the provider why, with this answer."
    else:
        advice = "That is for now: try again in some minutes."
    return Step(name=name, good=False, text=str(reply), advice=advice)


async def _rehearse(connection: Connection, account: Account, server: SmtpServer) -> Step:
    name = f"send as {account.address}"
    try:
        mail, recipient = await connection.rehearse(account.address)
    except StreamLost as lost:
        return Step(name=name, good=False, text=str(lost), advice="Try again in some minutes.")
    # A refusal that is temporary, or only about the recipient, is no failure.
    refused = recipient if mail.is_positive else mail
    if refused is None or refused.is_positive:
        return Step(name=name, good=True)
    if refused.code and not refused.is_permanent:
        return Step(name=name, good=True, text=f"not known yet, the server says: {refused}")
    meaning = choose_advice(refused)
    if refused is recipient and meaning in _KNOWN_ELSEWHERE:
        text = f"yes; but mail to it is refused, so replies would be lost: {refused}"
        return Step(name=name, good=True, text=text)
    return Step(name=name, good=False, text=str(refused), advice=_advise_sender(meaning, refused, account, server))


def _advise_sender(meaning: Advice, refused: Reply, account: Account, server: SmtpServer) -> str:
    place = f"account[{account.name}]"
    if meaning is Advice.NO_UTF8 or not refused.code:
        return f"Only an address of plain letters can be used at this provider: see {place}.address."
    if meaning in (Advice.AUTHENTICATION, Advice.RELAY_DENIED) and server.username is None:
        return f"The provider sends only for who logs in: set username and a password in {place}.smtp."
    login = "this machine" if server.username is None else f"the login {server.username}"
    return (
        f"The provider does not let {login} send as {account.address}: every mail would come back. Compare"
        f" {place}.address and {place}.smtp.username; both must belong together, or the provider must allow it."
    )


async def probe_pop3(account: Account, server: Pop3Server, credential: Credential) -> list[Step]:
    """Connect, start TLS, log in, count the messages, and say what will be done with them. Returns a step for each."""
    steps = [await _resolve(server.host)]
    if not steps[0].good:
        return steps
    place = f"account[{account.name}].pop3"
    names = [name for stage, name in _POP3_STEPS.items() if stage != "starttls" or server.security is Security.STARTTLS]
    try:
        session = await open_watched(open_pop3(server, credential, patience=_PATIENCE), server)
        mailbox = await _count(session, account, server)
    except BeginsWithTlsError:
        return [*steps, await _fail("connect", _TLS_AT_ONCE, server, credential)]
    except TimeoutError:
        text = f"the list did not end within {_LONGEST_LISTING:g} s"
        return [*steps, *_until(names, Step(name="list the messages", good=False, text=text))]
    except CredentialError as error:
        return [*steps, _fail_secret(error, credential, place)]
    except Pop3Error as error:
        return [*steps, *_until(names, await _fail_pop3(error, server, credential, place))]
    return [*steps, *(Step(name=name, good=True) for name in names), mailbox]


async def _count(session: Pop3Session, account: Account, server: Pop3Server) -> Step:
    try:
        async with asyncio.timeout(_LONGEST_LISTING):
            listing = await session.list_messages()
        await session.quit()
    finally:
        session.close()
    messages = listing.messages
    count = f"{len(messages)} message{'' if len(messages) == 1 else 's'}"
    size = f", {show_octets(sum(one.size for one in messages))}" if messages else ""
    ids = "" if listing.has_ids else "; the server has no unique ids"
    return Step(name="the mailbox", good=True, text=f"{count}{size}{ids}", advice=_tell_fate(account, server))


def _tell_fate(account: Account, server: Pop3Server) -> str:
    """Say what happens to the mail at the provider: the user may have no other copy of it."""
    if not account.is_collected:
        why = "excluded = true" if account.excluded else "receive = false"
        return f"Nothing is collected, and all stays at the provider ({why})."
    first = ""
    if server.first_poll is FirstPoll.NEW:
        first = ' What is there at the first poll is left alone (first_poll = "new").'
    leave = server.leave_on_server
    if leave is True:
        return f"All of it stays at the provider after it was collected (leave_on_server = true).{first}"
    if leave is False:
        return (
            "Each message is DELETED at the provider once it is collected into the inbox (leave_on_server = false)."
            f' To keep it there as well: leave_on_server = true, or for a time: "14 days".{first}'
        )
    time = f"{leave // _DAY} days" if leave % _DAY == 0 and leave > _DAY else f"{leave / 3_600_000:g} h"
    return f"Each message is deleted at the provider {time} after it was collected (leave_on_server).{first}"


async def _fail_pop3(error: Pop3Error, server: Pop3Server, credential: Credential, place: str) -> Step:
    name = _POP3_STEPS.get(error.stage, error.stage)
    if error.stage in (Pop3Stage.CONNECT, Pop3Stage.STARTTLS) or read_cause(error.text) is not None:
        return await _fail(name, error.text, server, credential)
    if error.stage is Pop3Stage.LOGIN:
        told = _explain(Reply(code=0, text=error.text), place)
        advice = told or advise_login(server.username, credential, place)
        return Step(name=name, good=False, text=error.text, advice=advice)
    return Step(name=name, good=False, text=error.text)


def _explain(reply: Reply, place: str) -> str:
    """Say what an answer to the login means, and what to do; empty where no row has words for it.

    `place`: of the server's table, such as `account[sales].smtp`.
    """
    account = shlex.quote(place.partition("[")[2].rpartition("]")[0])
    words = explain(reply, "en", account=account, stage=Stage.LOGIN)
    return "" if words is None else f"{words.what} {words.advice}"


async def _fail(name: str, fault: str, server: SmtpServer | Pop3Server, credential: Credential | None) -> Step:
    found = await diagnose(fault, server, Veil(server.username, await credential.secret() if credential else None))
    return Step(name=name, good=False, text=found.what, advice=found.advice)


def _fail_secret(error: CredentialError, credential: Credential | None, place: str) -> Step:
    if credential is not None and credential.identity.kind == TOKEN:
        return Step(
            name="get a token", good=False, text=str(error), advice=_explain(Reply(code=0, text=str(error)), place)
        )
    advice = "" if credential is None else f"Mend {credential.origin} of {place}."
    return Step(name="read the password", good=False, text=str(error), advice=advice)


async def _resolve(host: str) -> Step:
    name = "find the host"
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await resolve(host, 0)
    except TimeoutError:
        text, cause = f"{host}: its name was not resolved in time", Cause.NAME_SERVER
    except OSError as error:
        text = f"{host}: {error.strerror}"
        cause = read_cause(text) or Cause.NO_SUCH_HOST
    else:
        return Step(name=name, good=True, text=", ".join(dict.fromkeys(str(entry[4][0]) for entry in found)))
    words = explain_cause(cause, "en")
    return Step(name=name, good=False, text=text, advice=f"{words.what} {words.advice}")


def _until(names: list[str], failed: Step) -> list[Step]:
    """Return the steps that succeeded before the one that failed, and that one."""
    before = names[: names.index(failed.name)] if failed.name in names else names
    return [*(Step(name=name, good=True) for name in before), failed]


def show_octets(octets: int) -> str:
    """Return a size as people read it, such as `1.5 MiB`."""
    if octets < 1024:
        return f"{octets} octets"
    size = octets / 1024
    for unit in ("KiB", "MiB"):
        if size < 1024:
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
