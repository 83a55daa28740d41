"""What the streams of SMTP and POP3 share: why the connection ended, and who waits for what it brings."""

import asyncio


class AwaitedProtocol(asyncio.Protocol):
    """A connection with at most one waiter, which is woken by what comes, and by the end."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[bool] | None = None
        """Its result is whether something happened in time; where the waiter has no timer here, it is always true."""
        self._lost: str | None = None
        """Why nothing more can come: the first reason that was noted."""

    def eof_received(self) -> bool:
        """Note the end; the transport closes itself."""
        self._fail("the server closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the loss, and wake whoever waits."""
        self._fail("the connection was reset" if exc else "the connection was closed")

    def _fail(self, why: str) -> None:
        if self._lost is None:
            self._lost = why
        self._wake()

    def _wake(self, *, in_time: bool = True) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(in_time)
