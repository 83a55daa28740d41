"""Writes collected mail into Maildirs in batches: all files written, then synced, then linked, the folders synced.

Everything that touches a file, or remembers what stands in an inbox, happens in one thread that belongs to the poll,
one thing after the other: a batch that is written while the next message comes, or a poll that is cancelled in the
middle, is in nobody's way.
"""

import asyncio
import contextlib
import errno
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from relay.model.arrival import Place
from relay.model.errors import StorageError
from relay.model.maildrop import Listed, MessageKey
from relay.rules.distribution import Distribution, Share
from relay.rules.message_splitter import MessageSplitter
from relay.rules.summary import Summary
from relay.settings import Settings
from relay.storage.maildir import Maildir, MailFile
from relay.storage.quarantine import QUARANTINE

_PASSING = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""Troubles of the whole disk or process: the poll ends, and the mail waits on the server."""

_HEADER_LIMIT: Final = 262_144
T = TypeVar("T")


class Copy(NamedTuple):
    """Where one user's copy of a message stands."""

    share: Share
    place: Place
    file: str
    reason: str
    """Why it is in the quarantine; empty if it is not."""
    repeated: bool
    """Whether it stood there before."""


class Arriving:
    """A message on its way into the inboxes, with the pieces that were not written yet."""

    plan: Distribution
    """Who gets it; set once its header is there, as is `summary`."""
    summary: Summary
    copies: tuple[Copy, ...] = ()
    """In the order of the shares, once it is published."""
    fault: str = ""
    """Why it does not stand in all of its inboxes: it is to be fetched again."""

    def __init__(self, listed: Listed) -> None:
        self.listed = listed
        self._splitter = MessageSplitter(header_limit=_HEADER_LIMIT)
        self._digest = None if listed.key.uid else hashlib.sha256()
        self._pieces: list[bytes] = []
        self.octets = self.total = 0
        """Of the pieces that were not written yet, and of all."""

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        self.total += len(piece)
        self.octets += len(piece)
        self._pieces.append(piece)
        if self._digest is not None:
            self._digest.update(piece)
        if self._splitter.header is None and not self._splitter.too_large:
            self._splitter.feed(piece)

    def take(self) -> list[bytes]:
        """Return the pieces that were not written yet, once."""
        pieces, self._pieces, self.octets = self._pieces, [], 0
        return pieces

    def read_header(self) -> bytes:
        """Return the header as far as it has come; empty if it is too long."""
        if self._splitter.header is None and not self._splitter.too_large:
            self._splitter.close()
        return self._splitter.header or b""

    @property
    def key(self) -> MessageKey:
        """Its key, once it has come as a whole; without a unique id, the hash of its bytes stands there."""
        if self._digest is None:
            return self.listed.key
        return self.listed.key._replace(uid=f"sha256-{self._digest.hexdigest()}")


@dataclass(kw_only=True, slots=True)
class _Opened:
    """One user's copy of a message while it is written."""

    share: Share
    maildir: Maildir
    file: MailFile
    reason: str = ""
    """Why it goes into the quarantine; empty if it does not."""


class MaildirWriter:
    """Writes what one poll collects. Every method raises StorageError if the disk fails."""

    def __init__(self, account: str, settings: Settings) -> None:
        self._account = account
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"inboxes of {account}")
        # Of the thread alone:
        self._names: dict[Path, set[str]] = {}
        self._open: dict[str, Maildir] = {}
        self._stack = ExitStack()
        self._large: list[_Opened] = []

    async def write(self, batch: Sequence[Arriving]) -> None:
        """Write small messages; when this returns, they stand in their inboxes, durably."""
        await self._run(lambda: self._write(batch))

    async def begin(self, arriving: Arriving) -> None:
        """Begin with a large message, which is written in pieces; one at a time."""
        await self._run(lambda: self._begin(arriving))

    async def add(self, arriving: Arriving) -> None:
        """Write the next pieces of the large message."""
        await self._run(lambda: _add(self._large, arriving))

    async def finish(self, arriving: Arriving) -> None:
        """End the large message; when this returns, it stands in its inboxes, durably."""
        await self._run(lambda: self._finish(arriving))

    async def close(self) -> None:
        """Wait for what runs, and remove what was not published."""
        ended = self._thread.submit(self._close_all)
        self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(ended))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # In the thread

    def _write(self, batch: Sequence[Arriving]) -> None:
        """Write all bytes first, then sync each file, then link them, then sync each folder.

        The first sync takes most of the others' bytes along: several times as fast as one file after the other.
        """
        try:
            several = []
            for arriving in batch:
                files = self._files_for(arriving)
                several.append((arriving, files))
                _add(files, arriving)
            self._publish(several)
        finally:
            self._close_all()

    def _begin(self, arriving: Arriving) -> None:
        self._large = self._files_for(arriving)
        _add(self._large, arriving)

    def _finish(self, arriving: Arriving) -> None:
        try:
            _add(self._large, arriving)
            self._publish([(arriving, self._large)])
        finally:
            self._close_all()

    def _publish(self, several: Sequence[tuple[Arriving, list[_Opened]]]) -> None:
        """Make messages visible, unless they are already, and durable in any case.

        Others may write into an inbox: what they spoil there costs only the messages that go into it.
        """
        for _, files in several:
            for one in files:
                one.file.sync()
        for arriving, files in several:
            try:
                arriving.copies = tuple(self._publish_copy(arriving, one) for one in files)
            except StorageError as error:
                _raise_passing(error)
                arriving.fault = str(error)
        faults: dict[Maildir, str] = {}
        for maildir in {one.maildir for _, files in several for one in files}:
            try:
                maildir.sync()
            except StorageError as error:
                _raise_passing(error)
                faults[maildir] = str(error)
        for arriving, files in several:
            arriving.fault = arriving.fault or next((faults[one.maildir] for one in files if one.maildir in faults), "")

    def _publish_copy(self, arriving: Arriving, one: _Opened) -> Copy:
        name, present = make_name(self._account, arriving.key, one.share.user), self._names[one.maildir.path]
        repeated = name in present
        if not repeated:
            one.file.publish(name)
            present.add(name)
        place = Place.QUARANTINE if one.reason else Place.INBOX
        return Copy(share=one.share, place=place, file=name, reason=one.reason, repeated=repeated)

    def _files_for(self, arriving: Arriving) -> list[_Opened]:
        """Open a file for each user, with the address for which it is delivered on top."""
        opened = []
        for share in arriving.plan.shares:
            one = self._begin_file(share)
            one.file.write(f"Delivered-To: {share.address.wire}\r\n".encode())
            opened.append(one)
        return opened

    def _begin_file(self, share: Share) -> _Opened:
        """Begin a mail for a user, in the quarantine if the inbox can't be used."""
        try:
            maildir = self._maildir(self._settings.inboxes, share.user, shared=self._settings.group is not None)
            return _Opened(share=share, maildir=maildir, file=self._stack.enter_context(MailFile(maildir)))
        except StorageError as error:
            _raise_passing(error)
            maildir = self._maildir(self._settings.folder, QUARANTINE)
            file = self._stack.enter_context(MailFile(maildir))
            return _Opened(share=share, maildir=maildir, file=file, reason=str(error))

    def _maildir(self, folder: Path, user: str, *, shared: bool = False) -> Maildir:
        """Return a Maildir, open until the batch ends; its names are read once a poll."""
        key = f"{folder}/{user}"
        if key not in self._open:
            maildir = self._stack.enter_context(Maildir(folder, user, shared=shared))
            if maildir.path not in self._names:
                maildir.clear_tmp()
                self._names[maildir.path] = maildir.names()
            self._open[key] = maildir
        return self._open[key]

    def _close_all(self) -> None:
        self._large = []
        self._open.clear()
        with contextlib.suppress(StorageError):
            self._stack.close()


def _raise_passing(error: StorageError) -> None:
    """Raise an error again that is no fault of one inbox."""
    if isinstance(error.__cause__, OSError) and error.__cause__.errno in _PASSING:
        raise error


def _add(files: Sequence[_Opened], arriving: Arriving) -> None:
    pieces = arriving.take()
    for one in files:
        for piece in pieces:
            one.file.write(piece)


def make_name(account: str, key: MessageKey, user: str) -> str:
    """Return the name of a message's file: the same message of the same account has one name in the same inbox."""
    # Folder and validity come last: without them, as on POP3, the names are those of earlier releases.
    parts = (account, key.uid, user, *((key.folder, key.validity) if key.folder or key.validity else ()))
    return "P" + hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:40]
