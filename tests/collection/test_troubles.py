from relay.collection.troubles import Troubles
from relay.model.maildrop import Listed, MessageKey

ONE, TWO, THREE = (Listed(n=n, key=MessageKey(f"k{n}"), size=n * 100) for n in (1, 2, 3))
ALL = [ONE, TWO, THREE]
MUCH = 1000


def fetched(troubles: Troubles, limit: int = MUCH) -> list[Listed]:
    return troubles.sort_out(ALL, limit=limit)[0]


def test_what_is_larger_than_the_limit_is_left_with_the_reason_until_the_limit_is() -> None:
    troubles = Troubles()
    fetch, left = troubles.sort_out(ALL, limit=200)
    assert (fetch, [one for one, _ in left]) == ([ONE, TWO], [THREE])
    assert "200" in left[0][1]
    assert fetched(troubles) == ALL


def test_what_turned_out_to_be_larger_is_left_until_the_limit_is_raised() -> None:
    troubles = Troubles()
    troubles.note_outgrown(ONE, limit=500)
    assert fetched(troubles, 500) == fetched(troubles, 300) == [TWO, THREE]
    assert fetched(troubles, 501) == ALL


def test_where_the_session_broke_comes_last_and_is_left_out_longer_each_time() -> None:
    troubles = Troubles()
    polls = []
    for _ in range(12):
        fetch = fetched(troubles)
        polls.append(ONE in fetch)
        if ONE in fetch:
            assert fetch[-1] is ONE or len(polls) == 1
            troubles.note_break(ONE)
    assert polls == [True, True, False, True, False, False, False, True, False, False, False, False]
    for _ in range(20):
        troubles.note_break(TWO)
    assert [TWO in fetched(troubles) for _ in range(64)] == [False] * 63 + [True]


def test_what_was_fetched_or_is_gone_is_forgotten() -> None:
    troubles = Troubles()
    for one in ALL:
        troubles.note_break(one)
        troubles.note_break(one)
    troubles.note_fetched([ONE])
    assert fetched(troubles) == [ONE]
    troubles.sort_out([THREE], limit=MUCH)
    assert list(troubles._known) == [MessageKey("k3")]


def test_each_message_that_is_left_is_news_once() -> None:
    troubles = Troubles()
    assert [troubles.is_news(ONE), troubles.is_news(ONE), troubles.is_news(TWO)] == [True, False, True]
    troubles.note_break(ONE)
    assert troubles.is_news(ONE)


def test_without_unique_ids_place_and_size_tell_messages_apart() -> None:
    troubles = Troubles()
    first, second = (Listed(n=n, key=MessageKey(""), size=5) for n in (1, 2))
    troubles.note_outgrown(first, limit=MUCH)
    assert troubles.sort_out([first, second], limit=MUCH)[0] == [second]
