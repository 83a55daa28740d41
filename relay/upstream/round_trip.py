"""The round trip of the account doctor: one mail to itself, fetched back, and deleted; no other message is touched.

A login that works says nothing of what happens to a mail: some providers refuse a sender only behind the mail, write
another one into it, or have no way to the mailbox.
"""

import asyncio
import datetime as dt
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from relay.model.account import Account, Pop3Server, SmtpServer
from relay.model.credential import Credential
from relay.model.errors import CredentialError
from relay.model.maildrop import Listed
from relay.model.reply import Reply
from relay.presets.preset import preset_of
from relay.rules.answers.reading import explain
from relay.rules.answers.row import Stage
from relay.rules.replies import read_text
from relay.rules.trial_mail import compose_test, is_test, tell_changes
from relay.settings.quantities import parse_duration
from relay.upstream.course import Course, Step, Tell
from relay.upstream.pop3 import Pop3Error, Pop3Session, open_pop3
from relay.upstream.reaching import PATIENCE
from relay.upstream.secrecy import Veil
from relay.upstream.smarthost import ConnectError, connect
from relay.upstream.transaction import MailTransaction, OutgoingMail, Timeouts

WAITS: Final = (20.0, 100.0)
"""Seconds before each look into the mailbox. Each is a login, which some providers allow only from time to time."""
_USUAL: Final = 300_000
"""Milliseconds. Who is asked less often than so may take a login that comes sooner for a wrong one, as WEB.DE does."""
_NEWEST: Final = 20
"""Messages that are looked at, the last ones of the list."""
_LARGEST: Final = 100_000
"""Octets: the test is smaller, whatever header fields it got on its way."""

Sleep: TypeAlias = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """By which servers the mail goes and comes."""

    account: Account
    smtp: SmtpServer
    sends: Credential | None
    pop3: Pop3Server
    collects: Credential
    hostname: str


async def go_round(way: Way, token: str, *, tell: Tell, sleep: Sleep = asyncio.sleep) -> list[Step]:
    """Send a mail to the account's own address and fetch it back. Returns a step for each; raises nothing of servers.

    `token`: that nobody else has. What is fetched is deleted, and nothing else.
    """
    course = Course(tell, {})
    address, at = way.account.address.wire, dt.datetime.now(dt.UTC)
    header, body = compose_test(token, address=address, hostname=way.hostname, at=at)
    if not await _send(course, way, header, body):
        return course.steps
    if (rest := _rest(way)) > _USUAL:
        minutes = f"{rest / 60_000:g} min"
        text = f"not looked: by POP3 the mailbox is to be asked every {minutes} at most, and it was asked just now"
        advice = (
            f"Where the service runs, look in {minutes} whether {token} came into the inbox of"
            f" {way.account.owner}; else look for it on the provider's web page, and delete it there."
        )
        return course.end("fetch it back", text=text, advice=advice, warns=True)
    for n, seconds in enumerate(WAITS, 1):
        await sleep(seconds)
        try:
            came = await _fetch(way, token)
        except (Pop3Error, CredentialError) as error:
            advice = "The test is still there or on its way; other mail is not touched. Try again in some minutes."
            return course.end("fetch it back", good=False, text=str(error), advice=advice)
        if came is not None:
            course.end("fetch it back", text=f"it came at look {n}, and was deleted again")
            return await _compare(course, way, (header, body), came)
    text = f"it has not come within {sum(WAITS):g} s"
    advice = (
        f"Look for {token} in the spam folder on the provider's web page. If the service runs, it may have collected"
        f" it: look into the inbox of {way.account.owner}. Else mail to {way.account.address} goes to another mailbox."
    )
    return course.end("fetch it back", good=False, text=text, advice=advice)


def _rest(way: Way) -> int:
    """Return how many milliseconds must pass between two logins: what the provider wants, or the account is set to."""
    preset = preset_of(way.account, way.pop3)
    endpoint = None if preset is None else preset.servers.get("pop3")
    wanted = None if endpoint is None else endpoint.settings.get("interval")
    return max(way.pop3.interval, 0 if wanted is None else parse_duration(wanted))


async def _send(course: Course, way: Way, header: bytes, body: bytes) -> bool:
    name = f"send a mail to {way.account.address}"

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    address = way.account.address.wire
    mail = OutgoingMail(
        reverse_path=address,
        recipients=(address,),
        header=header,
        body=pieces,
        size=len(header) + len(b"\r\n") + len(body),
        smtputf8=not address.isascii(),
    )
    patience = Timeouts(connect=PATIENCE, opening=3 * PATIENCE, command=PATIENCE, data=PATIENCE)
    try:
        connection = await connect(way.smtp, hostname=way.hostname, credential=way.sends, timeouts=patience)
    except (ConnectError, CredentialError) as error:
        course.end(name, good=False, text=str(error), advice="Try again in some minutes.")
        return False
    result = await connection.send(mail)
    await connection.close()
    refused = _refusal(result)
    if refused is None:
        course.end(name, text=str(result.final))
        return True
    words = explain(refused, "en", account=shlex.quote(way.account.name), stage=Stage.SEND)
    advice = "" if words is None else str(words)
    again = "Ask the provider, with this answer." if refused.is_permanent else "Try again in some minutes."
    course.end(name, good=False, text=str(refused), advice=advice or again)
    return False


def _refusal(result: MailTransaction) -> Reply | None:
    """Return the answer that kept the mail from going; None where it went."""
    if result.final is not None and result.final.is_positive:
        return None
    answers = (result.final, result.data, *result.recipients, result.mail)
    given = [one for one in answers if one is not None and not one.is_positive]
    return given[0] if given else Reply(code=0, enhanced="4.4.2", text=result.error or "the connection was lost")


async def _fetch(way: Way, token: str) -> bytes | None:
    """Look for the mail among the newest messages; delete it if it is there. Raises Pop3Error, CredentialError."""
    session = await open_pop3(way.pop3, way.collects, patience=PATIENCE)
    try:
        messages = (await session.list_messages()).messages[-_NEWEST:]
        found, came = await _find(session, [one for one in reversed(messages) if one.size <= _LARGEST], token)
        if found is not None:
            await session.delete([found])
        await session.quit()
    finally:
        session.close()
    return came


async def _find(session: Pop3Session, messages: Sequence[Listed], token: str) -> tuple[Listed | None, bytes | None]:
    for one in messages:
        async for retrieved in session.retrieve([one]):
            pieces = bytearray()
            if retrieved.body is not None:
                async for piece in retrieved.body:
                    if len(pieces) <= _LARGEST:
                        pieces += piece
            if is_test(token, bytes(pieces)):
                return one, bytes(pieces)
    return None, None


async def _compare(course: Course, way: Way, sent: tuple[bytes, bytes], came: bytes) -> list[Step]:
    changes = tell_changes(sent, came)
    if not changes:
        return course.end("what came back", text="as it was sent")
    veil = Veil(way.pop3.username, await way.collects.secret())
    said = veil.cover([one.encode("utf-8", "surrogateescape") for one in changes])
    advice = (
        "Everybody gets the mails of this account so. If that is not meant, look at the provider's settings for the"
        " sender, and for footers that it adds."
    )
    return course.end("what came back", text=read_text(b" ".join(said)), advice=advice, warns=True)
