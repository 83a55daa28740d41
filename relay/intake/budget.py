"""What clients use up together, such as memory and connections: a share for each, so that none can take all."""

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

Ip = IPv4Address | IPv6Address
Crowd = tuple[tuple[object, int], ...]
"""Who counts as one: keys, that of the client itself first, each with how many times what is left it may hold."""

_NETWORK_TIMES: Final = 3
"""How many times what is left the clients of one IPv6 network may hold together."""


def origin(ip: Ip) -> Ip:
    """Give what guesses are counted by: an address, of IPv6 its /64, in which a machine chooses any it likes."""
    return ip if isinstance(ip, IPv4Address) else IPv6Network((ip, 64), strict=False).network_address


def crowd_of(ip: Ip) -> Crowd:
    """Give who counts as one with a client: its address, below 0 for IPv4 to be no other's, and its IPv6 network."""
    if isinstance(ip, IPv4Address):
        return ((~int(ip), 1),)
    return ((int(ip), 1), ((int(ip) >> 64, 64), _NETWORK_TIMES))


class Shares:
    """A number of octets, or of places, that clients share; what is taken must be given back.

    Guarantee: a client gets no more where it would hold more than it leaves to all the others. So one can take a half,
    two a third each, and a client that comes new always finds as much as the greediest of those before it, halved.
    The addresses of one IPv6 /64, of which one machine may use as many as it likes, take three quarters at most.
    Who asks while nobody holds anything else may take all: what fits at all gets through sooner or later.
    """

    def __init__(self, most: int) -> None:
        self._all = self._free = most
        self._held: Counter[object] = Counter()

    def resize(self, most: int) -> None:
        """Change how many there are; what is taken stays taken."""
        self._free += most - self._all
        self._all = most

    @property
    def taken(self) -> int:
        """What all clients have taken."""
        return self._all - self._free

    def held(self, crowd: Crowd) -> int:
        """Tell how much a client has taken."""
        return self._held[crowd[0][0]]

    def allows(self, crowd: Crowd, amount: int = 1, *, own: int = 0) -> bool:
        """Tell whether a client could take so much; `own` is what the mail that asks has taken already."""
        left = self._free - amount
        if left < 0:
            return False
        if self.taken == own:
            return True
        return all(self._held[who] + amount <= times * left for who, times in crowd)

    def take(self, crowd: Crowd, amount: int = 1, *, own: int = 0) -> bool:
        """Take so much for a client if `allows` says so; nothing is taken where it gives false."""
        if not self.allows(crowd, amount, own=own):
            return False
        self._free -= amount
        for who, _ in crowd:
            self._held[who] += amount
        return True

    def give(self, crowd: Crowd, amount: int = 1) -> None:
        """Give back for a client."""
        self._free += amount
        for who, _ in crowd:
            self._held[who] -= amount
            if self._held[who] <= 0:
                del self._held[who]


class Holding:
    """What one mail has taken of the shares of its client."""

    def __init__(self, shares: Shares, ip: Ip) -> None:
        self._shares = shares
        self._crowd = crowd_of(ip)
        self._taken = 0

    def allows(self, amount: int) -> bool:
        """Tell whether the mail could come to hold so much."""
        return amount <= self._taken or self._shares.allows(self._crowd, amount - self._taken, own=self._taken)

    def change(self, amount: int) -> bool:
        """Hold so much from now on; false, and nothing is changed, where the share does not have it."""
        more = amount - self._taken
        if more > 0:
            if not self._shares.take(self._crowd, more, own=self._taken):
                return False
        elif more < 0:
            self._shares.give(self._crowd, -more)
        self._taken = amount
        return True

    def close(self) -> None:
        """Give everything back."""
        self.change(0)


class SharedDiskSpace:
    """Space on the disk for what clients send. `has` returns whether a mail of so many octets still fits.

    What a client has written of unfinished mails counts a second time against that client: it gets no more where it has
    more than it leaves to the others, so that mails which never end do not fill the disk.
    """

    def __init__(self, has: Callable[[int], bool]) -> None:
        self.has = has
        self._unfinished: Counter[Ip] = Counter()

    def take(self, ip: Ip, octets: int) -> bool:
        """Count octets of an unfinished mail, about to be written. Returns False, and counts nothing, if too many.

        What is counted must be given back once the mail is complete or dropped.
        """
        if not self.has(self._unfinished[ip] + octets):
            return False
        self._unfinished[ip] += octets
        return True

    def give(self, ip: Ip, octets: int) -> None:
        """Give back what was counted."""
        self._unfinished[ip] -= octets
        if self._unfinished[ip] <= 0:
            del self._unfinished[ip]
