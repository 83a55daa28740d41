"""Who may connect, and how many connections there may be at a time."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from relay.intake.budget import Ip, Shares
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse

_NO_LIMIT = 1 << 32


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
        """Apply other limits to new connections; open ones stay."""
        self._networks = networks
        self._most_per_client = most_per_client
        self._places.resize(most)

    def enter(self, ip: Ip) -> Reply | None:
        """Count a new connection. Returns the refusal, and counts nothing, if it must be turned away."""
        refusal = refuse_ip(ip, self._networks)
        if refusal is not None:
            return refusal
        if self._places.held(ip) < self._most_per_client and self._files.allows(ip) and self._places.take(ip):
            self._files.take(ip)
            return None
        return refuse(Refused.TOO_MANY_CONNECTIONS)

    def leave(self, ip: Ip) -> None:
        """Count out a connection that `enter` counted."""
        self._places.give(ip)
        self._files.give(ip)

    @property
    def inside(self) -> int:
        """How many connections are open."""
        return self._places.taken
