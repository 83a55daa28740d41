"""What the seam promises, on both databases."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Engine, Integer, bindparam, delete, select, update

from relay.storage.account_tables import mailbox, pause, seen
from relay.storage.engine import transaction
from relay.storage.statement import Many, Statement, insert, is_in
from relay.storage.tables import meta
from relay.storage.transaction import Transaction

_PUT = Many.insert(insert(meta).on_conflict_do_nothing(), "key", "value")
_REPLACE = Statement(
    (new := insert(meta))
    .values(key=bindparam("key"), value=bindparam("value"))
    .on_conflict_do_update(index_elements=["key"], set_={"value": new.excluded.value})
)
_CHANGE = Many(
    lambda new: update(meta).values(value=new.c.text).where(meta.c.key == new.c.key), key=meta.c.key, text=meta.c.value
)
_DROP = Statement(delete(meta).where(is_in(meta.c.key, "keys")))
_GET = Statement(
    select(meta.c.key, meta.c.value).where(is_in(meta.c.key, "keys"), meta.c.value != "it's 5 %").order_by(meta.c.key)
)
_LOCK = Statement(
    select(meta.c.value)
    .where(meta.c.key == bindparam("key"))
    .with_for_update(of=meta)
    .limit(bindparam("limit", type_=Integer))
)
_PUT_PAUSE = Statement(
    insert(pause).values({c.name: bindparam(c.name) for c in pause.c})
)  # fmt: skip
_PAUSES = Statement(select(pause.c.account, pause.c.by_person, pause.c.until).order_by(pause.c.account))


def _kept(tx: Transaction, keys: Sequence[str]) -> list[tuple[str, str]]:
    return list(tx.rows(_GET, keys=list(keys)))


def test_upserts_lists_and_locks_do_the_same_on_both_databases(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        tx.change_each(
            _PUT, [{"key": "a", "value": "1"}, {"key": "b?%", "value": "2"}, {"value": "it's 5 %", "key": "c"}]
        )
        tx.change_each(_PUT, [{"key": "a", "value": "other"}])
        tx.change_each(_PUT, [])
        assert _kept(tx, ["a", "b?%", "c"]) == [("a", "1"), ("b?%", "2")]
        assert tx.change(_REPLACE, key="a", value="3") == 1
        assert _kept(tx, ["a"]) == [("a", "3")]
        assert list(tx.rows(_LOCK, key="a", limit=1)) == [("3",)]
        assert _kept(tx, []) == []
        assert tx.change(_DROP, keys=["a", "b?%", "none"]) == 2


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 100])
def test_many_rows_are_written_whatever_their_number(engine: Engine, count: int) -> None:
    keys = [f"k{n:03d}" for n in range(count)]
    with transaction(engine, write=True) as tx:
        tx.change_each(_PUT, [{"key": key, "value": f"({key})"} for key in keys + keys[:1]])
        tx.change_each(_CHANGE, [{"text": f"new {key}", "key": key} for key in keys])
        assert _kept(tx, keys) == [(key, f"new {key}") for key in keys]


def test_truth_is_truth(engine: Engine) -> None:
    given = {"since": 1, "until": None, "reason": "", "probes": 0, "next_probe": None, "fingerprint": ""}
    with transaction(engine, write=True) as tx:
        tx.change(_PUT_PAUSE, account="a", by_person=True, **given)
        tx.change_each(_PUT_PAUSE, [{"account": "b", "by_person": False, **given}])
        rows = list(tx.rows(_PAUSES))
    assert rows == [("a", True, None), ("b", False, None)]
    assert all(isinstance(row[1], bool) for row in rows)


def test_a_parameter_that_is_missing_or_misspelt_is_named(engine: Engine) -> None:
    with transaction(engine, write=False) as tx:
        with pytest.raises(TypeError, match=r"missing: \['keys'\], unknown: \['names'\]"):
            tx.rows(_GET, names=["a"])
        with pytest.raises(TypeError, match=r"missing: \['limit'\], unknown: \[\]"):
            tx.rows(_LOCK, key="a")
        with pytest.raises(TypeError, match=r"missing: \[\], unknown: \['more'\]"):
            tx.rows(_GET, keys=[], more=1)
        with pytest.raises(TypeError, match=r"missing: \['value'\]"):
            tx.change_each(_PUT, [{"key": "a"}])


def test_what_is_put_together_at_run_time_has_its_values_as_parameters(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        tx.change_each(_PUT, [{"key": key, "value": "v"} for key in ("a", "b", "c")])
        found = select(meta.c.key).where(is_in(meta.c.key, ["a", "b"]), meta.c.key > "a", meta.c.value == "v").limit(5)
        statement = Statement(found, composed=True)
        assert list(tx.rows(statement)) == [("b",)]
        assert "'v'" not in statement.form("sqlite").text


def test_no_condition_is_compared_with_one() -> None:
    text = Statement(select(seen.c.uid).where(seen.c.account == "a", is_in(seen.c.uid, "ids"))).form("sqlite").text
    assert "= 1" not in text


def test_columns_have_their_names(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        tx.change_each(
            Many.insert(insert(mailbox), "account", "host", "login"), [{"account": "a", "host": "h", "login": "l"}]
        )
        assert tx.records(Statement(select(mailbox.c.account, mailbox.c.host.label("where")))) == [
            {"account": "a", "where": "h"}
        ]
