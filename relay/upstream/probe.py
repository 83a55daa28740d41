"""Tries an account's servers step by step for `relay account test`; nothing is sent, fetched or deleted."""

import asyncio
import re
import shlex
from collections.abc import Sequence

from relay.model.account import Account, FirstPoll, Pop3Server, Server, SmtpServer
from relay.model.credential import TOKEN, Credential
from relay.model.errors import CredentialError
from relay.model.reply import Reply
from relay.presets.preset import preset_of
from relay.rules.answers.connection_rows import read_cause
from relay.rules.answers.login_way import find_way, suit
from relay.rules.answers.reading import choose_advice, explain, find_row
from relay.rules.answers.row import About, Advice, Stage
from relay.upstream.course import READING, Course, Step, Tell, tell_nobody
from relay.upstream.diagnosis import SILENCE, BeginsWithTlsError, advise_login, diagnose, open_watched
from relay.upstream.pop3 import Pop3Error, Pop3Session, Pop3Stage, open_pop3
from relay.upstream.reaching import PATIENCE, find_host
from relay.upstream.secrecy import Veil
from relay.upstream.smarthost import ConnectError, Connection, connect
from relay.upstream.stream import StreamLost
from relay.upstream.transaction import Features, Timeouts

_ORDINARY = 10 << 20
"""Octets of a mail with a usual attachment: a server that takes less is in the way."""
_MOST_LOGINS = 20
_LONGEST_LISTING = 120.0
"""Seconds for counting the messages of a mailbox."""

_SMTP_STEPS = {"connect": "connect", "ehlo": "greeting", "starttls": "STARTTLS", "auth": "log in"}
_POP3_STEPS = {"connect": "connect", "starttls": "STLS", "login": "log in", "list": "list the messages"}
_TLS_AT_ONCE = "it begins with TLS"
_DAY = 24 * 60 * 60 * 1000
_NO_IDS = (
    'Ask the provider for UIDL, or set leave_on_server = false in {place} (with first_poll = "all"): then each message'
    " is DELETED at the provider once it is collected into the inbox."
)
_AGAIN = "Try again in some minutes. If it stays so, ask the provider, with this answer."
_HELO = re.compile(r"\b(?:helo|ehlo)\b|\bhost ?name\b", re.IGNORECASE)
"""What a server says behind EHLO that does not like the name by which it is greeted."""
_HELO_REFUSED = re.compile(r"\b(?:helo|ehlo) (?:command|name|host\w*)", re.IGNORECASE)
"""The same as late as at RCPT, as Postfix says it: there, more is told of names."""
_NAME_REFUSED = (
    "The server does not take the name by which this machine greets it. Set hostname of [server] to a full name of this"
    " machine's that is in DNS."
)
_KNOWN_ELSEWHERE = (Advice.UNKNOWN_ADDRESS, Advice.MAILBOX_FULL, Advice.MAILBOX_CLOSED)
"""Refusals of the account's own address as a recipient that do not matter for it as a sender."""


async def probe_smtp(
    account: Account,
    server: SmtpServer,
    credential: Credential | None,
    *,
    hostname: str,
    largest: int = 0,
    silence: float = SILENCE,
    tell: Tell = tell_nobody,
) -> list[Step]:
    """Connect, start TLS, log in, and ask whether the account's address may send. Returns a step for each.

    `largest`: octets of the largest mail that is taken for it. `silence`: see `open_watched`. `tell` gets each step as
    it ends.
    """
    course = Course(tell, _SMTP_STEPS)
    if not await find_host(course, server):
        return course.steps
    patience = Timeouts(connect=PATIENCE, opening=3 * PATIENCE, command=PATIENCE)
    opening = connect(server, hostname=hostname, credential=credential, timeouts=patience, passed=course.witness)
    try:
        connection = await open_watched(opening, server, silence=silence)
    except BeginsWithTlsError:
        return await _fail(course, "connect", _TLS_AT_ONCE, account, server, credential)
    except CredentialError as error:
        return _fail_secret(course, error, credential, account, server)
    except ConnectError as error:
        return await _fail_smtp(course, error, account, server, credential)
    await _rehearse(course, connection, account, server)
    features, logins = connection.features, connection.logins
    await connection.close()
    return _tell_features(course, features, logins, largest)


def _tell_features(course: Course, features: Features, logins: Sequence[str], largest: int) -> list[Step]:
    size = f"takes mails of up to {show_octets(features.size)}" if features.size else "names no limit of size"
    offers = [name for name in ("pipelining", "eightbitmime", "smtputf8", "dsn") if getattr(features, name)]
    known = f"; logins: {', '.join(one.upper() for one in logins)}" if logins else ""
    text = f"{size}, offers {', '.join(offers) or 'no extensions that we use'}{known}"
    small = 0 < (features.size or 0) < min(largest, _ORDINARY)
    advice = (
        f"Larger mails come back to who sent them, though up to {show_octets(largest)} are taken for it here"
        " (max_message_size of [[listener]]). Ask the provider for more, or take another account for them."
    )
    return course.end("the server", text=text, advice=advice if small else "", warns=small)


async def _fail_smtp(
    course: Course, error: ConnectError, account: Account, server: SmtpServer, credential: Credential | None
) -> list[Step]:
    name, reply, place = _SMTP_STEPS[error.stage], error.reply, _place(account, server)
    if not reply.code:
        return await _fail(course, name, str(reply.text), account, server, credential)
    if error.login_refused and (told := _explain(reply, account)):
        advice = told
    elif error.login_refused and server.username is not None and credential is not None:
        advice = advise_login(server.username, credential, place) + _hint(account, server)
    elif error.login_refused:
        advice = f"The server wants a login: set username and a password in {place}."
    elif reply.is_permanent and error.stage == "ehlo" and _HELO.search(reply.text):
        advice = _NAME_REFUSED
    elif reply.is_permanent:
        advice = "The server refuses this machine. Ask the provider why, with this answer."
    else:
        advice = "That is for now: try again in some minutes."
    return course.end(name, good=False, text=str(reply), advice=advice, login_refused=error.login_refused)


def _hint(account: Account, server: Server) -> str:
    """Say which password the provider means, and what is to be switched on there; empty where that is not known."""
    preset = preset_of(account, server)
    if preset is None:
        return ""
    first = "" if preset.switch_on is None else f" To be switched on first: {preset.switch_on.en.rstrip('.')}."
    return f" {preset.title} means {preset.password.en.rstrip('.')}.{first}"


async def _rehearse(course: Course, connection: Connection, account: Account, server: SmtpServer) -> list[Step]:
    """Ask for the account's address alone: whatever stands in From, every mail leaves with it as envelope sender."""
    name = f"send as {account.address}"
    try:
        mail, recipient = await connection.rehearse(account.address)
    except StreamLost as lost:
        return course.end(name, good=False, text=str(lost), advice="Try again in some minutes.")
    # A refusal that is temporary, or only about the recipient, is no failure.
    refused = recipient if mail.is_positive else mail
    if refused is None or refused.is_positive:
        return course.end(name)
    if refused.code and not refused.is_permanent:
        advice = "That is for now: try again in some minutes. If it stays so, ask the provider, with this answer."
        return course.end(name, text=f"not known yet, the server says: {refused}", advice=advice, warns=True)
    meaning = choose_advice(refused)
    if refused is recipient and meaning in _KNOWN_ELSEWHERE:
        return course.end(name, text=f"yes; but mail to it is refused, so replies would be lost: {refused}")
    asked = f"MAIL FROM was answered by {refused}" if refused is mail else f"RCPT TO was answered by {refused}"
    text = asked if refused.code else str(refused)
    return course.end(name, good=False, text=text, advice=_advise_sender(meaning, refused, account, server))


def _advise_sender(meaning: Advice, refused: Reply, account: Account, server: SmtpServer) -> str:
    place = f"account[{account.name}]"
    if meaning is Advice.NO_UTF8 or not refused.code:
        return f"Only an address of plain letters can be used at this provider: see {place}.address."
    if meaning in (Advice.AUTHENTICATION, Advice.RELAY_DENIED) and server.username is None:
        return f"The provider sends only for who logs in: set username and a password in {place}.smtp."
    if _HELO_REFUSED.search(refused.text):
        return _NAME_REFUSED
    row, told = find_row(refused, Stage.SEND), _explain(refused, account, Stage.SEND)
    if told and row.about is not About.SENDER:
        return told
    login = "this machine" if server.username is None else f"the login {server.username}"
    compare = (
        f"Compare {place}.address and {place}.smtp.username; both must belong together, or the provider must allow it."
    )
    return f"The provider does not let {login} send as {account.address}: every mail would come back. {told or compare}"


async def probe_pop3(
    account: Account,
    server: Pop3Server,
    credential: Credential,
    *,
    silence: float = SILENCE,
    tell: Tell = tell_nobody,
) -> list[Step]:
    """Connect, start TLS, log in, count the messages, and say what will be done with them. Returns a step for each."""
    course = Course(tell, _POP3_STEPS)
    if not await find_host(course, server):
        return course.steps
    opening = open_pop3(server, credential, patience=PATIENCE, passed=course.witness)
    try:
        session = await open_watched(opening, server, silence=silence)
        return await _count(course, session, account, server)
    except BeginsWithTlsError:
        return await _fail(course, "connect", _TLS_AT_ONCE, account, server, credential)
    except TimeoutError:
        text = f"the list did not end within {_LONGEST_LISTING:g} s"
        return course.end("list the messages", good=False, text=text, advice=_AGAIN)
    except CredentialError as error:
        return _fail_secret(course, error, credential, account, server)
    except Pop3Error as error:
        return await _fail_pop3(course, error, account, server, credential)


async def _count(course: Course, session: Pop3Session, account: Account, server: Pop3Server) -> list[Step]:
    try:
        async with asyncio.timeout(_LONGEST_LISTING):
            listing = await session.list_messages()
        course.end("list the messages", text=_tell_logins(session.capabilities))
        await session.quit()
    finally:
        session.close()
    messages = listing.messages
    count = f"{len(messages)} message{'' if len(messages) == 1 else 's'}"
    size = f", {show_octets(sum(one.size for one in messages))}" if messages else ""
    ids = "" if listing.has_ids else "; the server has no unique ids"
    if not listing.has_ids and server.needs_ids and account.is_collected:
        text = f"{count}{size}{ids} (UIDL): nothing would be collected, since no mail can be left on it"
        return course.end("the mailbox", good=False, text=text, advice=_NO_IDS.format(place=_place(account, server)))
    return course.end("the mailbox", text=f"{count}{size}{ids}", advice=_tell_fate(account, server))


def _tell_logins(capabilities: frozenset[str]) -> str:
    known = sorted(one.removeprefix("SASL ") for one in capabilities if one.startswith("SASL "))
    return f"logins: {', '.join(known[:_MOST_LOGINS])}" if known else ""


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


async def _fail_pop3(
    course: Course, error: Pop3Error, account: Account, server: Pop3Server, credential: Credential
) -> list[Step]:
    name, place = _POP3_STEPS.get(error.stage, error.stage), _place(account, server)
    at_login = error.stage is Pop3Stage.LOGIN
    told = _explain(Reply(code=0, text=error.text), account, Stage.LOGIN if at_login else Stage.COLLECT)
    if not told and (error.stage in (Pop3Stage.CONNECT, Pop3Stage.STARTTLS) or read_cause(error.text) is not None):
        return await _fail(course, name, error.text, account, server, credential)
    refused = advise_login(server.username, credential, place) + _hint(account, server)
    advice = told or (refused if at_login else _AGAIN)
    return course.end(name, good=False, text=error.text, advice=advice, login_refused=at_login)


def _place(account: Account, server: Server) -> str:
    return f"account[{account.name}].{'smtp' if isinstance(server, SmtpServer) else 'pop3'}"


def _explain(reply: Reply, account: Account, stage: Stage = Stage.LOGIN) -> str:
    """Say what an answer means, and what to do; empty where no row has words for it."""
    quoted = shlex.quote(account.name)
    words = suit(explain(reply, "en", account=quoted, stage=stage), find_way(account.oauth), "en", account=quoted)
    return "" if words is None else str(words)


async def _fail(
    course: Course,
    name: str,
    fault: str,
    account: Account,
    server: SmtpServer | Pop3Server,
    credential: Credential | None,
) -> list[Step]:
    found = await diagnose(fault, server, Veil(server.username, await credential.secret() if credential else None))
    found = found.of(shlex.quote(account.name))
    return course.end(name, good=False, text=found.what, advice=found.advice)


def _fail_secret(
    course: Course, error: CredentialError, credential: Credential | None, account: Account, server: Server
) -> list[Step]:
    place = _place(account, server)
    if credential is not None and credential.identity.kind == TOKEN:
        advice = _explain(Reply(code=0, text=str(error)), account) or f"Mend {credential.origin} of {place}."
        return course.end("get a token", good=False, text=str(error), advice=advice, login_refused=error.permanent)
    mend = "" if credential is None else f"Mend {credential.origin} of {place}."
    advice = _explain(Reply(code=0, text=str(error)), account) or mend
    return course.end(READING, good=False, text=str(error), advice=advice, login_refused=error.permanent)


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
