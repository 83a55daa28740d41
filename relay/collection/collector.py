"""One poll of one mailbox, from the lease to QUIT.

Guarantee: RETR, file (fsync, link, fsync of the folder), unique id committed, DELE, QUIT: in this order. Whatever ends
a poll early leaves the rest on the server. A file's name is made of account, unique id and user, so that a message
which was written, but not yet recorded when the process died, is recognised and not written again; unless its user has
moved it out of the inbox meanwhile: then it comes a second time.
Time, size and number of what a server may send are bounded; what is beyond stays there, and holds up no other message.
So are the lines that it can make a poll log.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from relay.collection.lease import Lease
from relay.collection.receiver import Receiver
from relay.collection.troubles import Troubles
from relay.model.account import Account, FirstPoll, Pop3Server
from relay.model.errors import RelayError, StorageFullError
from relay.model.maildrop import Listed
from relay.rules.uidl import Contact, PollPlan, hosts_of, name_twins, plan_poll, recognise
from relay.settings import Settings
from relay.settings.secrets import read_secret
from relay.storage.mailboxes import MailboxElsewhereError, Mailboxes
from relay.storage.room import DiskRoom
from relay.upstream.pop3 import Pop3Error, Pop3Session, Pop3Stage, open_pop3

log = structlog.get_logger()

LONGEST_POLL = 3600.0
"""Seconds after which a poll is cut off; in their second half no further message is asked for."""
MOST_SAID = 20
"""Lines of one kind that a poll logs about single messages; the number of the others is one more line."""

Tell = Callable[[int, int], None]
"""Told how many messages have been fetched, of how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PollResult:
    """What one poll did."""

    fetched: int
    failed: int
    """Messages that the server listed and did not give, or that an inbox did not take."""
    left: int = 0
    """Messages that stay on the server for now: too large, no room or time, or the connection breaks at them."""
    deleted: int
    seconds: float
    quarantined: int = 0
    """Of how many that were fetched a copy is in the quarantine."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why, by user."""
    ids: tuple[str, ...] = ()
    """Of the first that were fetched, for `relay trace`."""


@dataclass(kw_only=True)
class _Poll:
    """The state of one poll."""

    account: Account
    pop3: Pop3Server
    lease: Lease
    troubles: Troubles
    receiver: Receiver
    stop_asking: float
    """Monotonic seconds from which no further message is asked for."""
    come: int = 0
    """How many messages were given or refused."""
    failed: int = 0
    left: int = 0
    said: Counter[str] = field(default_factory=Counter)
    """How many lines of each kind there were to log about single messages."""

    def note_break(self, wanted: Sequence[Listed]) -> None:
        """Note which of the messages that were asked for ended the poll."""
        for one in wanted[self.come : self.come + 1]:
            self.troubles.note_break(one)

    def may_say(self, event: str) -> bool:
        """Count a line about a single message; tells whether it is to be logged: no server can fill the log."""
        self.said[event] += 1
        return self.said[event] <= MOST_SAID

    def say_rest(self) -> None:
        """Log how many lines there would have been beyond those that were logged."""
        self.said["mail_not_written"] = self.receiver.unwritten
        for event, count in self.said.items():
            if count > MOST_SAID:
                log.warning("poll_lines_omitted", account=self.account.name, of=event, count=count - MOST_SAID)


class Collector:
    """Polls mailboxes; an account's settings are those of the moment."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        mailboxes: Mailboxes,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
        longest: float = LONGEST_POLL,
    ) -> None:
        self._settings = settings
        self._mailboxes = mailboxes
        self._now = now
        self._monotonic = monotonic
        self._longest = longest
        self._troubles: dict[str, Troubles] = {}
        self._room = DiskRoom(
            lambda: (self._settings().inboxes, self._settings().folder), lambda: self._settings().limits.free_space
        )

    async def poll(self, account: Account, tell: Tell) -> PollResult:
        """Poll an account's mailbox, and note how that ended.

        Raises Pop3Error, StorageError, MailboxElsewhereError, or RelayError where a password can't be read.
        """
        async with Lease(self._mailboxes, account.name) as lease:
            try:
                result = await self._poll(account, lease, tell)
            except MailboxElsewhereError:
                raise
            except Exception as error:
                with contextlib.suppress(RelayError):  # the database may be what failed
                    await self._mailboxes.end(account.name, lease.token, now=self._now(), error=reason_of(error))
                raise
            await self._mailboxes.end(account.name, lease.token, now=self._now())
        return result

    async def _poll(self, account: Account, lease: Lease, tell: Tell) -> PollResult:
        pop3, began = account.pop3, self._monotonic()
        assert pop3 is not None
        self._require_room()
        password = await asyncio.to_thread(read_secret, pop3.password)
        troubles = self._troubles.setdefault(account.name, Troubles())
        receiver = Receiver(
            account=account,
            settings=self._settings(),
            mailboxes=self._mailboxes,
            lease=lease,
            troubles=troubles,
            require_room=self._require_room,
            now=self._now,
        )
        poll = _Poll(
            account=account,
            pop3=pop3,
            lease=lease,
            troubles=troubles,
            receiver=receiver,
            stop_asking=began + self._longest / 2,
        )
        try:
            async with asyncio.timeout(self._longest):
                deleted = await self._run(poll, password, tell)
        except TimeoutError:
            text = f"the poll did not end within {self._longest:g} s"
            raise Pop3Error(Pop3Stage.RETRIEVE, text) from None
        except Pop3Error:
            lease.check()  # who has lost it has cut the connection
            raise
        finally:
            poll.say_rest()
            await receiver.close()
        return PollResult(
            fetched=len(receiver.recorded),
            failed=poll.failed + receiver.unwritten,
            left=poll.left,
            deleted=deleted,
            seconds=self._monotonic() - began,
            quarantined=receiver.quarantined,
            reasons=receiver.reasons,
            ids=tuple(receiver.ids),
        )

    async def _run(self, poll: _Poll, password: str, tell: Tell) -> int:
        """Hold one session; gives how many messages the server has deleted."""
        session = await open_pop3(poll.pop3, password)
        poll.lease.on_lost = session.abort
        try:
            listing, has_ids = await session.list_messages()
            if session.passed_over:
                log.warning("mailbox_too_full", account=poll.account.name, messages=len(listing),
                            passed_over=session.passed_over)  # fmt: skip
            plan = await self._plan(poll, listing, has_ids=has_ids, whole=not session.passed_over)
            await self._fetch(session, poll, await self._choose(poll, plan.fetch), tell)
            go = [*plan.delete, *(poll.receiver.recorded if poll.pop3.leave_on_server is False else ())]
            await poll.lease.confirm()
            deleted = await session.delete(go)
            await poll.lease.confirm()
            await session.quit()
        finally:
            session.close()
        if has_ids:
            gone = [*plan.gone, *(one.key for one in deleted)]
            await self._mailboxes.note_listing(
                poll.account.name, poll.lease.token, gone=gone, back=plan.back, forget=plan.forget, now=self._now()
            )
        return len(deleted)

    async def _plan(self, poll: _Poll, listing: Sequence[Listed], *, has_ids: bool, whole: bool) -> PollPlan:
        """Decide what to do with each message; the first contact with a mailbox forgets an earlier one."""
        account, pop3 = poll.account.name, poll.pop3
        known = await self._mailboxes.find(account)
        if not has_ids and (pop3.leave_on_server is not False or pop3.first_poll is FirstPoll.NEW):
            raise Pop3Error(Pop3Stage.LIST, "the server has no unique ids (UIDL): mail can't be left on it")
        # A mailbox may list a great many: others go on while they are sorted.
        named = await asyncio.to_thread(name_twins, listing) if has_ids else ()
        seen = await self._mailboxes.seen(account)
        contact = await asyncio.to_thread(recognise, known, seen, named, host=pop3.host, login=pop3.username)
        anew = contact is Contact.NEW
        plan = PollPlan(fetch=tuple(listing))
        if has_ids:
            plan = await asyncio.to_thread(
                plan_poll,
                named,
                {} if anew else seen,
                leave=pop3.leave_on_server,
                only_new=anew and pop3.first_poll is FirstPoll.NEW,
                now=self._now(),
                whole=whole,
            )
        if contact is not Contact.SAME:
            hosts = hosts_of(known, contact, pop3.host)
            await self._mailboxes.begin(
                account, poll.lease.token, hosts, pop3.username, anew=anew, skip=plan.skip, now=self._now()
            )
        return plan

    async def _choose(self, poll: _Poll, wanted: Sequence[Listed]) -> list[Listed]:
        """Sort out what stays on the server for now, and say so the first time."""
        fetch, left = await asyncio.to_thread(poll.troubles.sort_out, wanted, limit=poll.pop3.max_message_size)
        fits = []
        for one in fetch:
            if self._room.has(one.size):
                fits.append(one)
            else:
                left.append((one, "the disk has no room for it beside [limits] free_space"))
        for one, reason in left:
            if poll.troubles.is_news(one) and poll.may_say("mail_left"):
                log.warning("mail_left", account=poll.account.name, uidl=one.key, size=one.size, reason=reason)
        poll.left = len(left)
        return fits

    async def _fetch(self, session: Pop3Session, poll: _Poll, wanted: Sequence[Listed], tell: Tell) -> None:
        def go_on() -> bool:
            return self._monotonic() < poll.stop_asking

        try:
            async for retrieved in session.retrieve(wanted, go_on):
                if retrieved.body is None:
                    poll.failed += 1
                    if poll.may_say("mail_not_given"):
                        log.warning("mail_not_given", account=poll.account.name, uidl=retrieved.message.key,
                                    reply=retrieved.text)  # fmt: skip
                else:
                    await poll.receiver.receive(retrieved.message, retrieved.body)
                poll.come += 1
                tell(poll.receiver.count, len(wanted))
        except RelayError as error:
            if isinstance(error, Pop3Error):
                await self._end_early(poll, wanted)
            raise
        except asyncio.CancelledError:
            poll.note_break(wanted)
            raise
        except Exception:  # a fault of ours that this message brings about must not keep the others away for ever
            await self._end_early(poll, wanted)
            raise
        await poll.receiver.finish()
        poll.left += len(wanted) - poll.come
        tell(poll.receiver.count, len(wanted))

    async def _end_early(self, poll: _Poll, wanted: Sequence[Listed]) -> None:
        """Note which message ended the poll, and write down what came whole before it: that need not come again."""
        poll.note_break(wanted)
        await poll.receiver.finish()

    def _require_room(self) -> None:
        if not self._room.has(0):
            raise StorageFullError("the disk has less room than [limits] free_space: mail stays on the server for now")


def reason_of(error: Exception) -> str:
    """Say in one line why a poll failed."""
    return str(error) if isinstance(error, RelayError) else f"a fault inside of the relay: {type(error).__name__}"
