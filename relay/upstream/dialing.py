"""Connects to a server: its name, its addresses in parallel (RFC 8305), TLS, which verifies by default, and its faults.

A name server that does not answer delays only those who ask for the same name: one thread looks each name up, outside
of the thread pool that everything else shares, and it does not delay the end of the process. An address that does not
answer delays the next one by 0.25 s only.
"""

import asyncio
import contextlib
import functools
import os
import socket
import ssl
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from ipaddress import ip_address
from itertools import chain, zip_longest
from pathlib import Path
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
    with contextlib.suppress(ValueError):  # of a name
        ip_address(host)
        return _look_up(host, port)
    key = (host, port)
    future = _running.get(key)
    if future is None:
        future = Future()
        future.set_running_or_notify_cancel()  # from now on a caller that is cancelled leaves it to the others
        # Not of an executor: its threads are waited for when the process ends.
        thread = threading.Thread(target=_answer, args=(key, future), name=f"resolve {host}", daemon=True)
        _running[key] = future
        try:
            thread.start()
        except RuntimeError as error:
            del _running[key]
            raise OSError(f"the name can't be looked up: {error}") from None
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


async def reach(address: Address, *, seconds: float) -> None:
    """Connect to one address alone, and close at once; `dial` hides one that fails behind another that works.

    Raises OSError; TimeoutError, which is one, after so many seconds.
    """
    async with asyncio.timeout(seconds):
        made = await _connect(address)
    made.close()


def first_of_families(addresses: Sequence[Address]) -> list[Address]:
    """Return the first address of each family, IPv4 before IPv6."""
    found: dict[socket.AddressFamily, Address] = {}
    for one in addresses:
        found.setdefault(one[0], one)
    return [found[family] for family in (socket.AF_INET, socket.AF_INET6) if family in found]


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


class AuthoritiesError(OSError):
    """`ca_file`, the file of the trusted authorities, can't be used."""


def tls_context(ca_file: str | None, *, verify: bool) -> ssl.SSLContext:
    """Return an account's context. Call it in a thread: reading the authorities takes long. Cached by file and change.

    Raises AuthoritiesError.
    """
    if ca_file is None:
        return _make_context(None, verify, 0)
    try:
        return _make_context(ca_file, verify, Path(ca_file).stat().st_mtime_ns)
    except ssl.SSLError:
        raise AuthoritiesError(f"ca_file {ca_file} holds no certificate") from None
    except OSError as error:
        raise AuthoritiesError(f"ca_file {ca_file} can't be read: {error.strerror or error}") from None


@functools.lru_cache(maxsize=64)
def _make_context(ca_file: str | None, verify: bool, _changed: int) -> ssl.SSLContext:  # noqa: FBT001 - a cache's key
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def describe_fault(error: BaseException | None, host: str) -> tuple[str, str]:
    """Return an enhanced status code (RFC 3463) and a text for an error of a connection."""
    cause = error
    while cause is not None:
        if isinstance(cause, AuthoritiesError):
            return "4.7.5", str(cause)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "4.7.5", f"the certificate of {host}: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "4.7.5", f"TLS with {host}: {getattr(cause, 'reason', None) or 'failed'}"
        if isinstance(cause, OSError) and not isinstance(cause, TimeoutError) and cause.strerror:
            # asyncio puts the address in place of the reason; errors of name resolution have negative numbers.
            number = cause.errno or 0
            return "4.4.1", f"{host}: {os.strerror(number) if number > 0 else cause.strerror}"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError):
        return "4.4.1", f"{host} did not answer in time"
    return "4.4.1", f"{host}: {str(error) or type(error).__name__}"
