from ipaddress import ip_address

from relay.intake.room import SharedRoom

A, B = ip_address("192.0.2.1"), ip_address("192.0.2.2")


def test_what_a_client_has_begun_counts_again_for_itself() -> None:
    room = SharedRoom(lambda octets: octets <= 8)
    assert room.take(A, 5)
    assert not room.take(A, 4)
    assert room.take(B, 8)
    room.give(A, 5)
    room.give(B, 8)
    assert not room._unfinished


def test_who_takes_nothing_is_not_remembered() -> None:
    room = SharedRoom(lambda octets: octets <= 8)
    assert not room.take(A, 9)
    assert not room._unfinished
