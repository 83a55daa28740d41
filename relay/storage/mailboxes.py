"""What is known of the providers' mailboxes: who polls them, which messages were fetched, how the last polls ended.

Guarantee: an id that was recorded is on the disk. What a poll writes counts only while its token is the mailbox's: a
node that was taken for dead changes nothing any more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from relay.model.arrival import Arrival
from relay.model.errors import RelayError
from relay.model.maildrop import Mailbox, Seen
from relay.storage import arrivals
from relay.storage.engine import Database, transaction
from relay.storage.rows import clean
from relay.storage.transaction import Transaction
from relay.storage.writer import Operation, Writer

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
    """A mailbox is a poll's."""

    shared: bool
    """Whether other nodes could take it over once its lease is over."""


@dataclass(frozen=True, slots=True)
class _Wish:
    account: str
    token: str


@dataclass(frozen=True, slots=True)
class _Contact:
    account: str
    token: str
    hosts: Sequence[str]
    login: str
    anew: bool
    skip: Sequence[str]
    now: int


@dataclass(frozen=True, slots=True)
class _Fetched:
    account: str
    token: str
    keys: Sequence[str]
    now: int
    arrivals: Sequence[Arrival]
    repeated: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Listing:
    account: str
    token: str
    gone: Sequence[str]
    back: Sequence[str]
    forget: Sequence[str]
    now: int


@dataclass(frozen=True, slots=True)
class _End:
    account: str
    token: str
    now: int
    error: str


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
        self._begin = Operation(32, self._apply_begin)
        self._fetched = Operation(33, self._apply_record)
        self._listing = Operation(34, self._apply_listing)
        self._end = Operation(35, self._apply_end)
        self._release = Operation(36, _release, synced=False)

    async def acquire(self, account: str, token: str) -> Grant | None:
        """Take a mailbox for one poll, which is known by its token; None where another node has it."""
        return await self._writer.run(self._acquire, _Wish(account, token))

    async def renew(self, account: str, token: str) -> bool:
        """Prolong the lease; false where it is another's by now."""
        return await self._writer.run(self._renew, _Wish(account, token))

    async def release(self, account: str, token: str) -> None:
        """Give a mailbox back."""
        await self._writer.run(self._release, _Wish(account, token))

    async def find(self, account: str) -> Mailbox | None:
        """Give what is known of an account's mailbox."""
        return (await asyncio.to_thread(list_mailboxes, self._engine)).get(account)

    async def seen(self, account: str) -> dict[str, Seen]:
        """Give the messages that are known, by their unique ids."""
        return await asyncio.to_thread(_read_seen, self._engine, account)

    async def begin(
        self, account: str, token: str, hosts: Sequence[str], login: str, *, anew: bool, skip: Sequence[str], now: int
    ) -> None:
        """Note where a mailbox is found. `anew`: nothing of an earlier one counts, and `skip` is left alone for ever.

        Raises MailboxElsewhereError where the token is not the mailbox's any more.
        """
        _require(await self._writer.run(self._begin, _Contact(account, token, hosts, login, anew, skip, now)))

    async def record(
        self,
        account: str,
        token: str,
        keys: Sequence[str],
        *,
        now: int,
        arrivals: Sequence[Arrival] = (),
        repeated: frozenset[str] = frozenset(),
    ) -> Mapping[str, str]:
        """Note that messages stand in the inboxes: they are never fetched again. Raises MailboxElsewhereError.

        `arrivals` are the users' copies of them; `repeated` are the ids of those whose file stood there before. Which
        of these are known already is given, by their ids, each with the id that counts.
        """
        fetched = _Fetched(account, token, keys, now, arrivals, repeated)
        known = await self._writer.run(self._fetched, fetched)
        _require(known is not None)
        return known or {}

    async def note_listing(
        self, account: str, token: str, *, gone: Sequence[str], back: Sequence[str], forget: Sequence[str], now: int
    ) -> None:
        """Note which messages are no longer on the server, are there again, or need not be known any more.

        Raises MailboxElsewhereError where the token is not the mailbox's any more.
        """
        if gone or back or forget:
            _require(await self._writer.run(self._listing, _Listing(account, token, gone, back, forget, now)))

    async def end(self, account: str, token: str, *, now: int, error: str = "") -> None:
        """Note how a poll ended; `error` is empty where it went well.

        Raises MailboxElsewhereError where the token is not the mailbox's any more.
        """
        _require(await self._writer.run(self._end, _End(account, token, now, error)))

    # In the writer's thread

    def _lease_until(self, tx: Transaction) -> int | None:
        return tx.time() + self.lease if tx.is_shared else None

    def _holds(self, tx: Transaction, account: str, token: str) -> bool:
        """Tell whether a mailbox is a poll's, and keep it so until the transaction ends; this renews the lease."""
        return tx.change(_RENEW, self._lease_until(tx), account, token) == 1

    def _apply_acquire(self, tx: Transaction, wishes: Sequence[_Wish]) -> list[Grant | None]:
        granted = []
        for wish in wishes:
            now = tx.time() if tx.is_shared else 0
            taken = tx.change(_ACQUIRE, wish.account, self.node, wish.token, self._lease_until(tx), now)
            granted.append(Grant(shared=tx.is_shared) if taken else None)
        return granted

    def _apply_renew(self, tx: Transaction, wishes: Sequence[_Wish]) -> list[bool]:
        return [self._holds(tx, wish.account, wish.token) for wish in wishes]

    def _apply_begin(self, tx: Transaction, contacts: Sequence[_Contact]) -> list[bool]:
        held = []
        for contact in contacts:
            held.append(self._holds(tx, contact.account, contact.token))
            if not held[-1]:
                continue
            tx.change(_SET_MAILBOX, clean(" ".join(contact.hosts)), clean(contact.login), contact.account)
            if contact.anew:
                tx.change(_BEGIN_ANEW, contact.account)
                tx.change(_FORGET_ALL, contact.account)
                tx.change_each(
                    _INSERT_SEEN, [(contact.account, clean(key), contact.now, False) for key in contact.skip]
                )
        return held

    def _apply_record(self, tx: Transaction, several: Sequence[_Fetched]) -> list[Mapping[str, str] | None]:
        held = [self._holds(tx, one.account, one.token) for one in several]
        good = [one for one, is_held in zip(several, held, strict=True) if is_held]
        tx.change_each(_INSERT_SEEN, [(one.account, clean(key), one.now, True) for one in good for key in one.keys])
        return [self._keep_arrivals(tx, one) if is_held else None for one, is_held in zip(several, held, strict=True)]

    def _keep_arrivals(self, tx: Transaction, fetched: _Fetched) -> Mapping[str, str]:
        """Write the copies that are new; gives the ids of the others, each with that under which it is known."""
        found = {one.id: arrivals.find_known(tx, one) for one in fetched.arrivals if one.id in fetched.repeated}
        known = {id_: before for id_, before in found.items() if before is not None}
        arrivals.insert(tx, [one for one in fetched.arrivals if one.id not in known])
        return known

    def _apply_listing(self, tx: Transaction, listings: Sequence[_Listing]) -> list[bool]:
        held = []
        for one in listings:
            held.append(self._holds(tx, one.account, one.token))
            if not held[-1]:
                continue
            tx.change_each(_GONE, [(one.now, one.account, clean(key)) for key in one.gone])
            tx.change_each(_GONE, [(None, one.account, clean(key)) for key in one.back])
            tx.change_each(_FORGET, [(one.account, clean(key)) for key in one.forget])
        return held

    def _apply_end(self, tx: Transaction, ends: Sequence[_End]) -> list[bool]:
        held = []
        for one in ends:
            held.append(self._holds(tx, one.account, one.token))
            if not held[-1]:
                continue
            if one.error:
                tx.change(_BAD, clean(one.error), one.account)
            else:
                tx.change(_GOOD, one.now, one.account)
        return held


def _require(held: bool) -> None:  # noqa: FBT001 - what a write gave
    if not held:
        raise MailboxElsewhereError("another node polls this mailbox by now: the rest is left to it")


def list_mailboxes(engine: Database) -> Mapping[str, Mailbox]:
    """Give the state of every mailbox, by account."""
    with transaction(engine, write=False) as tx:
        return {
            row[0]: Mailbox(account=row[0], hosts=tuple(row[1].split()), login=row[2], last_ok=row[3], error=row[4])
            for row in tx.rows(_SELECT_MAILBOX)
        }


def _read_seen(engine: Database, account: str) -> dict[str, Seen]:
    with transaction(engine, write=False) as tx:
        return {
            row[0]: Seen(first_seen=row[1], fetched=bool(row[2]), gone_at=row[3])
            for row in tx.rows(_SELECT_SEEN, account)
        }


def _release(tx: Transaction, wishes: Sequence[_Wish]) -> list[None]:
    for wish in wishes:
        tx.change(_RELEASE, wish.account, wish.token)
    return [None] * len(wishes)
