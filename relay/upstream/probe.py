"""Trying an account's servers step by step, as `relay account test` tells it; nothing is sent, fetched or deleted."""

import asyncio
from dataclasses import dataclass

from relay.model.account import Pop3Server, Security, SmtpServer
from relay.model.errors import RelayError
from relay.settings.secrets import read_secret
from relay.upstream.dialing import resolve
from relay.upstream.pop3 import Pop3Error, open_pop3
from relay.upstream.smarthost import ConnectError, connect
from relay.upstream.transaction import Timeouts

_PATIENCE = 20.0
_LONGEST_LISTING = 120.0
"""Seconds for counting the messages of a mailbox."""

_SMTP_STEPS = {"connect": "connect", "ehlo": "greeting", "starttls": "STARTTLS", "auth": "log in"}
_POP3_STEPS = {"connect": "connect", "starttls": "STLS", "login": "log in", "list": "list the messages"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step, and how it went."""

    name: str
    good: bool
    text: str = ""


async def probe_smtp(server: SmtpServer, *, hostname: str) -> list[Step]:
    """Connect, encrypt and log in."""
    steps = [await _resolve(server.host)]
    if not steps[0].good:
        return steps
    password = None
    if server.username is not None:
        try:
            password = await asyncio.to_thread(read_secret, server.password)
        except RelayError as error:
            return [*steps, Step(name="read the password", good=False, text=str(error))]
    names = [name for stage, name in _SMTP_STEPS.items() if stage != "starttls" or server.security is Security.STARTTLS]
    if server.username is None:
        names.remove("log in")
    try:
        connection = await connect(
            server,
            hostname=hostname,
            password=password,
            timeouts=Timeouts(connect=_PATIENCE, opening=3 * _PATIENCE, command=_PATIENCE),
        )
    except ConnectError as error:
        return [*steps, *_until(names, _SMTP_STEPS[error.stage], str(error.reply))]
    features = connection.features
    await connection.close()
    size = f"takes up to {features.size} octets" if features.size else "names no limit of size"
    offers = [name for name in ("pipelining", "eightbitmime", "smtputf8") if getattr(features, name)]
    return [
        *steps,
        *(Step(name=name, good=True) for name in names),
        Step(name="the server", good=True, text=f"{size}, offers {', '.join(offers) or 'no extensions that we use'}"),
    ]


async def probe_pop3(server: Pop3Server) -> list[Step]:
    """Connect, encrypt, log in and count the messages."""
    steps = [await _resolve(server.host)]
    if not steps[0].good:
        return steps
    names = [name for stage, name in _POP3_STEPS.items() if stage != "starttls" or server.security is Security.STARTTLS]
    try:
        password = await asyncio.to_thread(read_secret, server.password)
    except RelayError as error:
        return [*steps, Step(name="read the password", good=False, text=str(error))]
    try:
        session = await open_pop3(server, password, patience=_PATIENCE)
        try:
            async with asyncio.timeout(_LONGEST_LISTING):
                listing, has_ids = await session.list_messages()
            await session.quit()
        finally:
            session.close()
    except TimeoutError:
        return [*steps, *_until(names, "list the messages", f"the list did not end within {_LONGEST_LISTING:g} s")]
    except Pop3Error as error:
        return [*steps, *_until(names, _POP3_STEPS.get(error.stage, error.stage), error.text)]
    size = sum(one.size for one in listing)
    what = f"{len(listing)} messages of {size} octets" + ("" if has_ids else ", and the server has no unique ids")
    return [*steps, *(Step(name=name, good=True) for name in names), Step(name="the mailbox", good=True, text=what)]


async def _resolve(host: str) -> Step:
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await resolve(host, 0)
    except TimeoutError:
        return Step(name="find the host", good=False, text=f"{host}: its name was not resolved in time")
    except OSError as error:
        return Step(name="find the host", good=False, text=f"{host}: {error.strerror}")
    return Step(name="find the host", good=True, text=", ".join(dict.fromkeys(str(entry[4][0]) for entry in found)))


def _until(names: list[str], failed: str, why: str) -> list[Step]:
    """Give the steps that went well before the one that failed, and that one."""
    before = names[: names.index(failed)] if failed in names else names
    return [*(Step(name=name, good=True) for name in before), Step(name=failed, good=False, text=why)]
