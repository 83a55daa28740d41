"""A source with folders and validities, which no POP3 server has: a mailbox in memory, as an IMAP source would be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from relay.model.errors import SourceError
from relay.model.maildrop import FolderListing, Listed, MessageKey, Retrieved


@dataclass
class Folder:
    """One folder of the server."""

    validity: str
    mails: dict[str, bytes] = field(default_factory=dict)
    """By unique id."""


@dataclass
class MemorySource:
    """Implements `MailboxSource`; whoever tests changes its folders."""

    folders: dict[str, Folder]
    fault: str = ""
    """At which call the session breaks, once."""
    read: list[MessageKey] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    announced: asyncio.Event = field(default_factory=asyncio.Event)
    _deleted: list[MessageKey] = field(default_factory=list)

    async def list(self) -> Sequence[FolderListing]:
        self._call("list")
        self._deleted = []
        return [
            FolderListing(
                folder=name,
                validity=folder.validity,
                messages=[
                    Listed(n=n, key=MessageKey(uid, name, folder.validity), size=len(mail))
                    for n, (uid, mail) in enumerate(folder.mails.items(), 1)
                ],
            )
            for name, folder in self.folders.items()
        ]

    async def retrieve(self, messages: Sequence[Listed], go_on: Callable[[], bool]) -> AsyncIterator[Retrieved]:
        self._call("retrieve")
        for one in messages:
            if not go_on():
                return
            folder = self.folders[one.key.folder]
            if folder.validity != one.key.validity:
                raise SourceError(f"retrieve: the validity of {one.key.folder} has changed")
            yield Retrieved(one, self._body(folder.mails[one.key.uid]), "")

    async def _body(self, mail: bytes) -> AsyncIterator[bytes]:
        yield mail

    async def mark_collected(self, messages: Sequence[Listed]) -> None:
        self._call("mark_collected")
        self.read += [one.key for one in messages]

    async def delete(self, messages: Sequence[Listed]) -> Sequence[Listed]:
        self._call("delete")
        self._deleted = [one.key for one in messages]
        return messages

    async def commit(self) -> None:
        self._call("commit")
        for key in self._deleted:
            del self.folders[key.folder].mails[key.uid]

    async def wait(self, seconds: float) -> None:
        self._call("wait")
        async with asyncio.timeout(seconds):
            await self.announced.wait()
        self.announced.clear()

    def close(self) -> None:
        self.calls.append("close")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.fault == name:
            self.fault = ""
            raise SourceError(f"{name}: the connection was lost")
