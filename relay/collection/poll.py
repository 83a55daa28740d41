"""The course of one poll: list, plan, fetch, record, delete, commit, in this order.

Guarantee: a message is deleted at the provider only after its file is durable in the inbox (fsync, link, fsync of the
folder) and its key is committed to the database. Whatever ends a poll early leaves the rest on the server. A message
that can't be had holds up no other one, and the lines that a server can make a poll log are limited.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from relay.collection.plan import PollPlan, plan_poll
from relay.collection.receiver import PollContext, Receiver
from relay.emitting import emit
from relay.events.mailboxes import MailboxTooFull, MailLeft, MailNotGiven, PollLinesOmitted
from relay.model.errors import RelayError, SourceError
from relay.model.maildrop import FolderListing, Listed, PollResult
from relay.sources.source import MailboxSource

MOST_SAID = 20
"""Lines of one kind that a poll logs about single messages; the number of the others is one more line."""

Tell = Callable[[int, int], None]
"""Called with the number of messages that have been fetched, and of those that are to be."""


class Poll:
    """One poll of one mailbox, for one call of `run`."""

    def __init__(self, context: PollContext, source: MailboxSource, go_on: Callable[[], bool]) -> None:
        """Prepare it; no further message is asked for once `go_on` returns false."""
        self._context = context
        self._source = source
        self._go_on = go_on
        self._answered = 0
        """How many messages the server sent or refused."""
        self._said: Counter[str] = Counter()
        """How many lines of each kind there were to log about single messages."""
        self.result = PollResult()
        self._receiver = Receiver(context, self.result, self._may_log)

    async def run(self, tell: Tell) -> None:
        """Do it.

        Raises SourceError, StorageError, MailboxElsewhereError, or RelayError if a secret can't be read.
        """
        context, source, lease = self._context, self._source, self._context.lease
        try:
            listings = await source.list()
            for one in listings:
                if one.passed_over:
                    emit(MailboxTooFull(account=context.account.name, messages=len(one.messages),
                                        passed_over=one.passed_over))  # fmt: skip
            plan = await self._plan(listings)
            await self._fetch(await self._choose(plan.fetch), tell)
            recorded = self._receiver.recorded
            await lease.confirm()
            await source.mark_collected(recorded)
            now = recorded if context.server.leave_on_server is False else ()
            deleted = await source.delete([*plan.delete, *now])
            await lease.confirm()
            await source.commit()
        finally:
            try:
                await self._receiver.close()  # may log on
            finally:
                self._log_omitted()
        gone = [*plan.gone, *(one.key for one in deleted if one.key.uid)]
        if gone or plan.back or plan.forget:
            await context.mailboxes.note_listing(
                context.account.name, lease.token, gone=gone, back=plan.back, forget=plan.forget,
                now=context.runtime.now(),
            )  # fmt: skip
        self.result.deleted = len(deleted)

    async def _plan(self, listings: Sequence[FolderListing]) -> PollPlan:
        """Plan the poll, and record the contact with a mailbox or folder that is new."""
        context, account, server = self._context, self._context.account.name, self._context.server
        if server.needs_ids and not all(one.has_ids for one in listings):
            raise SourceError("list: the server has no unique ids (UIDL): mail can't be left on it")
        known, seen = await context.mailboxes.find(account), await context.mailboxes.seen(account)
        now = context.runtime.now()
        # A mailbox may list a great many messages: others go on while they are sorted.
        plan = await asyncio.to_thread(plan_poll, listings, known, seen, server=server, now=now)
        if plan.mailbox != known:
            await context.mailboxes.begin(
                account, context.lease.token, plan.mailbox, is_new=plan.is_new, skip=plan.skip, now=now
            )
        return plan

    async def _choose(self, wanted: Sequence[Listed]) -> list[Listed]:
        """Leave out what stays on the server for now, and log it the first time."""
        context = self._context
        fetch, left = await asyncio.to_thread(context.troubles.sort_out, wanted, limit=context.server.max_message_size)
        fits = []
        for one in fetch:
            if context.disk.has(one.size):
                fits.append(one)
            else:
                left.append((one, "the disk has no room for it beside [limits] free_space"))
        for one, reason in left:
            if context.troubles.is_news(one) and self._may_log(MailLeft.name):
                emit(MailLeft(account=context.account.name, uidl=one.key.uid, size=one.size, reason=reason))
        self.result.left = len(left)
        return fits

    async def _fetch(self, wanted: Sequence[Listed], tell: Tell) -> None:
        try:
            async for retrieved in self._source.retrieve(wanted, self._go_on):
                if retrieved.body is not None:
                    await self._receiver.receive(retrieved.message, retrieved.body)
                else:
                    self.result.failed += 1
                    if self._may_log(MailNotGiven.name):
                        account, uidl = self._context.account.name, retrieved.message.key.uid
                        emit(MailNotGiven(account=account, uidl=uidl, reply=retrieved.text))
                self._answered += 1
                tell(self._receiver.count, len(wanted))
        except BaseException as error:
            # Also a fault of ours that a message brings about must not keep the others away for ever. What came whole
            # before it is written, so that it need not come again; unless the disk or the lease is what failed.
            is_of_message = isinstance(error, SourceError) or not isinstance(error, RelayError)
            if is_of_message:
                for one in wanted[self._answered : self._answered + 1]:
                    self._context.troubles.note_break(one)
            if is_of_message and isinstance(error, Exception):
                await self._receiver.finish()
            raise
        await self._receiver.finish()
        self.result.left += len(wanted) - self._answered
        tell(self._receiver.count, len(wanted))

    def _may_log(self, event: str) -> bool:
        """Count a line about a single message, and decide whether it is logged."""
        self._said[event] += 1
        return self._said[event] <= MOST_SAID

    def _log_omitted(self) -> None:
        for event, count in self._said.items():
            if count > MOST_SAID:
                emit(PollLinesOmitted(account=self._context.account.name, of=event, count=count - MOST_SAID))
