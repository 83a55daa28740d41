"""What is on the public internet: names and addresses that a stranger's answer may lead us to."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final, TypeAlias

IpAddress: TypeAlias = IPv4Address | IPv6Address

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST: Final = 253
_PRIVATE: Final = frozenset(
    {"local", "localhost", "localdomain", "lan", "home", "corp", "internal", "intranet", "private", "arpa", "onion"}
)
"""Top-level names that are no public ones (RFC 6761, RFC 6762, RFC 8375), or are used as if they were not."""
_NAT64: Final = IPv6Network("64:ff9b::/96")


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
    )


def is_public_address(address: IpAddress) -> bool:
    """Return whether an address is one of the internet, and so is each IPv4 address that it stands for (RFC 6890)."""
    return all(one.is_global and not one.is_multicast and not one.is_reserved for one in _meant(address))


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
