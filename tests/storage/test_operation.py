from relay.storage.operation import Rank


def test_each_kind_of_write_has_a_place_of_its_own_and_what_adds_comes_first() -> None:
    assert len({*Rank}) == len(Rank.__members__)
    assert Rank.WRITE_CHUNK < Rank.ACCEPT < Rank.SETTLE < Rank.REQUEUE < Rank.CLAIM < Rank.DISCARD
