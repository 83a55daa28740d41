from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from relay.intake.budget import Holding, SharedDiskSpace, Shares, crowd_of, origin

A, B, C = (ip_address(f"192.0.2.{n}") for n in (1, 2, 3))
CLIENTS = [A, B, ip_address("2001:db8::1"), ip_address("2001:db8::2")]


def test_what_is_not_there_can_not_be_taken() -> None:
    shares = Shares(10)
    assert shares.take(crowd_of(A), 6)
    assert not shares.take(crowd_of(B), 5)
    assert shares._free == 4
    shares.give(crowd_of(A), 6)
    assert shares._free == 10
    assert not shares.take(crowd_of(A), 11)


def test_no_client_takes_more_than_it_leaves_to_the_others() -> None:
    shares = Shares(100)
    taken = {ip: sum(shares.take(crowd_of(ip)) for _ in range(100)) for ip in (A, B, C)}
    assert taken == {A: 50, B: 25, C: 12}
    assert shares.take(crowd_of(ip_address("192.0.2.4")))


def test_who_asks_alone_may_have_all() -> None:
    shares = Shares(100)
    mail = Holding(shares, A)
    assert all(mail.change(n) for n in (30, 60, 100))
    assert not Holding(shares, B).change(1)
    mail.close()
    assert shares._free == 100


def test_the_addresses_of_one_ipv6_network_do_not_take_all() -> None:
    shares = Shares(1000)
    taken = sum(shares.take(crowd_of(ip_address((0x20010DB8 << 96) + n))) for n in range(2000))
    assert taken == 750
    assert shares.take(crowd_of(ip_address("2001:db8:0:1::1")))
    assert origin(ip_address("2001:db8::abcd")) == ip_address("2001:db8::")
    assert origin(A) == A


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=30))
def test_holdings_never_take_more_than_there_is_and_give_everything_back(steps: list[tuple[int, int]]) -> None:
    shares = Shares(100)
    holdings = [Holding(shares, ip) for ip in CLIENTS]
    for n, octets in steps:
        allowed = holdings[n].allows(octets)
        assert holdings[n].change(octets) == allowed
        assert 0 <= shares._free <= 100
    for holding in holdings:
        holding.close()
    assert shares._free == 100
    assert not shares._held


def test_what_a_client_has_begun_counts_again_for_itself() -> None:
    space = SharedDiskSpace(lambda octets: octets <= 8)
    assert space.take(A, 5)
    assert not space.take(A, 4)
    assert space.take(B, 8)
    space.give(A, 5)
    space.give(B, 8)
    assert not space._unfinished


def test_who_takes_nothing_is_not_remembered() -> None:
    space = SharedDiskSpace(lambda octets: octets <= 8)
    assert not space.take(A, 9)
    assert not space._unfinished
