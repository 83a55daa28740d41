from ipaddress import ip_address

from relay.intake.disk_space import SharedDiskSpace

A, B = ip_address("192.0.2.1"), ip_address("192.0.2.2")


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
