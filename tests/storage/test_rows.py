import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, bindparam, select

from relay.storage.engine import transaction
from relay.storage.rows import clean, is_like
from relay.storage.statement import Statement, insert
from relay.storage.tables import meta
from relay.storage.upgrade import prepare_database

_PUT = Statement(insert(meta).values(key=bindparam("key"), value=bindparam("value")))
_ADDRESSES = ("Anna@Example.com", "anna_b@example.com", "annaXb@example.com", "50%@example.net", "a\\b@example.net")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("anna@example.com", {"Anna@Example.com"}),
        ("ANNA*", {"Anna@Example.com", "anna_b@example.com", "annaXb@example.com"}),
        ("anna_b@*", {"anna_b@example.com"}),
        ("anna?b@*", {"anna_b@example.com", "annaXb@example.com"}),
        ("50%*", {"50%@example.net"}),
        ("%", set()),
        ("a\\b*", {"a\\b@example.net"}),
        ("*.net", {"50%@example.net", "a\\b@example.net"}),
    ],
)
def test_only_stars_and_question_marks_stand_for_others(engine: Engine, pattern: str, found: set[str]) -> None:
    prepare_database(engine)
    chosen = Statement(
        select(meta.c.value).where(is_like(meta.c.value, pattern), meta.c.key.like("address-%")), composed=True
    )
    with transaction(engine, write=True) as tx:
        for address in _ADDRESSES:
            tx.change(_PUT, key=f"address-{address}", value=address)
        assert {row[0] for row in tx.rows(chosen)} == found


@given(st.text())
def test_what_is_cleaned_can_be_stored_by_both_databases(text: str) -> None:
    cleaned = clean(text)
    assert "\0" not in cleaned
    cleaned.encode("utf-8")
    assert len(cleaned) == len(text)
    assert clean(cleaned) == cleaned
