from hypothesis import given
from hypothesis import strategies as st

from relay.rules.turns import MOST_USERS, Cursor, behind, next_in_turn, user_of

_NAMES = st.text(st.characters(min_codepoint=33), min_size=1, max_size=3)


def test_behind_the_last_comes_the_first() -> None:
    names = ["anna", "bert", "carl"]
    assert [next_in_turn(names, last) for last in ("", "anna", "b", "bert", "carl", "z")] == [
        "anna", "bert", "bert", "carl", "anna", "anna",
    ]  # fmt: skip


@given(st.sets(_NAMES, min_size=1))
def test_in_one_round_each_has_his_turn_once(names: set[str]) -> None:
    ordered, last, seen = sorted(names), "", list[str]()
    for _ in names:
        last = next_in_turn(ordered, last)
        seen.append(last)
    assert seen == ordered


@given(_NAMES, _NAMES, st.text())
def test_a_user_is_behind_the_sources_of_those_before_him(one: str, other: str, kind: str) -> None:
    source = f"{one} {kind}"
    assert user_of(source) == one
    assert source < behind(one)
    assert (behind(one) <= f"{other} ") == (one < other)


def test_a_cursor_remembers_the_turns_of_so_many_users() -> None:
    cursor = Cursor()
    for n in range(MOST_USERS):
        cursor = cursor.after(f"user{n} scan")
    cursor = cursor.after("user0 fax").after("another scan")
    assert len(cursor.sources) == MOST_USERS
    assert (cursor.user, cursor.source_of("user0"), cursor.source_of("user1")) == ("another", "user0 fax", "")
