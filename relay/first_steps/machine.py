"""The networks that this machine is part of, as the system knows them, and its names and addresses."""

import socket
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from relay.settings import Settings
from relay.settings.hosts import is_host_name

_ROUTES: Final = Path("/proc/net/route")
_RESOLVER: Final = Path("/etc/resolv.conf")
_FAR: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses of the documentation (RFC 5737, RFC 3849): the way to them begins at this machine's own address."""
_VIRTUAL: Final = ("lo", "docker", "br-", "veth", "virbr", "lxc", "lxd", "cni", "podman")
"""Names of interfaces that lead to no other machine of the office."""
_UP: Final = 0x1
_WITH_GATEWAY: Final = 0x2


def own_networks() -> tuple[str, ...]:
    """Return the private networks that this machine is part of; none where the system does not tell them."""
    try:
        table = _ROUTES.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(network) for network in find_networks(table)))


def find_networks(table: str) -> Iterator[IPv4Network]:
    """Give the private IPv4 networks that interfaces are connected to, of Linux's table of routes (/proc/net/route).

    A line has the interface, and as hexadecimal numbers of this machine's byte order the network, its gateway, flags,
    and as the eighth field the mask.
    """
    for line in table.splitlines()[1:]:
        fields = line.split()
        try:
            interface, destination, flags, mask = fields[0], fields[1], int(fields[3], 16), fields[7]
            network = IPv4Network((_address(destination), str(IPv4Address(_address(mask)))))
        except (IndexError, ValueError, OverflowError):
            continue
        if interface.startswith(_VIRTUAL) or not flags & _UP or flags & _WITH_GATEWAY or not network.prefixlen:
            continue
        if network.is_private and not network.is_loopback and not network.is_link_local:
            yield network


def _address(text: str) -> int:
    return int.from_bytes(int(text, 16).to_bytes(4, sys.byteorder), "big")


def own_hostname() -> str | None:
    """Return the name that this machine gives itself, where it is whole."""
    name = socket.getfqdn().lower()
    return name if is_host_name(name) and "." in name and not name.startswith("localhost") else None


def proposed_hostname() -> str | None:
    """Return the name that this machine gives itself, made whole by the network's domain; None where there is none."""
    if (whole := own_hostname()) is not None:
        return whole
    try:
        domain = find_domain(_RESOLVER.read_text(encoding="ascii", errors="replace"))
    except OSError:
        return None
    name = f"{socket.gethostname().lower()}.{domain}"
    return name if domain and is_host_name(name) and not name.startswith("localhost") else None


def find_domain(resolver: str) -> str | None:
    """Return the domain to which names without a dot belong, of /etc/resolv.conf; None where it names none.

    The last `search` or `domain` counts, and of several domains the first (resolv.conf(5)).
    """
    found = None
    for line in resolver.splitlines():
        word, *domains = line.split() or [""]
        if word in ("search", "domain") and domains:
            found = domains[0].strip(".").lower()
    return found or None


def own_names(settings: Settings) -> Iterator[str]:
    """Give the names and addresses by which clients may call this machine."""
    yield settings.hostname
    for name in (socket.gethostname(), socket.getfqdn()):
        if is_host_name(name):
            yield name.lower()
    yield "localhost"
    yield "127.0.0.1"
    for family, address in _FAR:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as tried:
                tried.connect((address, 9))  # UDP: nothing is sent
                yield str(tried.getsockname()[0])
        except OSError:
            continue
    for listener in settings.listeners:
        if listener.host not in ("0.0.0.0", "::"):  # noqa: S104 - it is compared, and means all addresses
            yield listener.host
