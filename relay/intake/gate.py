"""Who may connect, how many at a time, and how long a wrong password makes one wait."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from relay.model.reply import Reply

Ip = IPv4Address | IPv6Address

_FORGET = 900.0
"""Seconds after which a failed login is forgotten."""
_MOST_CLIENTS = 10_000
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 8.0


def client_ip(text: str) -> Ip:
    """Read the address of a socket: without its zone, and IPv4 where it came mapped into IPv6."""
    ip = ip_address(text.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


class Gate:
    """Counts the sessions of one listener."""

    def __init__(self, *, networks: Sequence[IPv4Network | IPv6Network], most: int, most_per_client: int) -> None:
        self.change(networks=networks, most=most, most_per_client=most_per_client)
        self._inside: Counter[Ip] = Counter()
        self._total = 0

    def change(self, *, networks: Sequence[IPv4Network | IPv6Network], most: int, most_per_client: int) -> None:
        """Set whom to let in from now on; who is inside stays."""
        self._networks = networks
        self._most = most
        self._most_per_client = most_per_client

    def enter(self, ip: Ip) -> Reply | None:
        """Let a session in; else give the reply with which it is turned away, and count nothing."""
        if not any(ip in network for network in self._networks):
            return Reply(code=554, enhanced="5.7.1", text=f"{ip} may not connect")
        if self._total >= self._most or self._inside[ip] >= self._most_per_client:
            return Reply(code=421, enhanced="4.3.2", text="Too many connections, come again later")
        self._inside[ip] += 1
        self._total += 1
        return None

    def leave(self, ip: Ip) -> None:
        """Count a session out that was let in."""
        self._total -= 1
        self._inside[ip] -= 1
        if not self._inside[ip]:
            del self._inside[ip]


class Throttle:
    """Makes guessing slow: each failed login of an address doubles the wait for its next answer."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Ip, tuple[int, float]] = OrderedDict()

    def failed(self, ip: Ip, now: float) -> float:
        """Count a failure at `now` (monotonic seconds); gives the seconds to wait before the answer."""
        count, at = self._failures.pop(ip, (0, now))
        count = 1 if now - at > _FORGET else count + 1
        self._failures[ip] = (count, now)
        if len(self._failures) > _MOST_CLIENTS:
            self._failures.popitem(last=False)
        return min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(count - 1, 10))

    def succeeded(self, ip: Ip) -> None:
        """Forget the failures of an address."""
        self._failures.pop(ip, None)
