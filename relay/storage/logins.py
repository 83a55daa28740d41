"""The accounts' logins by OAuth 2: what is sealed of each, and the lease by which one at a time refreshes it.

Guarantee: what was stored is on the disk. What a refresh brings counts only while its token is that of the login: who
was taken for dead, or was overtaken by a person who signed in anew, changes nothing any more.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import and_, bindparam, delete, or_, select, update

from relay.model.oauth import StoredLogin
from relay.storage.account_tables import login as logins
from relay.storage.engine import Database, transaction
from relay.storage.rows import row_of
from relay.storage.statement import Statement, insert
from relay.storage.transaction import Transaction

LEASE: Final = 60_000
"""Milliseconds that one refresh may take; the question to the issuer takes a third of them at most."""
_COLUMNS: Final = (
    logins.c.account,
    logins.c.binding,
    logins.c.sealed,
    logins.c.begun_at,
    logins.c.got_at,
    logins.c.ends_at,
    logins.c.renewal_at,
    logins.c.renewal_ends_at,
    logins.c.ended,
)
_NAMES: Final = tuple(column.key for column in _COLUMNS)
_OF_ACCOUNT: Final = logins.c.account == bindparam("name")
_SELECT: Final = Statement(select(*_COLUMNS).where(_OF_ACCOUNT))
_SELECT_ALL: Final = Statement(select(*_COLUMNS).order_by(logins.c.account))
_NEW: Final = insert(logins).values({name: bindparam(name) for name in _NAMES})
_REPLACE: Final = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["account"],
        set_={name: _NEW.excluded[name] for name in _NAMES[1:]} | {"node": "", "token": "", "lease_until": None},
    )
)
_ADD: Final = Statement(_NEW.on_conflict_do_nothing())
# A lease that ends later than one made now was made by a clock that has been set back since.
_ACQUIRE: Final = Statement(
    update(logins)
    .values({name: bindparam(name) for name in ("node", "token", "lease_until")})
    .where(
        _OF_ACCOUNT,
        logins.c.binding == bindparam("bound"),
        or_(
            logins.c.token == "",
            logins.c.token == bindparam("mine"),
            logins.c.lease_until <= bindparam("now"),
            logins.c.lease_until > bindparam("latest"),
        ),
    )
)
_IS_HELD: Final = and_(_OF_ACCOUNT, logins.c.token == bindparam("mine"))
_FREE: Final = {"node": "", "token": "", "lease_until": None}
_REFRESHED: Final = ("sealed", "got_at", "ends_at", "renewal_at", "renewal_ends_at", "ended")
_STORE: Final = Statement(update(logins).values({name: bindparam(name) for name in _REFRESHED}).where(_IS_HELD))
_RELEASE: Final = Statement(update(logins).values(_FREE).where(_IS_HELD))
_RELEASE_ALL: Final = Statement(update(logins).values(_FREE).where(logins.c.node == bindparam("mine")))
_FORGET: Final = Statement(delete(logins).where(_OF_ACCOUNT))


def find_login(database: Database, account: str) -> StoredLogin | None:
    """Return what is stored of an account's login; None where nothing is."""
    with transaction(database, write=False) as tx:
        return _find(tx, account)


def list_logins(tx: Transaction) -> dict[str, StoredLogin]:
    """Return all logins by their accounts."""
    return {login.account: login for login in (StoredLogin(**row) for row in tx.records(_SELECT_ALL))}


def begin_login(database: Database, login: StoredLogin) -> None:
    """Store the login of somebody who has just signed in, in place of whatever was there."""
    with transaction(database, write=True) as tx:
        tx.change(_REPLACE, **row_of(login, _NAMES))


def acquire_login(
    database: Database, account: str, binding: str, *, node: str, token: str, now: int
) -> StoredLogin | None:
    """Take a login for one refresh, and return it as it stands then; None while another refreshes it, or it is another.

    `token` is the name of the refresh, `now` the time of who asks: a shared database takes its own.
    """
    with transaction(database, write=True) as tx:
        at = tx.time() if tx.is_shared else now
        until = at + LEASE
        held = tx.change(
            _ACQUIRE, node=node, token=token, lease_until=until, name=account, bound=binding, mine=token, now=at,
            latest=until,
        )  # fmt: skip
        return _find(tx, account) if held else None


def add_login(database: Database, login: StoredLogin) -> None:
    """Store a login that nobody signs in for, where there is none or that of another binding."""
    with transaction(database, write=True) as tx:
        found = _find(tx, login.account)
        if found is None:
            tx.change(_ADD, **row_of(login, _NAMES))
        elif found.binding != login.binding:
            tx.change(_REPLACE, **row_of(login, _NAMES))


def store_login(database: Database, login: StoredLogin, *, token: str) -> bool:
    """Store what a refresh has brought and end its lease; false where the login is not its own any more."""
    row = row_of(login, _NAMES)
    with transaction(database, write=True) as tx:
        stored = tx.change(_STORE, **{name: row[name] for name in _REFRESHED}, name=login.account, mine=token) > 0
        tx.change(_RELEASE, name=login.account, mine=token)
    return stored


def release_login(database: Database, account: str, *, token: str) -> None:
    """End the lease of a refresh that has brought nothing."""
    with transaction(database, write=True) as tx:
        tx.change(_RELEASE, name=account, mine=token)


def release_logins(database: Database, node: str) -> None:
    """End the leases of a node that begins anew: whoever held them is dead."""
    with transaction(database, write=True) as tx:
        tx.change(_RELEASE_ALL, mine=node)


def forget_unused(database: Database, *, used: Collection[str], before: int) -> None:
    """Delete the logins of all accounts but those that are used, where no token has come since a moment."""
    with transaction(database, write=True) as tx:
        for login in list_logins(tx).values():
            if login.account not in used and login.got_at < before:
                tx.change(_FORGET, name=login.account)


def _find(tx: Transaction, account: str) -> StoredLogin | None:
    found = tx.records(_SELECT, name=account)
    return StoredLogin(**found[0]) if found else None
