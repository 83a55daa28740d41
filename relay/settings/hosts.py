"""Checks host names and networks."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from relay.model.address import ascii_domain

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_LONGEST_NAME = 253


def parse_hostname(value: object) -> str:
    """Check our own host name for EHLO and Received (RFC 5321 section 2.3.5). Raises ValueError with a reason."""
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")  # noqa: TRY004 - an error of the file, not of the code
    if not value.isascii() and is_host_name(ascii_domain(value)):
        raise ValueError(f'must be written in its ASCII form: "{ascii_domain(value)}"')
    if not is_host_name(value) or "_" in value:
        raise ValueError('must be a host name such as "relay.office.example"')
    return value


def parse_host(value: object) -> str:
    """Check a host that we connect to or listen on: a name or an IP address. Raises ValueError with a reason."""
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")  # noqa: TRY004 - an error of the file, not of the code
    if parse_ip(value) is not None:
        return value
    name = ascii_domain(value)
    with_port = re.fullmatch(r"([A-Za-z0-9._-]+):([0-9]{1,5})", value)
    if with_port is not None:
        raise ValueError(f'the port is a key of its own: host = "{with_port[1]}" and port = {with_port[2]}')
    if not is_host_name(name):
        raise ValueError('must be a host name or an IP address, without a port or "smtp://"')
    return name


def parse_listener_host(value: object) -> str:
    """Check the address that a listener is bound to. Raises ValueError with a reason."""
    if value in ("", "*"):
        raise ValueError('must be an address of this machine; "0.0.0.0" is all of them, "::" all of IPv6')
    return parse_host(value)


def parse_network(value: object) -> IPv4Network | IPv6Network:
    """Parse a network or a single address. Raises ValueError with a reason and the network that was probably meant."""
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")  # noqa: TRY004 - an error of the file, not of the code
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        network = None
    if network is None or "%" in value:
        raise ValueError('must be a network such as "192.168.1.0/24" or an address such as "192.168.1.40"')
    address, slash, _ = value.partition("/")
    if slash and ip_address(address) != network.network_address:
        raise ValueError(
            f'an address within a network: write "{network}" for all of it, "{address}" for this one device'
        )
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError("IPv4 clients are matched by IPv4 networks: write it as one")
    return network


def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address; None if it is not one."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its loopback address or as `localhost`."""
    address = parse_ip(host)
    return address.is_loopback if address is not None else host.lower() in ("localhost", "localhost.localdomain")


def is_host_name(text: str) -> bool:
    """Return whether a text is a host name (RFC 1123 section 2.1, or with underscores), and no IP address."""
    labels = text.removesuffix(".").split(".")
    return (
        len(text) <= _LONGEST_NAME
        and all(_LABEL.fullmatch(label) for label in labels)
        and not (labels[-1].isdigit() or labels[-1].lower().startswith("0x"))
    )
