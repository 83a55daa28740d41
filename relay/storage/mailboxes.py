"""What is known of the providers' mailboxes: which messages were fetched, when a poll last worked, why it did not.

Guarantee: an id that was recorded is on the disk. A mailbox whose host or login changed begins anew.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relay.model.maildrop import Mailbox, Seen
from relay.storage.engine import Database, transaction
from relay.storage.rows import clean
from relay.storage.sql import Transaction
from relay.storage.writer import Operation, Writer

_SELECT_MAILBOX: Final = "SELECT account, host, login, last_ok, error FROM mailbox"
_SELECT_SEEN: Final = "SELECT uidl, first_seen, fetched, gone_at FROM seen WHERE account = ?"
_FORGET_ALL: Final = "DELETE FROM seen WHERE account = ?"
_SET_MAILBOX: Final = (
    "INSERT INTO mailbox (account, host, login) VALUES (?, ?, ?)"
    " ON CONFLICT (account) DO UPDATE SET host = excluded.host, login = excluded.login, last_ok = NULL, error = ''"
)
_INSERT_SEEN: Final = (
    "INSERT INTO seen (account, uidl, first_seen, fetched) VALUES (?, ?, ?, ?) ON CONFLICT (account, uidl) DO NOTHING"
)
_GONE: Final = "UPDATE seen SET gone_at = ? WHERE account = ? AND uidl = ?"
_FORGET: Final = "DELETE FROM seen WHERE account = ? AND uidl = ?"
_GOOD: Final = "UPDATE mailbox SET last_ok = ?, error = '' WHERE account = ?"
_BAD: Final = (
    "INSERT INTO mailbox (account, host, login, error) VALUES (?, '', '', ?)"
    " ON CONFLICT (account) DO UPDATE SET error = excluded.error"
)


@dataclass(frozen=True, slots=True)
class _Contact:
    account: str
    host: str
    login: str
    skip: Sequence[str]
    now: int


@dataclass(frozen=True, slots=True)
class _Fetched:
    account: str
    keys: Sequence[str]
    now: int


@dataclass(frozen=True, slots=True)
class _Listing:
    account: str
    gone: Sequence[str]
    back: Sequence[str]
    forget: Sequence[str]
    now: int


@dataclass(frozen=True, slots=True)
class _End:
    account: str
    now: int
    error: str


class Mailboxes:
    """The state of all mailboxes of one process."""

    def __init__(self, engine: Database, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer
        self._begin = Operation(20, _begin)
        self._fetched = Operation(21, _record)
        self._listing = Operation(22, _note_listing)
        self._end = Operation(23, _end)

    async def find(self, account: str) -> Mailbox | None:
        """Give what is known of an account's mailbox."""
        return (await asyncio.to_thread(list_mailboxes, self._engine)).get(account)

    async def seen(self, account: str) -> dict[str, Seen]:
        """Give the messages that are known, by their unique ids."""
        return await asyncio.to_thread(_read_seen, self._engine, account)

    async def begin(self, account: str, host: str, login: str, *, skip: Sequence[str], now: int) -> None:
        """Begin with a mailbox: nothing of an earlier one counts, and `skip` is left alone for ever."""
        await self._writer.run(self._begin, _Contact(account, host, login, skip, now))

    async def record(self, account: str, keys: Sequence[str], *, now: int) -> None:
        """Note that messages stand in the inboxes: they are never fetched again."""
        await self._writer.run(self._fetched, _Fetched(account, keys, now))

    async def note_listing(
        self, account: str, *, gone: Sequence[str], back: Sequence[str], forget: Sequence[str], now: int
    ) -> None:
        """Note which messages are no longer on the server, are there again, or need not be known any more."""
        if gone or back or forget:
            await self._writer.run(self._listing, _Listing(account, gone, back, forget, now))

    async def end(self, account: str, *, now: int, error: str = "") -> None:
        """Note how a poll ended."""
        await self._writer.run(self._end, _End(account, now, error))


def list_mailboxes(engine: Database) -> Mapping[str, Mailbox]:
    """Give the state of every mailbox, by account."""
    with transaction(engine, write=False) as tx:
        return {
            row[0]: Mailbox(account=row[0], host=row[1], login=row[2], last_ok=row[3], error=row[4])
            for row in tx.rows(_SELECT_MAILBOX)
        }


def _read_seen(engine: Database, account: str) -> dict[str, Seen]:
    with transaction(engine, write=False) as tx:
        return {
            row[0]: Seen(first_seen=row[1], fetched=bool(row[2]), gone_at=row[3])
            for row in tx.rows(_SELECT_SEEN, account)
        }


def _begin(tx: Transaction, contacts: Sequence[_Contact]) -> list[None]:
    for contact in contacts:
        tx.change(_FORGET_ALL, contact.account)
        tx.change(_SET_MAILBOX, contact.account, clean(contact.host), clean(contact.login))
        tx.change_each(_INSERT_SEEN, [(contact.account, clean(key), contact.now, False) for key in contact.skip])
    return [None] * len(contacts)


def _record(tx: Transaction, several: Sequence[_Fetched]) -> list[None]:
    tx.change_each(_INSERT_SEEN, [(one.account, clean(key), one.now, True) for one in several for key in one.keys])
    return [None] * len(several)


def _note_listing(tx: Transaction, listings: Sequence[_Listing]) -> list[None]:
    for one in listings:
        tx.change_each(_GONE, [(one.now, one.account, clean(key)) for key in one.gone])
        tx.change_each(_GONE, [(None, one.account, clean(key)) for key in one.back])
        tx.change_each(_FORGET, [(one.account, clean(key)) for key in one.forget])
    return [None] * len(listings)


def _end(tx: Transaction, ends: Sequence[_End]) -> list[None]:
    for one in ends:
        if one.error:
            tx.change(_BAD, one.account, clean(one.error))
        else:
            tx.change(_GOOD, one.now, one.account)
    return [None] * len(ends)
