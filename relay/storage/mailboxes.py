"""What is known of the providers' mailboxes: who polls them, which messages were fetched, how the last polls ended.

Guarantee: an id that was recorded is on the disk. What a poll writes counts only while its token is the mailbox's: a
node that was taken for dead changes nothing any more.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from relay.model.arrival import Arrival
from relay.model.errors import RelayError
from relay.model.maildrop import Mailbox, MessageKey, Seen
from relay.storage import arrivals
from relay.storage.engine import Database, transaction
from relay.storage.rows import clean
from relay.storage.transaction import Transaction
from relay.storage.writer import Operation, Writer

T = TypeVar("T")

LEASE: Final = 60_000
"""Milliseconds for which a node has a mailbox without renewing that."""
# A token that is there already is that of the same write, which is run again. A node that began anew takes its own.
_ACQUIRE: Final = (
    "INSERT INTO mailbox (account, host, login, node, token, lease_until) VALUES (?, '', '', ?, ?, ?)"
    " ON CONFLICT (account) DO UPDATE"
    " SET node = excluded.node, token = excluded.token, lease_until = excluded.lease_until"
    " WHERE mailbox.token IN ('', excluded.token) OR mailbox.lease_until IS NULL OR mailbox.lease_until <= ?"
    " OR (mailbox.node = excluded.node AND mailbox.node <> '')"
)
_RENEW: Final = "UPDATE mailbox SET lease_until = ? WHERE account = ? AND token = ?"
_RELEASE: Final = "UPDATE mailbox SET node = '', token = '', lease_until = NULL WHERE account = ? AND token = ?"
_SELECT_MAILBOX: Final = "SELECT account, host, login, last_ok, error FROM mailbox"
_SELECT_SEEN: Final = "SELECT uidl, first_seen, fetched, gone_at FROM seen WHERE account = ?"
_FORGET_ALL: Final = "DELETE FROM seen WHERE account = ?"
_SET_MAILBOX: Final = "UPDATE mailbox SET host = ?, login = ? WHERE account = ?"
_BEGIN_ANEW: Final = "UPDATE mailbox SET last_ok = NULL, error = '' WHERE account = ?"
_INSERT_SEEN: Final = (
    "INSERT INTO seen (account, uidl, first_seen, fetched) VALUES (?, ?, ?, ?) ON CONFLICT (account, uidl) DO NOTHING"
)
_GONE: Final = "UPDATE seen SET gone_at = ? WHERE account = ? AND uidl = ?"
_FORGET: Final = "DELETE FROM seen WHERE account = ? AND uidl = ?"
_GOOD: Final = "UPDATE mailbox SET last_ok = ?, error = '' WHERE account = ?"
_BAD: Final = "UPDATE mailbox SET error = ? WHERE account = ?"


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


@dataclass(frozen=True, slots=True)
class _Write(Generic[T]):
    """What a poll writes about its mailbox; it counts only while the token is the mailbox's."""

    account: str
    token: str
    now: int
    content: T


class _Fetched(NamedTuple):
    keys: Sequence[MessageKey]
    arrivals: Sequence[Arrival]
    repeated: frozenset[str]


class _Listing(NamedTuple):
    gone: Sequence[MessageKey]
    back: Sequence[MessageKey]
    forget: Sequence[MessageKey]


class Mailboxes:
    """The state of all mailboxes, as one node sees it. `lease` is in milliseconds."""

    def __init__(self, engine: Database, writer: Writer, *, node: str = "", lease: int = LEASE) -> None:
        self._engine = engine
        self._writer = writer
        self.node = node
        self.lease = lease
        # Leases need not outlive a loss of power: with it all polls end.
        self._acquire = Operation(30, self._apply_acquire, synced=False)
        self._renew = Operation(31, self._apply_renew, synced=False)
        self._begin = Operation(32, self._if_held(_apply_begin))
        self._fetched = Operation(33, self._apply_record)
        self._listing = Operation(34, self._if_held(_apply_listing))
        self._end = Operation(35, self._if_held(_apply_end))
        self._release = Operation(36, _apply_release, synced=False)

    async def acquire(self, account: str, token: str) -> Grant | None:
        """Take a mailbox for one poll, which is known by its token; None if another node has it."""
        return await self._writer.run(self._acquire, (account, token))

    async def renew(self, account: str, token: str) -> bool:
        """Prolong the lease; false if it is another's by now."""
        return await self._writer.run(self._renew, (account, token))

    async def release(self, account: str, token: str) -> None:
        """Give a mailbox back."""
        await self._writer.run(self._release, (account, token))

    async def find(self, account: str) -> Mailbox | None:
        """Return what is known of an account's mailbox."""
        return (await asyncio.to_thread(list_mailboxes, self._engine)).get(account)

    async def seen(self, account: str) -> dict[MessageKey, Seen]:
        """Return the messages that are known."""
        return await asyncio.to_thread(_read_seen, self._engine, account)

    async def begin(self, account: str, token: str, contact: FirstContact, *, now: int) -> None:
        """Record the first contact with a mailbox or folder. Raises MailboxElsewhereError."""
        _require(await self._writer.run(self._begin, _Write(account, token, now, contact)))

    async def record(
        self,
        account: str,
        token: str,
        keys: Sequence[MessageKey],
        *,
        now: int,
        arrivals: Sequence[Arrival] = (),
        repeated: frozenset[str] = frozenset(),
    ) -> Mapping[str, str]:
        """Record that messages stand in the inboxes: they are never fetched again. Raises MailboxElsewhereError.

        `arrivals` are the users' copies of them; `repeated` are the ids of those whose file stood there before. The
        result holds those of the latter that were recorded earlier: the id of each, and the id that counts.
        """
        fetched = _Fetched(keys, arrivals, repeated)
        known = await self._writer.run(self._fetched, _Write(account, token, now, fetched))
        _require(known is not None)
        return known or {}

    async def note_listing(
        self,
        account: str,
        token: str,
        *,
        gone: Sequence[MessageKey],
        back: Sequence[MessageKey],
        forget: Sequence[MessageKey],
        now: int,
    ) -> None:
        """Record which messages are no longer on the server, are there again, or need not be known any more.

        Raises MailboxElsewhereError if the token is not the mailbox's any more.
        """
        if gone or back or forget:
            listing = _Listing(gone, back, forget)
            _require(await self._writer.run(self._listing, _Write(account, token, now, listing)))

    async def end(self, account: str, token: str, *, now: int, error: str = "") -> None:
        """Record how a poll ended; `error` is empty if it went well. Raises MailboxElsewhereError."""
        _require(await self._writer.run(self._end, _Write(account, token, now, error)))

    # In the writer's thread

    def _lease_until(self, tx: Transaction) -> int | None:
        return tx.time() + self.lease if tx.is_shared else None

    def _holds(self, tx: Transaction, account: str, token: str) -> bool:
        """Return whether a mailbox is a poll's, and keep it so until the transaction ends; this renews the lease."""
        return tx.change(_RENEW, self._lease_until(tx), account, token) == 1

    def _apply_acquire(self, tx: Transaction, wishes: Sequence[tuple[str, str]]) -> list[Grant | None]:
        granted = []
        for account, token in wishes:
            now = tx.time() if tx.is_shared else 0
            taken = tx.change(_ACQUIRE, account, self.node, token, self._lease_until(tx), now)
            granted.append(Grant(shared=tx.is_shared) if taken else None)
        return granted

    def _apply_renew(self, tx: Transaction, leases: Sequence[tuple[str, str]]) -> list[bool]:
        return [self._holds(tx, account, token) for account, token in leases]

    def _if_held(
        self, apply: Callable[[Transaction, _Write[T]], None]
    ) -> Callable[[Transaction, Sequence[_Write[T]]], list[bool]]:
        """Return a function that applies each write whose token is the mailbox's, and returns which were."""

        def apply_held(tx: Transaction, writes: Sequence[_Write[T]]) -> list[bool]:
            held = []
            for one in writes:
                held.append(self._holds(tx, one.account, one.token))
                if held[-1]:
                    apply(tx, one)
            return held

        return apply_held

    def _apply_record(self, tx: Transaction, several: Sequence[_Write[_Fetched]]) -> list[Mapping[str, str] | None]:
        held = [self._holds(tx, one.account, one.token) for one in several]
        good = [one for one, is_held in zip(several, held, strict=True) if is_held]
        tx.change_each(
            _INSERT_SEEN, [(one.account, clean(key.uid), one.now, True) for one in good for key in one.content.keys]
        )
        return [
            _keep_arrivals(tx, one.content) if is_held else None for one, is_held in zip(several, held, strict=True)
        ]


def _apply_begin(tx: Transaction, write: _Write[FirstContact]) -> None:
    account, contact = write.account, write.content
    tx.change(_SET_MAILBOX, clean(" ".join(contact.hosts)), clean(contact.login), account)
    if contact.is_new:
        tx.change(_BEGIN_ANEW, account)
        tx.change(_FORGET_ALL, account)
    tx.change_each(_INSERT_SEEN, [(account, clean(key.uid), write.now, False) for key in contact.skip])


def _apply_listing(tx: Transaction, write: _Write[_Listing]) -> None:
    account, listing = write.account, write.content
    tx.change_each(_GONE, [(write.now, account, clean(key.uid)) for key in listing.gone])
    tx.change_each(_GONE, [(None, account, clean(key.uid)) for key in listing.back])
    tx.change_each(_FORGET, [(account, clean(key.uid)) for key in listing.forget])


def _apply_end(tx: Transaction, write: _Write[str]) -> None:
    if write.content:
        tx.change(_BAD, clean(write.content), write.account)
    else:
        tx.change(_GOOD, write.now, write.account)


def _apply_release(tx: Transaction, leases: Sequence[tuple[str, str]]) -> list[None]:
    for account, token in leases:
        tx.change(_RELEASE, account, token)
    return [None] * len(leases)


def _keep_arrivals(tx: Transaction, fetched: _Fetched) -> Mapping[str, str]:
    """Write the copies that are new; return the ids of the others, each with that under which it is known."""
    found = {one.id: arrivals.find_known(tx, one) for one in fetched.arrivals if one.id in fetched.repeated}
    known = {id_: before for id_, before in found.items() if before is not None}
    arrivals.insert(tx, [one for one in fetched.arrivals if one.id not in known])
    return known


def _require(held: bool) -> None:  # noqa: FBT001 - the result of a write
    if not held:
        raise MailboxElsewhereError("another node polls this mailbox by now: the rest is left to it")


def list_mailboxes(engine: Database) -> Mapping[str, Mailbox]:
    """Return the state of every mailbox, by account."""
    with transaction(engine, write=False) as tx:
        return {
            row[0]: Mailbox(account=row[0], hosts=tuple(row[1].split()), login=row[2], last_ok=row[3], error=row[4],
                            folders={"": ""} if row[1] else {})
            for row in tx.rows(_SELECT_MAILBOX)
        }  # fmt: skip


def _read_seen(engine: Database, account: str) -> dict[MessageKey, Seen]:
    with transaction(engine, write=False) as tx:
        return {
            MessageKey(row[0]): Seen(first_seen=row[1], fetched=bool(row[2]), gone_at=row[3])
            for row in tx.rows(_SELECT_SEEN, account)
        }
