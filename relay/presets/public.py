"""What is on the public internet: names and addresses that a stranger's answer may lead us to."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeAlias

IpAddress: TypeAlias = IPv4Address | IPv6Address

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST: Final = 253
_PRIVATE: Final = frozenset(
    {
        *("local", "localhost", "localdomain", "lan", "home", "corp", "internal", "intranet", "private", "arpa"),
        *("test", "invalid", "example", "alt", "onion", "ip"),
    }
)
"""Top-level names that are no public ones (RFC 6761, RFC 6762, RFC 8375, RFC 9476), or are used as if they were not."""
_ROUTERS: Final = frozenset({"fritz.box", "easy.box"})
"""Names that routers of offices give themselves and their network, below a top-level name that is public."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
_UNICAST: Final = IPv6Network("2000::/3")
"""Of IPv6 nothing else is given to anybody on the internet."""
_SPECIAL: Final = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2001::/23"),
    IPv6Network("3fff::/20"),
)
"""Networks of the registries of special addresses (RFC 6890, RFC 7526, RFC 9637) that Python takes, in part or in some
versions, for those of the internet."""


def is_public_name(name: str) -> bool:
    """Return whether a name, as A-labels in lower case, can be a host of the internet: no address, no local name."""
    labels = name.split(".")
    return (
        len(name) <= _LONGEST
        and len(labels) > 1
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
        and not labels[-1].startswith("0x")
        and labels[-1] not in _PRIVATE
        and ".".join(labels[-2:]) not in _ROUTERS
    )


def is_public_address(address: IpAddress) -> bool:
    """Return whether an address is one of the internet, and so is each IPv4 address that it stands for (RFC 6890)."""
    return all(map(_is_global, _meant(address)))


def _is_global(address: IpAddress) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and (address.version == 4 or address in _UNICAST)
        and not any(address in network for network in _SPECIAL)
    )


def _meant(address: IpAddress) -> Iterator[IpAddress]:
    """Yield an address, and the IPv4 addresses that it is translated or tunnelled to."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
            return
        if address in _NAT64:
            yield IPv4Address(int(address) & 0xFFFFFFFF)
            return
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
    yield address
