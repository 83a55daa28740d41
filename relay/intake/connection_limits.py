"""Who may connect, how many connections there may be at a time, and how often the log says who may not."""

import asyncio
import functools
from collections.abc import Hashable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from relay.emitting import emit
from relay.events.sessions import SessionRefused
from relay.intake.budget import Ip, Shares, crowd_of, origin
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse
from relay.settings import Limits

SAID_AGAIN: Final = 600.0
"""Seconds until it is said how often else a client was refused."""
_MOST_CLIENTS: Final = 256
"""That are told apart meanwhile."""


@functools.lru_cache(maxsize=1024)
def client_ip(text: str) -> Ip:
    """Parse the address of a socket: without its zone, and as IPv4 where it is mapped into IPv6."""
    ip = ip_address(text.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def refuse_ip(ip: Ip, networks: Sequence[IPv4Network | IPv6Network]) -> Reply | None:
    """Return the refusal for a client whose address is in none of these networks, else None."""
    if any(ip in network for network in networks):
        return None
    return refuse(Refused.MAY_NOT_CONNECT, ip=str(ip))


class ConnectionLimits:
    """Counts the connections of one listener, and refuses those that are too many or not allowed."""

    def __init__(self, files: Shares) -> None:
        """`files` are what all listeners share: each connection is an open file of the process."""
        self._files = files
        self._places = Shares(0)

    def enter(self, ip: Ip, networks: Sequence[IPv4Network | IPv6Network], limits: Limits) -> Reply | None:
        """Count a new connection. Returns the refusal, and counts nothing, if it must be turned away."""
        refusal = refuse_ip(ip, networks)
        if refusal is not None:
            return refusal
        self._places.resize(limits.connections)
        crowd = crowd_of(ip)
        is_one_too_many = self._places.held(crowd) >= limits.connections_per_client
        if is_one_too_many or not self._files.allows(crowd) or not self._places.take(crowd):
            return refuse(Refused.TOO_MANY_CONNECTIONS)
        self._files.take(crowd)
        return None

    def leave(self, ip: Ip) -> None:
        """Count out a connection that `enter` counted."""
        crowd = crowd_of(ip)
        self._places.give(crowd)
        self._files.give(crowd)


class RefusalLog:
    """Logs that clients were refused, a few lines for each however often it happens. Belongs to one event loop."""

    def __init__(self) -> None:
        self._counted: dict[Hashable, SessionRefused] = {}
        """By client and reason what has been said, with how often else it happened."""
        self._timer: asyncio.TimerHandle | None = None

    def note(self, ip: Ip, reason: str, code: int) -> None:
        """Say it now if it is news, else count it."""
        client = str(ip)
        key: Hashable = (origin(ip), reason.replace(client, ""))
        if key not in self._counted and len(self._counted) >= _MOST_CLIENTS:
            key, client = None, "others"
        before = self._counted.get(key)
        if before is None:
            emit(SessionRefused(client=client, reason=reason, code=code))
        count = 0 if before is None else before.count + 1
        self._counted[key] = SessionRefused(client=client, reason=reason, code=code, count=count)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SAID_AGAIN, self.tell)

    def tell(self) -> None:
        """Say how often it happened, and begin anew."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        emit(*(event for event in self._counted.values() if event.count))
        self._counted.clear()
