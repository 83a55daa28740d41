"""Connects to a server: resolves its name in a thread of its own, and tries its addresses in parallel (RFC 8305).

A name server that does not answer delays only those who ask for the same name: one thread looks each name up, outside
of the thread pool that everything else shares, and it does not delay the end of the process. An address that does not
answer delays the next one by 0.25 s only.
"""

import asyncio
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Any

STAGGER = 0.25
"""Seconds after which the next address is tried in parallel (RFC 8305 section 5)."""

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
"""An entry of what `socket.getaddrinfo` returns."""

_running: dict[tuple[str, int], Future[Sequence[Address]]] = {}


async def dial(host: str, port: int, *, seconds: float) -> socket.socket:
    """Connect within so many seconds, including the look-up. Raises OSError; TimeoutError, which is one, after that."""
    resolved = False
    try:
        async with asyncio.timeout(seconds):
            addresses = await resolve(host, port)
            resolved = True
            return await _connect_any(addresses)
    except TimeoutError:
        if resolved:
            raise
        raise socket.gaierror(socket.EAI_AGAIN, "its name was not resolved in time") from None


async def resolve(host: str, port: int) -> Sequence[Address]:
    """Look a host up; callers that ask for the same host meanwhile share the answer. Raises OSError."""
    if _is_literal(host):
        return _look_up(host, port)
    key = (host, port)
    future = _running.get(key)
    if future is None:
        future = _running[key] = Future()
        future.set_running_or_notify_cancel()  # from now on a caller that is cancelled leaves it to the others
        # Not of an executor: its threads are waited for when the process ends.
        threading.Thread(target=_answer, args=(key, future), name=f"resolve {host}", daemon=True).start()
    return await asyncio.wrap_future(future)


def _answer(key: tuple[str, int], future: Future[Sequence[Address]]) -> None:
    """Look a host up in a thread, for all who wait."""
    try:
        future.set_result(_look_up(*key))
    except Exception as error:  # noqa: BLE001 - whoever waits gets it
        future.set_exception(error if isinstance(error, OSError) else OSError(f"the name can't be looked up: {error}"))
    finally:
        _running.pop(key, None)


def _look_up(host: str, port: int) -> Sequence[Address]:
    # With the protocol: asyncio switches Nagle's algorithm off only where a socket names it.
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _connect_any(addresses: Sequence[Address]) -> socket.socket:
    """Connect to the first address that answers; they are tried in order, `STAGGER` seconds apart."""
    waiting = _alternate(addresses)
    tasks: set[asyncio.Task[socket.socket]] = set()
    error: BaseException = OSError("the name has no address")
    try:
        while waiting or tasks:
            if waiting:
                tasks.add(asyncio.create_task(_connect(waiting.pop(0))))
            done, _ = await asyncio.wait(
                tasks, timeout=STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                tasks.discard(task)
                failed = task.exception()
                if failed is None:
                    return task.result()
                error = failed
        raise error
    finally:
        for task in tasks:
            task.cancel()
        for made in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(made, socket.socket):  # it has just succeeded, too
                made.close()


async def _connect(address: Address) -> socket.socket:
    family, kind, protocol, _, where = address
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)  # noqa: FBT003 - as the standard library has it
        await asyncio.get_running_loop().sock_connect(made, where)
    except BaseException:
        made.close()
        raise
    return made


def _alternate(addresses: Sequence[Address]) -> list[Address]:
    """Interleave the two address families, beginning with the one that the system prefers (RFC 8305 section 4)."""
    preferred = [one for one in addresses if one[0] == addresses[0][0]]
    others = [one for one in addresses if one[0] != addresses[0][0]]
    return [one for one in chain.from_iterable(zip_longest(preferred, others)) if one is not None]
