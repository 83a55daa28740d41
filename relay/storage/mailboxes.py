"""What is known of the providers' mailboxes: who polls them, which messages were fetched, how the last polls ended.

Guarantee: an id that was recorded is on the disk. What a poll writes counts only while its token is the mailbox's: a
node that was taken for dead changes nothing any more.
"""

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, Final

from sqlalchemy import and_, bindparam, delete, literal, or_, select, update

from relay.model.errors import RelayError
from relay.model.maildrop import Arrival, Mailbox, MessageKey, Seen
from relay.storage import arrivals as copies
from relay.storage.accepting import Claimant
from relay.storage.access import Access, P, R, asks, writes, writes_as
from relay.storage.account_tables import mailbox, seen
from relay.storage.committer import Rank
from relay.storage.engine import Database, transaction
from relay.storage.rows import clean
from relay.storage.statement import Many, Statement, insert
from relay.storage.transaction import Transaction

_ADDED: Final = insert(mailbox)
_IS_HELD: Final = and_(mailbox.c.account == bindparam("account"), mailbox.c.token == bindparam("token"))
# A token that is there already is that of the same write, which is run again. A node that began anew takes its own.
_ACQUIRE: Final = Statement(
    _ADDED.values(
        host=literal(""),
        login=literal(""),
        **{name: bindparam(name) for name in ("account", "node", "token", "lease_until")},
    ).on_conflict_do_update(
        index_elements=["account"],
        set_={name: _ADDED.excluded[name] for name in ("node", "token", "lease_until")},
        where=or_(
            mailbox.c.token.in_([literal(""), _ADDED.excluded.token]),
            mailbox.c.lease_until.is_(None),
            mailbox.c.lease_until <= bindparam("now"),
            and_(mailbox.c.node == _ADDED.excluded.node, mailbox.c.node != ""),
        ),
    )
)
_RENEW: Final = Statement(update(mailbox).values(lease_until=bindparam("lease_until")).where(_IS_HELD))
_RELEASE: Final = Statement(update(mailbox).values(node="", token="", lease_until=None).where(_IS_HELD))
_SELECT_MAILBOX: Final = Statement(
    select(mailbox.c.account, mailbox.c.host, mailbox.c.login, mailbox.c.folders, mailbox.c.last_ok, mailbox.c.error)
)
_SEEN: Final = (seen.c.first_seen, seen.c.fetched, seen.c.gone_at)
_SELECT_SEEN: Final = Statement(
    select(seen.c.uid, seen.c.folder, seen.c.validity, *_SEEN).where(seen.c.account == bindparam("account"))
)
_FORGET_ALL: Final = Statement(delete(seen).where(seen.c.account == bindparam("account")))
_OF_ACCOUNT: Final = update(mailbox).where(mailbox.c.account == bindparam("account"))
_SET_MAILBOX: Final = Statement(_OF_ACCOUNT.values({name: bindparam(name) for name in ("host", "login", "folders")}))
_BEGIN_ANEW: Final = Statement(_OF_ACCOUNT.values(last_ok=None, error=""))
_ENDED_WELL: Final = Statement(_OF_ACCOUNT.values(last_ok=bindparam("now"), error=""))
_FAILED: Final = Statement(_OF_ACCOUNT.values(error=bindparam("reason")))
_INSERT_SEEN: Final = Many.insert(
    insert(seen).on_conflict_do_nothing(), "account", "folder", "validity", "uid", "first_seen", "fetched"
)
_IS_MESSAGE: Final = and_(*(seen.c[name] == bindparam(name) for name in ("account", "folder", "validity", "uid")))
_SELECT_MESSAGE: Final = Statement(select(*_SEEN).where(_IS_MESSAGE))
_GONE: Final = Statement(update(seen).values(gone_at=bindparam("gone_at")).where(_IS_MESSAGE))
_FORGET: Final = Statement(delete(seen).where(_IS_MESSAGE))


class MailboxElsewhereError(RelayError):
    """Another node polls the mailbox, or may do so by now."""


Keys = Sequence[MessageKey]


def _acquire(tx: Transaction, by: Claimant, account: str, token: str) -> bool:
    """Take a mailbox for one poll, which is known by its token; false if another node has it."""
    now, until = tx.time() if tx.is_shared else 0, tx.lease_until(by.lease)
    return tx.change(_ACQUIRE, account=account, node=by.node, token=token, lease_until=until, now=now) == 1


def _renew(tx: Transaction, by: Claimant, account: str, token: str) -> bool:
    """Prolong the lease, and keep it from others until the transaction ends; false if it is another's by now."""
    return tx.change(_RENEW, lease_until=tx.lease_until(by.lease), account=account, token=token) == 1


def _release(tx: Transaction, account: str, token: str) -> None:
    """End the lease of a mailbox."""
    tx.change(_RELEASE, account=account, token=token)


def _begin(tx: Transaction, account: str, box: Mailbox, *, is_new: bool, skip: Keys = (), now: int) -> None:
    """Record a mailbox or folder that is new or renamed; `skip` is left alone for ever.

    `is_new`: it is another mailbox than before, and what is known of that is forgotten.
    """
    hosts, folders = clean(" ".join(box.hosts)), json.dumps(dict(box.folders))
    tx.change(_SET_MAILBOX, host=hosts, login=clean(box.login), folders=folders, account=account)
    if is_new:
        tx.change(_BEGIN_ANEW, account=account)
        tx.change(_FORGET_ALL, account=account)
    _insert_seen(tx, account, skip, now=now, fetched=False)


def _record(
    tx: Transaction,
    account: str,
    keys: Keys,
    *,
    now: int,
    arrivals: Sequence[Arrival] = (),
    repeated: frozenset[str] = frozenset(),
) -> Mapping[str, str]:
    """Record that messages stand in the inboxes, with `arrivals` as the users' copies: they are never fetched again.

    `repeated` are the ids of those whose file stood there before; returns which id counts in place of one of these.
    """
    _insert_seen(tx, account, keys, now=now, fetched=True)
    found = {one.id: copies.find_known(tx, one) for one in arrivals if one.id in repeated}
    known = {id_: before for id_, before in found.items() if before is not None}
    copies.insert(tx, [one for one in arrivals if one.id not in known])
    return known


def _note_listing(tx: Transaction, account: str, *, gone: Keys, back: Keys, forget: Keys, now: int) -> None:
    """Record which messages are no longer on the server, are there again, or need not be known any more."""
    tx.change_each(_GONE, [{"gone_at": now, **_columns(account, key)} for key in gone])
    tx.change_each(_GONE, [{"gone_at": None, **_columns(account, key)} for key in back])
    tx.change_each(_FORGET, [_columns(account, key) for key in forget])


def _end(tx: Transaction, account: str, *, now: int, error: str = "") -> None:
    """Record how a poll ended; `error` is empty if it went well."""
    if error:
        tx.change(_FAILED, reason=clean(error), account=account)
    else:
        tx.change(_ENDED_WELL, now=now, account=account)


def read_mailboxes(tx: Transaction) -> Mapping[str, Mailbox]:
    """Return the state of every mailbox, by account."""
    return {
        account: Mailbox(
            hosts=tuple(hosts.split()), login=login, folders=json.loads(folders), last_ok=last_ok, error=error
        )
        for account, hosts, login, folders, last_ok, error in tx.rows(_SELECT_MAILBOX)
    }


def _find(tx: Transaction, account: str) -> Mailbox | None:
    """Return what is known of an account's mailbox."""
    return read_mailboxes(tx).get(account)


def _read_seen(tx: Transaction, account: str) -> dict[MessageKey, Seen]:
    """Return the messages that are known."""
    return {
        MessageKey(uid, folder, validity): Seen(first_seen=first_seen, fetched=fetched, gone_at=gone_at)
        for uid, folder, validity, first_seen, fetched, gone_at in tx.rows(_SELECT_SEEN, account=account)
    }


def _while_held(
    rank: Rank, change: Callable[Concatenate[Transaction, str, P], R]
) -> Callable[Concatenate["Mailboxes", str, str, P], Coroutine[Any, Any, R]]:
    """Return the method that writes for a poll, known by its token, about an account's mailbox, and prolongs the lease.

    Where the token is not the mailbox's any more, nothing is written, and it raises MailboxElsewhereError.
    """

    @wraps(change)
    async def write(self: "Mailboxes", account: str, token: str, /, *arguments: P.args, **named: P.kwargs) -> R:
        def apply(tx: Transaction) -> tuple[R] | None:
            return (change(tx, account, *arguments, **named),) if _renew(tx, self._by, account, token) else None

        found = await self._write(rank, apply)
        if found is None:
            raise MailboxElsewhereError("another node polls this mailbox by now: the rest is left to it")
        return found[0]

    return write


class Mailboxes(Access):
    """The state of all mailboxes, as one node sees it; each method is documented by the function it is made of."""

    # Leases need not outlive a loss of power: with it all polls end.
    acquire = writes_as(Rank.ACQUIRE_MAILBOX, _acquire, synced=False)
    renew = writes_as(Rank.RENEW_MAILBOX, _renew, synced=False)
    release = writes(Rank.RELEASE_MAILBOX, _release, synced=False)
    begin = _while_held(Rank.BEGIN_MAILBOX, _begin)
    record = _while_held(Rank.RECORD_FETCHED, _record)
    note_listing = _while_held(Rank.RECORD_LISTING, _note_listing)
    end = _while_held(Rank.END_POLL, _end)

    find = asks(_find)
    seen = asks(_read_seen)


def _insert_seen(tx: Transaction, account: str, keys: Keys, *, now: int, fetched: bool) -> None:
    how = {"first_seen": now, "fetched": fetched}
    tx.change_each(_INSERT_SEEN, [{**_columns(account, key), **how} for key in keys])


def _columns(account: str, key: MessageKey) -> dict[str, str]:
    """Return the columns that name a message."""
    uid, folder, validity = map(clean, key)
    return {"account": account, "folder": folder, "validity": validity, "uid": uid}


def find_seen(engine: Database, copy: Arrival) -> Seen | None:
    """Return what the last polls saw of a collected message; None where it is not known any more."""
    key = MessageKey(copy.uidl, copy.folder, copy.validity)
    with transaction(engine, write=False) as tx:
        found = tx.records(_SELECT_MESSAGE, **_columns(copy.account, key))
    return Seen(**found[0]) if found else None
