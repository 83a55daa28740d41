"""Who is told what: the notices that the outcome of an attempt, a delay, or a held mail asks for.

Nothing is ever written about a notice, nor about a mail with the null sender (RFC 5321 section 4.5.5).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from relay.emitting import emit
from relay.events.delivery import SenderRefused, SettingNeeded
from relay.events.event import Event
from relay.events.notifications import NoticeDropped, NoticeQueued
from relay.model.account import Account
from relay.model.destination import Destination
from relay.model.mail import (
    ClaimedDelivery,
    DeliveryState,
    Message,
    NewMessage,
    RecipientKind,
    RecipientState,
)
from relay.model.reply import Reply, Verdict
from relay.notifications.compose import Composer
from relay.rules.disposition import Disposition, Failure
from relay.rules.dsn import wants
from relay.rules.notice_texts import Alert, Report
from relay.rules.notice_wording import AlertFacts, others_of
from relay.rules.replies import name_cause, names_a_setting
from relay.runtime import Runtime

_NOT_TRIED = Reply(code=0, enhanced="4.4.1", text="the provider's server has not been reached")


@dataclass(frozen=True, kw_only=True, slots=True)
class Notices:
    """What people are to be told: the caller stores the notices, then emits the events."""

    notices: tuple[NewMessage, ...] = ()
    events: tuple[Event, ...] = ()

    def __add__(self, other: "Notices") -> "Notices":
        return Notices(notices=self.notices + other.notices, events=self.events + other.events)


def announce(notices: Iterable[NewMessage], *events: Event) -> set[Destination]:
    """Emit the events of notices that are in the queue by now, after others; return the lanes that are to be woken."""
    emit(*events)
    woken = set()
    for message, delivery in ((notice.message, delivery) for notice in notices for delivery in notice.deliveries):
        way, to = "mail" if delivery.destination.is_account else "inbox", delivery.recipients[0].address
        emit(NoticeQueued(queue_id=message.id, about=message.about, to=to, way=way, kind=message.rule))
        woken.add(delivery.destination)
    return woken


class Policy:
    """Decides who is told what; writes nothing."""

    def __init__(self, runtime: Runtime, composer: Composer) -> None:
        self._settings, self._queue, self._now = runtime.settings, runtime.queue, runtime.now
        self._composer = composer

    async def of_attempt(
        self,
        account: Account | None,
        delivery: ClaimedDelivery,
        disposition: Disposition,
        reply: Reply,
        *,
        of_account: Reply | None = None,
        confirms: bool = True,
        tried: Mapping[int, int] | None = None,
    ) -> Notices:
        """Return the notices that a disposition asks for; the settlement stores them. Raises StorageError.

        `account`: the one that sends it, if one does. `of_account`: the refusal that speaks of the account, not of this
        mail alone. `confirms`: the provider itself sends the confirmations that were asked for. `tried`: when each
        recipient was tried last, by his number; without it, just now.
        """
        found = Notices()
        if disposition.failures:
            if tried is None:
                tried = {failure.recipient.n: self._now() for failure in disposition.failures}
            found += await self._failure(account, delivery, disposition, tried)
        if not confirms:
            found += await self._success(account, delivery, disposition)
        if of_account is None:  # else that is told, and it is no fault of the archive's
            found += await self._missing_copies(delivery, disposition)
        else:
            found += await self._account_refused(account, delivery, of_account)
        if disposition.state is DeliveryState.HELD:
            found += await self.held(delivery, reply, archive_only=disposition.only_the_archive_is_in_doubt)
        return found

    async def delay(self, deliveries: Sequence[ClaimedDelivery], account: Account | None, retry_until: int) -> Notices:
        """Return the warning that a mail still waits for all of these deliveries; none where nobody is to be told.

        `retry_until` in milliseconds since 1970. Raises StorageError.
        """
        message = deliveries[0].message
        waiting = [
            r for d in deliveries for r in d.recipients if r.kind is RecipientKind.TO and wants("DELAY", r.notify)
        ]
        if not waiting:
            return Notices()
        if (dropped := _dropped(message)) is not None:
            return dropped
        attempts = await self._queue.last_attempts([d.id for d in deliveries])
        last = {r.n: attempts.get(d.id) for d in deliveries for r in d.recipients}
        recipients = [
            Failure(recipient=r, reply=_NOT_TRIED)
            if (one := last[r.n]) is None
            else Failure(recipient=r, reply=one.reply, last_attempt=self._composer.at(one.at))
            for r in waiting
        ]
        others = others_of(await self._queue.outcomes(message.id), {r.n for r in waiting})
        notice = await self._composer.report(
            Report.DELAYED, message, account, recipients, retry_until=retry_until, others=others
        )
        return Notices(notices=(notice,))

    async def held(self, delivery: ClaimedDelivery, reply: Reply, *, archive_only: bool) -> Notices:
        """Tell the user and the postmaster of a mail that may have been sent, and waits for them. Raises StorageError.

        Of the blind copy alone only the postmaster is told: the user need not know that there is one.
        """
        message, name = delivery.message, delivery.account
        account = self._settings().directory.account(name)
        users = () if archive_only else (self._composer.reader(message, account),)
        readers = {user.name: user for user in (*users, self._composer.postmaster)}
        return await self.alert(
            *(
                AlertFacts(kind=Alert.UNCERTAIN_HELD, reader=user, message=message, account=name, reply=reply)
                for user in readers.values()
            )
        )

    async def alert(self, *texts: AlertFacts) -> Notices:
        """Return alerts; what its reader was told a moment ago is not said again. Raises StorageError."""
        wanted = [text for text in texts if text.message is None or not text.message.notice]
        now = self._now()
        new = [text for text in wanted if not (text.once and await self._queue.was_said(text.once, now=now))]
        return Notices(notices=tuple(self._composer.alert(text) for text in new))

    async def _failure(
        self, account: Account | None, delivery: ClaimedDelivery, disposition: Disposition, tried: Mapping[int, int]
    ) -> Notices:
        message = delivery.message
        if (dropped := _dropped(message)) is not None:
            return dropped
        wanted = [failure for failure in disposition.failures if wants("FAILURE", failure.recipient.notify)]
        if not wanted:
            return Notices(events=(NoticeDropped(queue_id=message.id, reason="the client asked for none (NOTIFY)"),))
        ends = [(failure, tried.get(failure.recipient.n)) for failure in wanted]
        recipients = [one if at is None else replace(one, last_attempt=self._composer.at(at)) for one, at in ends]
        known = await self._queue.outcomes(message.id)  # the blind copy's is not among them
        taken = {n for n, one in disposition.outcomes if one.verdict is Verdict.DELIVERED}
        outcomes = known | {n: RecipientState.DELIVERED for n in taken if n in known}
        others = others_of(outcomes, {failure.recipient.n for failure in disposition.failures})
        doubtful = delivery.uncertain > 0
        notice = await self._composer.report(
            Report.FAILED, message, account, recipients, doubtful=doubtful, others=others
        )
        return Notices(notices=(notice,))

    async def _missing_copies(self, delivery: ClaimedDelivery, disposition: Disposition) -> Notices:
        """Tell the postmaster of blind copies that failed; one that goes by itself may fail as its mail did before."""
        if not disposition.archive_failures:
            return Notices()
        before = (await self._queue.outcomes(delivery.message.id)).values()
        comfort = not disposition.failures and RecipientState.BOUNCED not in before
        return await self.alert(
            *(
                AlertFacts(
                    kind=Alert.ARCHIVE_FAILED,
                    message=delivery.message,
                    account=delivery.account,
                    address=failure.recipient.address,
                    reply=failure.reply,
                    once=f"archive/{failure.recipient.address}",
                    comfort=comfort,
                )
                for failure in disposition.archive_failures
            )
        )

    async def _account_refused(self, account: Account | None, delivery: ClaimedDelivery, reply: Reply) -> Notices:
        message, name = delivery.message, delivery.account
        is_setting = names_a_setting(reply)
        kind, event = (Alert.SETTING_NEEDED, SettingNeeded) if is_setting else (Alert.SENDER_REFUSED, SenderRefused)
        text = AlertFacts(
            kind=kind,
            message=message,
            account=name,
            address="" if account is None else str(account.address),
            reply=reply,
            once=f"setting/{name}" if is_setting else f"sender/{name}",
        )
        said = event(queue_id=message.id, account=name, code=reply.code, reply=str(reply), cause=name_cause(reply))
        return Notices(events=(said,)) + await self.alert(text)

    async def _success(self, account: Account | None, delivery: ClaimedDelivery, disposition: Disposition) -> Notices:
        delivered = {n: outcome.reply for n, outcome in disposition.outcomes if outcome.verdict is Verdict.DELIVERED}
        wanted = [one for one in delivery.recipients if one.n in delivered and wants("SUCCESS", one.notify)]
        if not wanted:
            return Notices()
        if (dropped := _dropped(delivery.message)) is not None:
            return dropped
        now = self._composer.at(self._now())
        taken = [Failure(recipient=one, reply=delivered[one.n], last_attempt=now) for one in wanted]
        return Notices(notices=(await self._composer.report(Report.RELAYED, delivery.message, account, taken),))


def _dropped(message: Message) -> Notices | None:
    """Return an event and no notice where nobody may be told of a mail: a notice, or the null sender; else None."""
    if message.reverse_path and not message.notice:
        return None
    reason = "a notice" if message.notice else "null sender"
    return Notices(events=(NoticeDropped(queue_id=message.id, reason=reason),))
