"""What an attempt says to the provider: one transaction, and at once a second where the archive is in the way."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog

from relay.delivery.connecting import Connections
from relay.delivery.lanes import Lane
from relay.delivery.pauses import PauseBook
from relay.model.account import Account, OnUncertain, SmtpServer
from relay.model.envelope import DsnOptions
from relay.model.mail import Body, ClaimedDelivery, Recipient, RecipientKind
from relay.model.outcome import Outcome, Verdict
from relay.model.reply import Reply
from relay.rules.headers import is_signed
from relay.rules.interpret_transaction import SmtpReplies, TransactionResult, interpret_transaction
from relay.rules.replies import asks_to_slow_down
from relay.runtime import Runtime
from relay.upstream.smarthost import ConnectError
from relay.upstream.transaction import UNFIT, MailTransaction, OutgoingMail, Stage, Timeouts

log = structlog.get_logger()


@dataclass(slots=True)
class Progress:
    """How far an attempt came, for whoever ends it early."""

    dot: bool = False
    """Whether the final dot may have left."""


@dataclass(kw_only=True, slots=True)
class Exchange:
    """What the transactions of one attempt came to."""

    outcomes: dict[int, Outcome]
    """By recipient number; those in `leaving` have none."""
    reply: Reply
    judgement: TransactionResult | None = None
    """That of the last transaction; None where none came about."""
    leaving: tuple[Recipient, ...] = ()
    """The archive's recipients, who become a delivery of their own."""
    repeated: bool = False
    """Whether there was a second transaction, without the archive."""
    unreachable: bool = False
    slow_down: bool = False
    """The provider asks the whole account to send less."""
    confirms: bool = False
    """Whether the provider itself sends the confirmations that were asked for (DSN in its EHLO)."""
    allowed: int | None = None
    """How many connections the provider allows the account, where it refused one more; None: no such thing."""
    locked_out: bool = False
    """Whether no connection came about since the provider refuses the login."""

    @property
    def login_refused(self) -> bool:
        """Whether the provider refuses the account's login: then the attempt counts for nothing, but see `About`."""
        return self.locked_out if self.judgement is None else self.judgement.login_refused

    @property
    def refused_later(self) -> bool:
        """Whether it does so to a mail, on a connection that came about: a probe only logs in, and can't see that."""
        return self.judgement is not None and self.judgement.login_refused

    @property
    def uncertain(self) -> bool:
        """Whether the mail may have been sent without our knowing."""
        return self.judgement is not None and self.judgement.uncertain

    @property
    def doubtful(self) -> frozenset[int]:
        """Who may have been sent the mail without our knowing, by recipient number."""
        return frozenset() if self.judgement is None else self.judgement.doubtful

    @property
    def more_at_once(self) -> bool:
        """Whether the provider wants the rest of the recipients in another transaction."""
        return self.judgement is not None and self.judgement.more_at_once


class Exchanger:
    """Keeps the connections of every account and runs transactions over them."""

    def __init__(self, runtime: Runtime, *, timeouts: Timeouts, pauses: PauseBook | None = None) -> None:
        self._credentials = runtime.credentials
        self._queue = runtime.queue
        self._connections = Connections(runtime, timeouts=timeouts, pauses=pauses)

    async def exchange(
        self, lane: Lane, account: Account, delivery: ClaimedDelivery, body: Body, progress: Progress
    ) -> Exchange:
        """Send a delivery to its recipients. What goes wrong at the provider is in the result; ours is raised."""
        first = await self._transact(lane, account, delivery, delivery.recipients, body, progress)
        if first.judgement is None or not (first.judgement.repeat_without_archive or first.judgement.archive_leaves):
            return first
        first.leaving = tuple(r for r in delivery.recipients if r.kind is RecipientKind.ARCHIVE and not _gone(first, r))
        for recipient in first.leaving:
            first.outcomes.pop(recipient.n, None)
        log.info("archive_split", queue_id=delivery.message.id, delivery_id=delivery.id, account=account.name,
                 reply=str(first.reply))  # fmt: skip
        if not first.judgement.repeat_without_archive:
            return first
        rest = tuple(r for r in delivery.recipients if r not in first.leaving and r.n not in first.outcomes)
        progress.dot = False
        second = await self._transact(lane, account, delivery, rest, body, progress)
        second.outcomes = {**first.outcomes, **second.outcomes}
        second.leaving, second.repeated = first.leaving, True
        second.slow_down = second.slow_down or (first.slow_down and not second.reply.is_positive)
        return second

    async def log_in(self, lane: Lane, account: Account, server: SmtpServer) -> Reply | None:
        """Connect and log in, nothing more. None: it works; else the reply that says why not."""
        try:
            connection, _ = await self._connections.acquire(lane, account, server, probing=True)
        except ConnectError as error:
            return error.reply
        lane.answered()
        self._connections.release(account, connection)
        return None

    def paused(self, account: Account) -> None:
        """Note that the account of a refused login is paused, or could not be."""
        self._connections.paused(account)

    async def fingerprint(self, server: SmtpServer) -> str:
        """Hash what a login depends on; empty where its secret can't be had. Raises StorageError."""
        return await self._credentials.fingerprint(server)

    async def close(self) -> None:
        """Close every connection."""
        await self._connections.close()

    async def _transact(
        self,
        lane: Lane,
        account: Account,
        delivery: ClaimedDelivery,
        recipients: tuple[Recipient, ...],
        body: Body,
        progress: Progress,
    ) -> Exchange:
        """Run one transaction, on a fresh connection where a kept one turns out to be dead before it began."""
        assert account.smtp is not None
        while True:
            try:
                connection, kept = await self._connections.acquire(lane, account, account.smtp)
            except ConnectError as error:
                deferred = Outcome(verdict=Verdict.DEFERRED, reply=error.reply)
                if error.login_refused:
                    lane.answered()
                elif not error.one_too_many:
                    _note_unreachable(lane, error.reply, new=True)
                allowed = error.others if error.one_too_many else None
                slow_down = allowed is None and asks_to_slow_down(error.reply)
                return Exchange(
                    outcomes={r.n: deferred for r in recipients},
                    reply=error.reply,
                    unreachable=allowed is None and not slow_down,
                    slow_down=slow_down,
                    allowed=allowed,
                    locked_out=error.login_refused,
                )
            try:
                transaction = await connection.send(self._outgoing(account, delivery, recipients, body, progress))
            finally:
                self._connections.release(account, connection)
            if not (kept and _is_stale(transaction)):
                break
        if delivery.message.eightbit and not connection.features.eightbitmime and transaction.final is not None:
            log.info("body_sent_unannounced", queue_id=delivery.message.id, account=account.name)
        if transaction.folded:
            log.info("lines_folded", queue_id=delivery.message.id, account=account.name)
        lost = transaction.mail is None and transaction.lost is Stage.MAIL  # it takes logins, and answers nothing more
        judgement = interpret_transaction(
            recipients, _answers(transaction, logged_in=account.smtp.username is not None)
        )
        if lost:
            _note_unreachable(lane, judgement.reply, new=not lane.failures)
        else:
            lane.answered()
        return Exchange(
            outcomes=judgement.outcomes,
            reply=judgement.reply,
            judgement=judgement,
            unreachable=lost,
            slow_down=judgement.slow_down,
            confirms=connection.features.dsn,
        )

    def _outgoing(
        self,
        account: Account,
        delivery: ClaimedDelivery,
        recipients: tuple[Recipient, ...],
        body: Body,
        progress: Progress,
    ) -> OutgoingMail:
        message = delivery.message

        async def before_dot() -> None:
            if account.on_uncertain is OnUncertain.HOLD:
                await self._queue.mark_uncertain(delivery)
            await self._queue.confirm(delivery)
            progress.dot = True

        async def kept() -> AsyncIterator[bytes]:
            for chunk in body or ():
                yield chunk

        def stored() -> AsyncIterator[bytes]:
            return self._queue.chunks(message.id, delivery.version)

        return OutgoingMail(
            # The account's address as it is now: an address that was corrected applies to what is queued already.
            reverse_path=account.address.wire if message.reverse_path else "",
            recipients=tuple(r.address for r in recipients),
            header=delivery.header,
            body=stored if body is None else kept,
            size=_size_of(delivery, body),
            eightbit=message.eightbit,
            smtputf8=message.smtputf8,
            signed=is_signed(delivery.header),
            # The client's options are for its own mail: a notice of ours, or one with the null sender, has none.
            dsn_options=tuple(DsnOptions(notify=r.notify, orcpt=r.orcpt) for r in recipients)
            if message.reverse_path
            else (),
            ret=message.ret if message.reverse_path else "",
            envelope_id=message.envelope_id if message.reverse_path else "",
            before_dot=before_dot,
        )


def _note_unreachable(lane: Lane, reply: Reply, *, new: bool) -> None:
    """Note why a lane rests; the log has the first time."""
    if lane.unreachable(reply) and new:
        log.error("account_unreachable", account=lane.account, code=reply.code, reply=str(reply))


def _is_stale(transaction: MailTransaction) -> bool:
    """Tell whether a connection that was kept turned out to be of no use, so that a fresh one is asked at once."""
    if transaction.mail is None:
        return transaction.lost is Stage.MAIL
    return transaction.mail.code in UNFIT


def _size_of(delivery: ClaimedDelivery, body: Body) -> int | None:
    """Count the octets that leave; the archive's stripped copy is counted only where it is in memory."""
    if not delivery.version:
        return delivery.message.size
    return None if body is None else len(delivery.header) + 2 + sum(map(len, body))


def _gone(exchange: Exchange, recipient: Recipient) -> bool:
    outcome = exchange.outcomes.get(recipient.n)
    return outcome is not None and outcome.verdict is Verdict.BOUNCED


def _answers(transaction: MailTransaction, *, logged_in: bool) -> SmtpReplies:
    return SmtpReplies(
        mail=transaction.mail,
        recipients=transaction.recipients,
        data=transaction.data,
        final=transaction.final,
        lost=transaction.lost is not None,
        uncertain=transaction.lost is Stage.DOT,
        error=transaction.error,
        logged_in=logged_in,
    )
