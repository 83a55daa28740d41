"""A POP3 session (RFC 1939, 2449 CAPA, 2595 STLS, 5034 AUTH): log in, list, retrieve, delete, and quit.

Guarantee: a password is sent unencrypted only if the account's `security` is `none`. Messages are deleted only once
`quit` returned.
"""

import asyncio
import contextlib
import hashlib
import re
import ssl
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from enum import StrEnum

from relay.model.account import MailboxServer, Security
from relay.model.credential import Credential
from relay.model.errors import SourceError
from relay.model.maildrop import FolderListing, Listed, MessageKey, Retrieved
from relay.upstream.dialing import describe_fault, tls_context
from relay.upstream.pop3_login import log_in
from relay.upstream.pop3_stream import Pop3Stream
from relay.upstream.secrecy import Veil
from relay.upstream.stream import StreamLost
from relay.upstream.witness import Witness, ignore, only

PATIENCE = 60.0
"""Seconds without progress after which the connection is given up."""
WINDOW = 64
"""Commands that may wait for their answer, where the server offers PIPELINING; more follow when half are answered."""
_AHEAD = 1 << 20
"""Octets that may be asked for ahead."""
MOST_MESSAGES = 200_000
"""Messages of a mailbox that are worked on at a time: those that the server lists last, which are the newest."""
_MOST_LINES = 10 * MOST_MESSAGES
"""Of a listing; what lists more has no end."""
_MOST_CAPABILITIES = 200
"""Lines of an answer to CAPA."""
_LONGEST_ID = 255
"""Octets of a unique id as it is; RFC 1939 allows 70."""
_FOR_NOW = re.compile(r"(?i)\[(IN-USE|SYS/TEMP|LOGIN-DELAY)")
"""How a refusal begins that is none of the login itself (RFC 2449 section 8, RFC 3206)."""
_NUMBER = re.compile(rb"[0-9]{1,18}")


class Pop3Stage(StrEnum):
    """Where in a session something went wrong."""

    CONNECT = "connect"
    STARTTLS = "starttls"
    LOGIN = "login"
    LIST = "list"
    RETRIEVE = "retrieve"
    DELETE = "delete"
    QUIT = "quit"


class Pop3Error(SourceError):
    """A POP3 session that can't go on, with the stage at which that happened."""

    def __init__(self, stage: Pop3Stage, text: str) -> None:
        super().__init__(f"{stage}: {text}")
        self.stage = stage
        self.text = text


class Pop3Session:
    """One session, logged in."""

    def __init__(self, stream: Pop3Stream, capabilities: frozenset[str]) -> None:
        self._stream = stream
        self.capabilities = capabilities
        self.window = WINDOW if "PIPELINING" in capabilities else 1

    async def list_messages(self) -> FolderListing:
        """List the messages with their sizes and unique ids. Raises Pop3Error."""
        with _stage(Pop3Stage.LIST):
            sizes, passed_over = await self._listing("LIST")
            assert sizes is not None
            ids, _ = await self._listing("UIDL")
        # A mailbox may list a great many: other connections go on while they are sorted.
        messages = await asyncio.to_thread(self._join, sizes, ids, whole=not passed_over)
        return FolderListing(messages=messages, has_ids=ids is not None, passed_over=passed_over)

    def _join(self, sizes: Mapping[int, bytes], ids: Mapping[int, bytes] | None, *, whole: bool) -> list[Listed]:
        """Join sizes and ids. RFC 1939 lets two equal messages have the same id: the second one becomes `id 2`."""
        listed = []
        counts: Counter[str] = Counter()
        for n, size in sizes.items():
            if not _NUMBER.fullmatch(size):
                raise Pop3Error(Pop3Stage.LIST, "a size that is no number")
            uid = ""
            if ids is not None:
                if n not in ids:
                    if not whole:
                        continue
                    raise Pop3Error(Pop3Stage.LIST, f"message {n} has no unique id")
                uid = self._uid_of(ids[n])
                counts[uid] += 1
                if counts[uid] > 1:
                    uid = f"{uid} {counts[uid]}"
            listed.append(Listed(n=n, key=MessageKey(uid), size=int(size)))
        return listed

    async def _listing(self, command: str) -> tuple[dict[int, bytes] | None, int]:
        """Return the last lines of a listing by number, and how many came before; None if UIDL is refused."""
        self._stream.write(f"{command}\r\n".encode())
        good, text = await self._stream.read_status()
        if not good:
            if command == "UIDL":
                return None, 0
            raise Pop3Error(Pop3Stage.LIST, text)
        last: deque[tuple[int, bytes]] = deque(maxlen=MOST_MESSAGES)
        count = 0
        async for line in self._stream.read_lines(_MOST_LINES):
            number, _, rest = line.strip().partition(b" ")
            value = rest.partition(b" ")[0]
            if not value or len(number) > 9 or not _NUMBER.fullmatch(number):
                raise StreamLost("a listing that makes no sense")
            last.append((int(number), value if len(value) <= _LONGEST_ID else _digest(value)))
            count += 1
        found = dict(last)
        if len(found) < len(last):
            raise StreamLost("a listing that makes no sense")
        return found, count - len(last)

    def _uid_of(self, unique_id: bytes) -> str:
        """Return a unique id as text; one that the database could not keep as it is becomes its hash."""
        shown = self._stream.veil.cover_id(unique_id)
        return (_digest(shown) if b"\0" in shown else shown).decode("latin-1")

    async def retrieve(
        self, messages: Sequence[Listed], go_on: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[Retrieved]:
        """Retrieve messages in this order; each body must be read to its end before the next one. Raises Pop3Error.

        If the server offers PIPELINING, small messages are asked for ahead. As soon as `go_on` returns false, no
        further message is asked for.
        """
        asked, ahead = 0, 0
        for done, message in enumerate(messages):
            with _stage(Pop3Stage.RETRIEVE):
                first, until = asked, self._until(asked, done, len(messages))
                while asked < until and (asked == done or ahead < _AHEAD) and go_on():
                    ahead += messages[asked].size
                    asked += 1
                self._ask("RETR", messages[first:asked])
                if asked == done:
                    return
                refusal = await self._stream.read_refusal()
            yield Retrieved(message, self._body() if refusal is None else None, refusal or "")
            ahead -= message.size

    def _until(self, asked: int, done: int, count: int) -> int:
        """Return up to where commands may be given now: no further until half of the window is answered."""
        return asked if 2 * (asked - done) > self.window else min(count, done + self.window)

    def _ask(self, verb: str, messages: Sequence[Listed]) -> None:
        if messages:
            self._stream.write("".join(f"{verb} {one.n}\r\n" for one in messages).encode())

    async def _body(self) -> AsyncIterator[bytes]:
        with _stage(Pop3Stage.RETRIEVE):
            async for piece in self._stream.read_data():
                yield piece

    async def delete(self, messages: Sequence[Listed]) -> list[Listed]:
        """Mark messages as deleted, and return those that the server marked. Raises Pop3Error."""
        marked = []
        with _stage(Pop3Stage.DELETE):
            asked = 0
            for done, one in enumerate(messages):
                first, asked = asked, self._until(asked, done, len(messages))
                self._ask("DELE", messages[first:asked])
                if await self._stream.read_refusal() is None:
                    marked.append(one)
        return marked

    async def quit(self) -> None:
        """End the session: only now the server deletes. Raises Pop3Error unless it answers +OK."""
        try:
            await _succeed(self._stream, Pop3Stage.QUIT, b"QUIT\r\n")
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection: what was marked stays on the server."""
        self._stream.close()

    def abort(self) -> None:
        """Cut the connection at once: whoever waits for it gets a Pop3Error."""
        self._stream.abort()


@contextlib.contextmanager
def _stage(stage: Pop3Stage) -> Iterator[None]:
    """Turn a lost connection into an error that names the stage."""
    try:
        yield
    except StreamLost as error:
        raise Pop3Error(stage, str(error)) from None


def _digest(unique_id: bytes) -> bytes:
    """Return a short key for an id that is too long; it stays the same from poll to poll."""
    return b"long-" + hashlib.sha256(unique_id).hexdigest().encode()


async def open_pop3(
    server: MailboxServer, credential: Credential, *, patience: float = PATIENCE, passed: Witness = ignore
) -> Pop3Session:
    """Connect, encrypt and log in. Raises Pop3Error; CredentialError without a secret, or without another one."""
    secret = await credential.secret()
    try:
        return await _open(server, credential, secret, patience, passed)
    except Pop3Error as error:
        refused = error.stage is Pop3Stage.LOGIN and not _FOR_NOW.match(error.text)
        other = await credential.secret_after(secret) if refused else None
        if other is None:
            raise
    return await _open(server, credential, other, patience, only(Pop3Stage.LOGIN, passed))


async def _open(
    server: MailboxServer, credential: Credential, secret: str, patience: float, passed: Witness
) -> Pop3Session:
    secured, veil = server.security is not Security.NONE, Veil(server.username, secret)
    try:
        context = await asyncio.to_thread(tls_context, server.ca_file, verify=server.verify) if secured else None
        at_once = context if server.security is Security.TLS else None
        stream = await Pop3Stream.open(server.host, server.port, context=at_once, seconds=patience, veil=veil)
    except (OSError, TimeoutError) as error:
        raise Pop3Error(Pop3Stage.CONNECT, describe_fault(error, server.host)[1]) from None
    try:
        greeting = await _succeed(stream, Pop3Stage.CONNECT)
        capabilities = await _capabilities(stream, Pop3Stage.CONNECT)
        passed(Pop3Stage.CONNECT, greeting, stream.transport)
        if server.security is Security.STARTTLS:
            assert context is not None
            await _encrypt(stream, server, context, capabilities)
            capabilities = await _capabilities(stream, Pop3Stage.STARTTLS)
            passed(Pop3Stage.STARTTLS, "", stream.transport)
        await _log_in(stream, server, credential, secret, capabilities)
        passed(Pop3Stage.LOGIN, "", stream.transport)
        # Some servers tell more after the login (RFC 2449 section 5).
        return Pop3Session(stream, await _capabilities(stream, Pop3Stage.LOGIN) or frozenset(capabilities))
    except BaseException:
        stream.abort()
        raise


async def _succeed(stream: Pop3Stream, stage: Pop3Stage, command: bytes = b"") -> str:
    """Give a command, if there is one; returns what the server says. Raises Pop3Error unless it is answered by +OK."""
    with _stage(stage):
        if command:
            stream.write(command)
        good, text = await stream.read_status()
    if not good:
        raise Pop3Error(stage, text)
    return text


async def _capabilities(stream: Pop3Stream, stage: Pop3Stage) -> frozenset[str]:
    """Ask for the capabilities, in capitals; a server without CAPA has none."""
    with _stage(stage):
        stream.write(b"CAPA\r\n")
        good, _ = await stream.read_status()
        found: set[str] = set()
        if good:
            async for line in stream.read_lines(_MOST_CAPABILITIES):
                words = [] if stream.veil.hides(line) else line.decode("latin-1").upper().split()
                found.update(words[:1])
                if words[:1] == ["SASL"]:
                    found.update(f"SASL {word}" for word in words[1:])
    return frozenset(found)


async def _encrypt(
    stream: Pop3Stream, server: MailboxServer, context: ssl.SSLContext, capabilities: frozenset[str]
) -> None:
    if capabilities and "STLS" not in capabilities:
        raise Pop3Error(Pop3Stage.STARTTLS, "the server offers no STLS")
    await _succeed(stream, Pop3Stage.STARTTLS, b"STLS\r\n")
    with _stage(Pop3Stage.STARTTLS):
        try:
            await stream.start_tls(context, server.host)
        except (OSError, TimeoutError) as error:
            raise Pop3Error(Pop3Stage.STARTTLS, describe_fault(error, server.host)[1]) from None


async def _log_in(
    stream: Pop3Stream, server: MailboxServer, credential: Credential, secret: str, capabilities: frozenset[str]
) -> None:
    with _stage(Pop3Stage.LOGIN):
        good, text = await log_in(stream, server, credential.mechanisms, secret, capabilities)
    if not good:
        raise Pop3Error(Pop3Stage.LOGIN, text or "the server refuses the login")
