"""A mailbox over POP3 (RFC 1939): one folder without a name, one session for each poll."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from relay.model.account import MailboxServer
from relay.model.credential import Credential
from relay.model.maildrop import FolderListing, Listed, Retrieved
from relay.upstream.pop3 import Pop3Session, open_pop3


class Pop3Source:
    """Implements `MailboxSource`; the session is `relay.upstream.pop3`, which `relay account test` uses, too."""

    def __init__(self, server: MailboxServer, credential: Credential) -> None:
        self._server, self._credential = server, credential
        self._session: Pop3Session | None = None

    async def list(self) -> Sequence[FolderListing]:
        """Open a session, since POP3 shows new mail only to a new one, and list its messages."""
        self.close()
        self._session = await open_pop3(self._server, self._credential)
        return [await self._session.list_messages()]

    def retrieve(self, messages: Sequence[Listed], go_on: Callable[[], bool]) -> AsyncIterator[Retrieved]:
        """Retrieve messages by RETR."""
        return self._opened().retrieve(messages, go_on)

    async def mark_collected(self, messages: Sequence[Listed]) -> None:
        """Do nothing: POP3 has no marks."""

    async def delete(self, messages: Sequence[Listed]) -> Sequence[Listed]:
        """Mark messages by DELE; the server deletes them when QUIT comes."""
        return await self._opened().delete(messages)

    async def commit(self) -> None:
        """End the session by QUIT."""
        await self._opened().quit()

    async def wait(self, seconds: float) -> None:
        """Wait for all of the time: a POP3 server announces nothing."""
        await asyncio.sleep(seconds)

    def close(self) -> None:
        """Cut the connection; what is marked stays on the server."""
        if self._session is not None:
            self._session.abort()

    def _opened(self) -> Pop3Session:
        assert self._session is not None, "list comes first"
        return self._session
