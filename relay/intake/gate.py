"""Who may connect, and how many at a time."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from relay.intake.budget import Ip, Shares
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse

_NO_LIMIT = 1 << 32


def client_ip(text: str) -> Ip:
    """Read the address of a socket: without its zone, and IPv4 where it came mapped into IPv6."""
    ip = ip_address(text.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def refuse_ip(ip: Ip, networks: Sequence[IPv4Network | IPv6Network]) -> Reply | None:
    """Turn away a client whose address is in none of these networks."""
    if any(ip in network for network in networks):
        return None
    return refuse(Refused.MAY_NOT_CONNECT, ip=str(ip))


class Gate:
    """Counts the connections of one listener."""

    def __init__(
        self,
        *,
        networks: Sequence[IPv4Network | IPv6Network],
        most: int,
        most_per_client: int,
        files: Shares | None = None,
    ) -> None:
        self._networks = networks
        self._most_per_client = most_per_client
        self._places = Shares(most)
        self._files = files or Shares(_NO_LIMIT)
        """What all listeners share: each connection is an open file of the process."""

    def change(self, *, networks: Sequence[IPv4Network | IPv6Network], most: int, most_per_client: int) -> None:
        """Set whom to let in from now on; who is inside stays."""
        self._networks = networks
        self._most_per_client = most_per_client
        self._places.resize(most)

    def enter(self, ip: Ip) -> Reply | None:
        """Let a connection in; else give the reply with which it is turned away, and count nothing."""
        refusal = refuse_ip(ip, self._networks)
        if refusal is not None:
            return refusal
        if self._places.held(ip) < self._most_per_client and self._files.allows(ip) and self._places.take(ip):
            self._files.take(ip)
            return None
        return refuse(Refused.TOO_MANY_CONNECTIONS)

    def leave(self, ip: Ip) -> None:
        """Count a connection out that was let in."""
        self._places.give(ip)
        self._files.give(ip)

    @property
    def inside(self) -> int:
        """How many connections are open."""
        return self._places.taken
