import sys
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.first_steps.machine import (
    find_domain,
    find_networks,
    own_hostname,
    own_names,
    own_networks,
    proposed_hostname,
)
from relay.settings import load_settings
from tests.peers.relay_process import make_account, write_config

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"


def number(address: str) -> str:
    return f"{int.from_bytes(IPv4Address(address).packed, sys.byteorder):08X}"


def route(interface: str, network: str, *, gateway: str = "0.0.0.0", flags: int = 1) -> str:
    net = ip_network(network)
    fields = (interface, number(str(net[0])), number(gateway), f"{flags:04X}", "0", "0", "0", number(str(net.netmask)))
    return "\t".join((*fields, "0", "0", "0")) + "\n"


def test_the_private_networks_of_real_interfaces_are_proposed() -> None:
    table = HEAD + "".join(
        (
            route("eth0", "0.0.0.0/0", gateway="192.168.1.1", flags=3),
            route("eth0", "192.168.1.0/24"),
            route("wlan0", "10.20.0.0/16"),
            route("eth0", "172.16.5.0/24", gateway="192.168.1.9", flags=3),
            route("eth1", "203.0.113.0/29"),
            route("eth1", "8.8.8.0/24"),
            route("eth1", "169.254.0.0/16"),
            route("docker0", "172.17.0.0/16"),
            route("virbr0", "192.168.122.0/24"),
            route("eth2", "192.168.9.0/24", flags=0),
            "eth3\tnonsense\n",
            "\n",
        )
    )
    found = [str(network) for network in find_networks(table)]
    assert found[:2] == ["192.168.1.0/24", "10.20.0.0/16"]
    assert set(found[2:]) <= {"203.0.113.0/29"}  # a network of the documentation, which Python calls private


@given(st.text())
def test_whatever_the_system_says_is_read(table: str) -> None:
    assert all(network.is_private for network in find_networks(table))


@given(st.integers(0, 2**32 - 1), st.integers(1, 32))
def test_each_private_network_is_read_as_it_was_written(address: int, bits: int) -> None:
    network = ip_network((address, bits), strict=False)
    found = list(find_networks(HEAD + route("eth0", str(network))))
    wanted = network.is_private and not network.is_loopback and not network.is_link_local
    assert found == ([network] if wanted else [])


def test_this_machine_is_asked() -> None:
    assert all(ip_network(one).is_private for one in own_networks())
    name = own_hostname()
    assert name is None or "." in name
    proposed = proposed_hostname()
    assert name in (None, proposed)
    assert proposed is None or "." in proposed


@pytest.mark.parametrize(
    ("resolver", "domain"),
    [
        ("nameserver 192.168.1.1\nsearch Fritz.box. office.lan\n", "fritz.box"),
        ("search office.lan\ndomain other.lan\n", "other.lan"),
        ("# search x.lan\nsearch\n\nsearch .\n", None),
        ("", None),
    ],
)
def test_the_networks_domain_is_that_of_the_resolver(resolver: str, domain: str | None) -> None:
    assert find_domain(resolver) == domain


def test_clients_may_call_this_machine_by_its_names_and_by_the_addresses_of_its_listeners(tmp_path: Path) -> None:
    file = write_config(tmp_path, accounts=[make_account("sales", 9)])
    settings = load_settings(file)
    names = [*own_names(settings)]
    assert names[0] == settings.hostname
    assert {"localhost", "127.0.0.1", *(one.host for one in settings.listeners)} <= {*names}
    assert not {"0.0.0.0", "::"} & {*names}
