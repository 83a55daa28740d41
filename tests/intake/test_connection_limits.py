from ipaddress import ip_address, ip_network

import pytest

from relay.intake.budget import Shares
from relay.intake.connection_limits import ConnectionLimits, client_ip
from relay.settings import Limits

A, B = ip_address("192.0.2.1"), ip_address("192.0.2.2")
NETWORKS = [ip_network("192.0.2.0/24"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1"), ("::1", "::1")],
)
def test_a_sockets_address_is_read(text: str, expected: str) -> None:
    assert str(client_ip(text)) == expected


def allow(most: int, most_per_client: int) -> Limits:
    return Limits(connections=most, connections_per_client=most_per_client)


def test_strangers_are_turned_away_and_mapped_addresses_are_none() -> None:
    limits, allowed = ConnectionLimits(Shares(1000)), allow(9, 9)
    refusal = limits.enter(ip_address("198.51.100.1"), NETWORKS, allowed)
    assert refusal is not None
    assert (refusal.code, refusal.enhanced) == (554, "5.7.1")
    assert limits.enter(client_ip("::ffff:192.0.2.9"), NETWORKS, allowed) is None


def test_connections_are_counted_in_all_and_for_each_client() -> None:
    limits, allowed = ConnectionLimits(Shares(1000)), allow(6, 2)
    assert [limits.enter(ip, NETWORKS, allowed) is None for ip in (A, A, A, B, B)] == [True, True, False, True, True]
    limits.leave(B)
    assert limits.enter(A, NETWORKS, allowed) is not None
    limits.leave(A)
    assert limits.enter(A, NETWORKS, allowed) is None
    assert limits._places.taken == 3


def test_a_dozen_greedy_clients_leave_room_for_one_that_comes_new() -> None:
    limits, allowed, networks = ConnectionLimits(Shares(1 << 32)), allow(1000, 100), [ip_network("0.0.0.0/0")]
    for n in range(12):
        for _ in range(200):
            limits.enter(ip_address(n), networks, allowed)
    assert limits._places.taken < 1000
    assert limits.enter(A, networks, allowed) is None


def test_the_files_of_the_process_are_shared_by_all_listeners() -> None:
    files, allowed = Shares(4), allow(100, 100)
    first, second = (ConnectionLimits(files) for _ in range(2))
    assert [first.enter(A, NETWORKS, allowed) is None for _ in range(3)] == [True, True, False]
    assert second.enter(B, NETWORKS, allowed) is None
    assert second.enter(B, NETWORKS, allowed) is not None
    for _ in range(2):
        first.leave(A)
    second.leave(B)
    assert files.taken == 0
