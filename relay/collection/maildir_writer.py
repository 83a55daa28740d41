"""Writes collected mail into Maildirs in batches: all files written, then synced, then linked, the folders synced.

Everything that names a file, or remembers what stands in an inbox, happens in one thread that belongs to the poll, one
thing after the other: a batch that is written while the next message comes, or a poll that is cancelled in the middle,
is in nobody's way. Only the files of a batch are synced side by side, in threads for which that one waits: the disk
makes those durable together that ask for it at the same time.
"""

import asyncio
import contextlib
import errno
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
_SYNCERS: Final = 8
"""Threads that sync the files of one batch, at most."""
_SHARE: Final = 4
"""Files that are worth a thread."""


@dataclass(kw_only=True, slots=True)
class Copy:
    """One user's copy of a message, and where it stands once it is published."""

    share: Share
    maildir: Maildir
    content: MailFile
    top: bytes
    """What its file begins with; empty once that is written."""
    reason: str = ""
    """Why it goes into the quarantine; empty if it does not."""
    file: str = ""
    """Its name."""
    repeated: bool = False
    """Whether it stood there before."""


class Arriving:
    """A message on its way into the inboxes, with the pieces that were not written yet."""

    plan: Distribution
    """Who gets it; set once its header is there, as is `summary`."""
    summary: Summary
    copies: Sequence[Copy] = ()
    """In the order of the shares, once something of it is written."""
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


class MaildirWriter:
    """Writes what one poll collects. Every method raises StorageError if the disk fails."""

    def __init__(self, account: str, settings: Settings) -> None:
        self._account = account
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"inboxes of {account}")
        self._syncers = ThreadPoolExecutor(_SYNCERS, thread_name_prefix=f"syncs for {account}")
        # Of the thread alone:
        self._names: dict[Path, set[str]] = {}
        self._open: dict[str, Maildir] = {}
        self._stack = ExitStack()

    async def add(self, arriving: Arriving) -> None:
        """Write the pieces of a large message that have come, before all of it is there; one message at a time."""
        await self._run(lambda: self._add(arriving))

    async def write(self, batch: Sequence[Arriving]) -> None:
        """Write messages to their ends; when this returns, they stand in their inboxes, durably."""
        await self._run(lambda: self._write(batch))

    async def close(self) -> None:
        """Wait for what runs, and remove what was not published."""
        ended = self._thread.submit(self._end)
        self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(ended))

    async def _run(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # In the thread

    def _write(self, batch: Sequence[Arriving]) -> None:
        """Write a batch; at its end nothing of it is open."""
        try:
            for arriving in batch:
                self._add(arriving)
            self._publish(batch)
        finally:
            self._close_all()

    def _add(self, arriving: Arriving) -> None:
        """Write what has come; the first time into new files, each with the address that it is delivered to on top."""
        if not arriving.copies:
            arriving.copies = [self._begin_copy(share) for share in arriving.plan.shares]
        first, *others = arriving.take() or [b""]
        for copy in arriving.copies:
            copy.content.write(copy.top + first)
            copy.top = b""
            for piece in others:
                copy.content.write(piece)

    def _publish(self, batch: Sequence[Arriving]) -> None:
        """Make messages visible, unless they are already, and durable in any case.

        Others may write into an inbox: what they spoil there costs only the messages that go into it.
        """
        copies = [copy for arriving in batch for copy in arriving.copies]
        threads = min(_SYNCERS, len(copies) // _SHARE) or 1
        first, *others = (copies[n::threads] for n in range(threads))
        syncing = [self._syncers.submit(_sync, some) for some in others]
        try:
            _sync(first)
        finally:
            wait(syncing)  # none of the files is closed before
        for one in syncing:
            one.result()
        for arriving in batch:
            try:
                for copy in arriving.copies:
                    self._publish_copy(arriving, copy)
            except StorageError as error:
                _raise_passing(error)
                arriving.fault = str(error)
        faults: dict[Maildir, str] = {}
        for maildir in {copy.maildir for copy in copies}:
            try:
                maildir.sync()
            except StorageError as error:
                _raise_passing(error)
                faults[maildir] = str(error)
        for arriving in batch:
            spoilt = (faults[copy.maildir] for copy in arriving.copies if copy.maildir in faults)
            arriving.fault = arriving.fault or next(spoilt, "")

    def _publish_copy(self, arriving: Arriving, copy: Copy) -> None:
        copy.file, present = make_name(self._account, arriving.key, copy.share.user), self._names[copy.maildir.path]
        copy.repeated = copy.file in present
        if not copy.repeated:
            copy.content.publish(copy.file)
            present.add(copy.file)

    def _begin_copy(self, share: Share) -> Copy:
        """Begin a mail for a user, in the quarantine if the inbox can't be used."""
        reason = ""
        try:
            maildir = self._maildir(self._settings.inboxes, share.user, shared=self._settings.group is not None)
            content = self._stack.enter_context(MailFile(maildir))
        except StorageError as error:
            _raise_passing(error)
            reason = str(error)
            maildir = self._maildir(self._settings.folder, QUARANTINE)
            content = self._stack.enter_context(MailFile(maildir))
        top = f"Delivered-To: {share.address.wire}\r\n".encode()
        return Copy(share=share, maildir=maildir, content=content, top=top, reason=reason)

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

    def _end(self) -> None:
        self._syncers.shutdown()
        self._close_all()

    def _close_all(self) -> None:
        self._open.clear()
        with contextlib.suppress(StorageError):
            self._stack.close()


def _sync(copies: Sequence[Copy]) -> None:
    for copy in copies:
        copy.content.sync()


def _raise_passing(error: StorageError) -> None:
    """Raise an error again that is no fault of one inbox."""
    if isinstance(error.__cause__, OSError) and error.__cause__.errno in _PASSING:
        raise error


def make_name(account: str, key: MessageKey, user: str) -> str:
    """Return the name of a message's file: the same message of the same account has one name in the same inbox."""
    # Folder and validity come last: without them, as on POP3, the names are those of earlier releases.
    parts = (account, key.uid, user, *((key.folder, key.validity) if key.folder or key.validity else ()))
    return "P" + hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:40]
