"""What is known of the providers' mailboxes: who polls them, which messages were fetched, how the last polls ended.

Guarantee: an id that was recorded is on the disk. What a poll writes counts only while its token is the mailbox's: a
node that was taken for dead changes nothing any more.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from sqlalchemy import and_, bindparam, delete, literal, or_, select, update

from relay.model.arrival import Arrival
from relay.model.errors import RelayError
from relay.model.maildrop import Mailbox, MessageKey, Seen
from relay.storage import arrivals
from relay.storage.engine import Database, transaction
from relay.storage.operation import Operation, Rank
from relay.storage.rows import clean
from relay.storage.statement import Many, Statement, insert
from relay.storage.tables import mailbox, seen
from relay.storage.transaction import Transaction
from relay.storage.writer import Writer

T = TypeVar("T")
R = TypeVar("R")

LEASE: Final = 60_000
"""Milliseconds for which a node has a mailbox without renewing that."""
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
_SELECT_SEEN: Final = Statement(
    select(seen.c.uid, seen.c.folder, seen.c.validity, seen.c.first_seen, seen.c.fetched, seen.c.gone_at).where(
        seen.c.account == bindparam("account")
    )
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
_GONE: Final = Statement(update(seen).values(gone_at=bindparam("gone_at")).where(_IS_MESSAGE))
_FORGET: Final = Statement(delete(seen).where(_IS_MESSAGE))


class MailboxElsewhereError(RelayError):
    """Another node polls the mailbox, or may do so by now."""


class Grant(NamedTuple):
    """The lease of a mailbox was granted."""

    shared: bool
    """Whether other nodes can take the mailbox over once the lease is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstContact:
    """What a poll found out about a mailbox, or a folder of it, that is new or has another name than before."""

    hosts: Sequence[str]
    """The names of its host that are remembered."""
    login: str
    folders: Mapping[str, str]
    """The folders that are remembered, each with its validity."""
    is_new: bool
    """Whether it is another mailbox than before: then nothing that is known of the earlier one counts."""
    skip: Sequence[MessageKey]
    """Messages that are left alone for ever."""


class _Write(NamedTuple, Generic[T]):
    """What a poll writes about its mailbox; it counts only while the token is the mailbox's."""

    account: str
    token: str
    now: int
    content: T


Keys = Sequence[MessageKey]
_Fetched = tuple[Keys, Sequence[Arrival], frozenset[str]]
"""Of which messages, their copies, and the ids of those whose file was there before."""
_Listing = tuple[Keys, Keys, Keys]
"""What is gone, what is back, and what is forgotten."""


class Mailboxes:
    """The state of all mailboxes, as one node sees it. `lease` is in milliseconds."""

    def __init__(self, engine: Database, writer: Writer, *, node: str = "", lease: int = LEASE) -> None:
        self._engine = engine
        self._writer = writer
        self.node = node
        self.lease = lease
        # Leases need not outlive a loss of power: with it all polls end.
        self._acquire = Operation(Rank.ACQUIRE_MAILBOX, self._apply_acquire, synced=False)
        self._renew = Operation(Rank.RENEW_MAILBOX, self._apply_renew, synced=False)
        self._begin = Operation(Rank.BEGIN_MAILBOX, self._if_held(_apply_begin))
        self._fetched = Operation(Rank.RECORD_FETCHED, self._if_held(_apply_record))
        self._listing = Operation(Rank.RECORD_LISTING, self._if_held(_apply_listing))
        self._end = Operation(Rank.END_POLL, self._if_held(_apply_end))
        self._release = Operation(Rank.RELEASE_MAILBOX, _apply_release, synced=False)

    async def acquire(self, account: str, token: str) -> Grant | None:
        """Take a mailbox for one poll, which is known by its token; None if another node has it."""
        return await self._writer.run(self._acquire, (account, token))

    async def renew(self, account: str, token: str) -> bool:
        """Prolong the lease; false if it is another's by now."""
        return await self._writer.run(self._renew, (account, token))

    async def release(self, account: str, token: str) -> None:
        """End the lease of a mailbox."""
        await self._writer.run(self._release, (account, token))

    async def find(self, account: str) -> Mailbox | None:
        """Return what is known of an account's mailbox."""
        return (await asyncio.to_thread(list_mailboxes, self._engine)).get(account)

    async def seen(self, account: str) -> dict[MessageKey, Seen]:
        """Return the messages that are known."""
        return await asyncio.to_thread(_read_seen, self._engine, account)

    async def begin(self, account: str, token: str, contact: FirstContact, *, now: int) -> None:
        """Record the first contact with a mailbox or folder. Raises MailboxElsewhereError."""
        await self._write(self._begin, account, token, now, contact)

    async def record(
        self,
        account: str,
        token: str,
        keys: Keys,
        *,
        now: int,
        arrivals: Sequence[Arrival] = (),
        repeated: frozenset[str] = frozenset(),
    ) -> Mapping[str, str]:
        """Record that messages stand in the inboxes: they are never fetched again. Raises MailboxElsewhereError.

        `arrivals` are the users' copies of them; `repeated` are the ids of those whose file stood there before. The
        result holds those of the latter that were recorded earlier: the id of each, and the id that counts.
        """
        return await self._write(self._fetched, account, token, now, (keys, arrivals, repeated))

    async def note_listing(self, account: str, token: str, *, gone: Keys, back: Keys, forget: Keys, now: int) -> None:
        """Record which messages are no longer on the server, are there again, or need not be known any more.

        Raises MailboxElsewhereError if the token is not the mailbox's any more.
        """
        if gone or back or forget:
            await self._write(self._listing, account, token, now, (gone, back, forget))

    async def end(self, account: str, token: str, *, now: int, error: str = "") -> None:
        """Record how a poll ended; `error` is empty if it went well. Raises MailboxElsewhereError."""
        await self._write(self._end, account, token, now, error)

    async def _write(
        self, operation: Operation[_Write[T], R | None], account: str, token: str, now: int, content: T
    ) -> R:
        result = await self._writer.run(operation, _Write(account, token, now, content))
        if result is None:
            raise MailboxElsewhereError("another node polls this mailbox by now: the rest is left to it")
        return result

    # In the writer's thread

    def _holds(self, tx: Transaction, account: str, token: str) -> bool:
        """Return whether a mailbox is a poll's, and keep it so until the transaction ends; this renews the lease."""
        return tx.change(_RENEW, lease_until=tx.lease_until(self.lease), account=account, token=token) == 1

    def _apply_acquire(self, tx: Transaction, wishes: Sequence[tuple[str, str]]) -> list[Grant | None]:
        granted = []
        for account, token in wishes:
            now, until = tx.time() if tx.is_shared else 0, tx.lease_until(self.lease)
            taken = tx.change(_ACQUIRE, account=account, node=self.node, token=token, lease_until=until, now=now)
            granted.append(Grant(shared=tx.is_shared) if taken else None)
        return granted

    def _apply_renew(self, tx: Transaction, leases: Sequence[tuple[str, str]]) -> list[bool]:
        return [self._holds(tx, account, token) for account, token in leases]

    def _if_held(
        self, apply: Callable[[Transaction, _Write[T]], R]
    ) -> Callable[[Transaction, Sequence[_Write[T]]], list[R | None]]:
        """Return what applies each write whose token is the mailbox's; the result of any other is None."""

        def apply_held(tx: Transaction, writes: Sequence[_Write[T]]) -> list[R | None]:
            return [apply(tx, one) if self._holds(tx, one.account, one.token) else None for one in writes]

        return apply_held


def _apply_begin(tx: Transaction, write: _Write[FirstContact]) -> bool:
    account, contact = write.account, write.content
    hosts, folders = clean(" ".join(contact.hosts)), json.dumps(dict(contact.folders))
    tx.change(_SET_MAILBOX, host=hosts, login=clean(contact.login), folders=folders, account=account)
    if contact.is_new:
        tx.change(_BEGIN_ANEW, account=account)
        tx.change(_FORGET_ALL, account=account)
    _insert_seen(tx, write, contact.skip, fetched=False)
    return True


def _apply_record(tx: Transaction, write: _Write[_Fetched]) -> Mapping[str, str]:
    """Write the copies that are new; return the ids of the others, each with that under which it is known."""
    keys, copies, repeated = write.content
    _insert_seen(tx, write, keys, fetched=True)
    found = {one.id: arrivals.find_known(tx, one) for one in copies if one.id in repeated}
    known = {id_: before for id_, before in found.items() if before is not None}
    arrivals.insert(tx, [one for one in copies if one.id not in known])
    return known


def _apply_listing(tx: Transaction, write: _Write[_Listing]) -> bool:
    gone, back, forget = write.content
    tx.change_each(_GONE, [{"gone_at": write.now, **_columns(write, key)} for key in gone])
    tx.change_each(_GONE, [{"gone_at": None, **_columns(write, key)} for key in back])
    tx.change_each(_FORGET, [_columns(write, key) for key in forget])
    return True


def _apply_end(tx: Transaction, write: _Write[str]) -> bool:
    if write.content:
        tx.change(_FAILED, reason=clean(write.content), account=write.account)
    else:
        tx.change(_ENDED_WELL, now=write.now, account=write.account)
    return True


def _apply_release(tx: Transaction, leases: Sequence[tuple[str, str]]) -> list[None]:
    for account, token in leases:
        tx.change(_RELEASE, account=account, token=token)
    return [None] * len(leases)


def _insert_seen(tx: Transaction, write: _Write[T], keys: Sequence[MessageKey], *, fetched: bool) -> None:
    how = {"first_seen": write.now, "fetched": fetched}
    tx.change_each(_INSERT_SEEN, [{**_columns(write, key), **how} for key in keys])


def _columns(write: _Write[T], key: MessageKey) -> dict[str, str]:
    """Return the columns that name a message."""
    uid, folder, validity = map(clean, key)
    return {"account": write.account, "folder": folder, "validity": validity, "uid": uid}


def list_mailboxes(engine: Database) -> Mapping[str, Mailbox]:
    """Return the state of every mailbox, by account."""
    with transaction(engine, write=False) as tx:
        return {
            account: Mailbox(account=account, hosts=tuple(hosts.split()), login=login, folders=json.loads(folders),
                             last_ok=last_ok, error=error)
            for account, hosts, login, folders, last_ok, error in tx.rows(_SELECT_MAILBOX)
        }  # fmt: skip


def _read_seen(engine: Database, account: str) -> dict[MessageKey, Seen]:
    with transaction(engine, write=False) as tx:
        return {
            MessageKey(uid, folder, validity): Seen(first_seen=first_seen, fetched=fetched, gone_at=gone_at)
            for uid, folder, validity, first_seen, fetched, gone_at in tx.rows(_SELECT_SEEN, account=account)
        }
