from ipaddress import ip_address, ip_network

import pytest

from relay.intake.gate import Gate, Throttle, client_ip

A, B = ip_address("192.0.2.1"), ip_address("192.0.2.2")
GATE = {"networks": [ip_network("192.0.2.0/24"), ip_network("fd00::/8")]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1"), ("::1", "::1")],
)
def test_a_sockets_address_is_read(text: str, expected: str) -> None:
    assert str(client_ip(text)) == expected


def test_strangers_are_turned_away_and_mapped_addresses_are_none() -> None:
    gate = Gate(**GATE, most=9, most_per_client=9)
    refusal = gate.enter(ip_address("198.51.100.1"))
    assert refusal is not None
    assert (refusal.code, refusal.enhanced) == (554, "5.7.1")
    assert gate.enter(client_ip("::ffff:192.0.2.9")) is None


def test_connections_are_counted_in_all_and_for_each_client() -> None:
    gate = Gate(**GATE, most=3, most_per_client=2)
    assert [gate.enter(ip) is None for ip in (A, A, A, B, B)] == [True, True, False, True, False]
    gate.leave(A)
    assert gate.enter(B) is None
    gate.leave(B)
    assert gate.enter(A) is None


def test_each_failure_doubles_the_wait_up_to_a_limit_and_is_forgotten() -> None:
    throttle = Throttle()
    delays = [throttle.failed(A, now) for now in range(10)]
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(delays) == 8.0
    assert throttle.failed(B, 0) == 0.5
    throttle.succeeded(A)
    assert throttle.failed(A, 10) == 0.5
    assert throttle.failed(A, 10_000) == 0.5


def test_the_memory_for_failures_is_bounded() -> None:
    throttle = Throttle()
    for n in range(11_000):
        throttle.failed(ip_address(n), 0)
    assert len(throttle._failures) == 10_000
