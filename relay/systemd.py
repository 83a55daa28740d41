"""What systemd is told of the service's life (sd_notify(3)): one datagram, nothing where nobody listens."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable


def notify(state: str) -> None:
    """Send a state such as `READY=1` to the socket that systemd names; does nothing without one. Never raises."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(address)
        client.sendall(state.encode())


def watchdog_limit() -> float | None:
    """Give the seconds without a sign of life that systemd allows (sd_watchdog_enabled(3)); None: it does not watch."""
    limit, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if process not in {None, str(os.getpid())} or not (limit.isascii() and limit.isdigit()):
        return None
    return int(limit) / 1_000_000 or None


async def feed_watchdog(
    question: Callable[[], Awaitable[object]], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Give systemd a sign of life three times within its limit, for ever; returns at once where it does not watch.

    A sign needs an answer to the question since the last one: that the loop turns is not enough. An error is an
    answer, too: whoever raises it is alive, and a restart mends no fault of a disk or of another machine.
    """
    limit = watchdog_limit()
    if limit is None:
        return
    asked = asyncio.ensure_future(question())
    try:
        while True:
            await sleep(limit / 3)
            if asked.done():
                notify("WATCHDOG=1")
                _ = asked.exception()  # it has been looked at
                asked = asyncio.ensure_future(question())
    finally:
        asked.cancel()
