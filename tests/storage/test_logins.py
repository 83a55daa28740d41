from dataclasses import replace

from sqlalchemy import Engine

from relay.model.oauth import StoredLogin
from relay.storage.engine import transaction
from relay.storage.logins import (
    LEASE,
    acquire_login,
    add_login,
    begin_login,
    find_login,
    forget_unused,
    list_logins,
    release_login,
    release_logins,
    store_login,
)
from tests.storage.conftest import NOW

LOGIN = StoredLogin(account="sales", binding="b", sealed="sealed", begun_at=NOW, got_at=NOW, ends_at=NOW + 1000)


def now_of(engine: Engine) -> int:
    """Give the time by which leases are measured: a shared database has its own."""
    with transaction(engine, write=False) as tx:
        return tx.time() if tx.is_shared else NOW


def listed(engine: Engine) -> dict[str, StoredLogin]:
    with transaction(engine, write=False) as tx:
        return list_logins(tx)


def acquire(engine: Engine, token: str, *, binding: str = "b", node: str = "", later: int = 0) -> StoredLogin | None:
    return acquire_login(engine, "sales", binding, node=node, token=token, now=NOW + later)


def test_a_login_is_kept_as_it_was_stored(engine: Engine) -> None:
    assert find_login(engine, "sales") is None
    begin_login(engine, LOGIN)
    assert find_login(engine, "sales") == LOGIN
    anew = replace(LOGIN, binding="c", begun_at=NOW + 1, sealed="other")
    begin_login(engine, anew)
    assert listed(engine) == {"sales": anew}
    assert "other" not in repr(anew)


def test_what_no_account_uses_is_forgotten_once_it_has_rested(engine: Engine) -> None:
    begin_login(engine, LOGIN)
    begin_login(engine, replace(LOGIN, account="gone"))
    begin_login(engine, replace(LOGIN, account="new", got_at=LOGIN.got_at + 1))
    forget_unused(engine, used={"sales"}, before=LOGIN.got_at)
    assert set(listed(engine)) == {"sales", "gone", "new"}
    forget_unused(engine, used={"sales"}, before=LOGIN.got_at + 1)
    assert set(listed(engine)) == {"sales", "new"}


def test_one_refresh_at_a_time(engine: Engine) -> None:
    begin_login(engine, LOGIN)
    assert acquire(engine, "one") == LOGIN
    assert acquire(engine, "two") is None
    assert acquire(engine, "one") == LOGIN  # the same, run again
    release_login(engine, "sales", token="two")
    assert acquire(engine, "two") is None
    new = replace(LOGIN, sealed="new", got_at=NOW + 5, ends_at=NOW + 9)
    assert store_login(engine, new, token="one")
    assert acquire(engine, "two") == new


def test_who_was_overtaken_stores_nothing(engine: Engine) -> None:
    begin_login(engine, LOGIN)
    assert acquire(engine, "one") == LOGIN
    anew = replace(LOGIN, sealed="signed in anew", begun_at=NOW + 7)
    begin_login(engine, anew)
    assert not store_login(engine, replace(LOGIN, ended="over"), token="one")
    assert find_login(engine, "sales") == anew
    assert acquire(engine, "two") == anew


def test_a_lease_ends_with_its_time_and_with_a_node_that_begins_anew(engine: Engine) -> None:
    begin_login(engine, LOGIN)
    assert acquire(engine, "one", node="n1") == LOGIN
    release_logins(engine, "n2")
    assert acquire(engine, "two", node="n2") is None
    release_logins(engine, "n1")
    assert acquire(engine, "two", node="n2") == LOGIN
    _end_lease(engine, now_of(engine) - 1)
    assert acquire(engine, "three") == LOGIN
    _end_lease(engine, now_of(engine) + 10 * LEASE)  # by a clock that was set back since
    assert acquire(engine, "four") == LOGIN
    release_login(engine, "sales", token="four")
    assert acquire(engine, "five") == LOGIN


def _end_lease(engine: Engine, at: int) -> None:
    with transaction(engine, write=True) as tx:
        tx.raw("UPDATE login SET lease_until = ?", at)


def test_another_binding_is_another_login(engine: Engine) -> None:
    begin_login(engine, LOGIN)
    assert acquire(engine, "one", binding="c") is None
    add_login(engine, replace(LOGIN, sealed="ignored"))
    assert find_login(engine, "sales") == LOGIN
    app = StoredLogin(account="sales", binding="c", begun_at=NOW)
    add_login(engine, app)
    assert acquire(engine, "one", binding="c") == app
    add_login(engine, StoredLogin(account="other", binding="c", begun_at=NOW))
    assert list(listed(engine)) == ["other", "sales"]
