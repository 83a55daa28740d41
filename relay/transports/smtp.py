"""The transport to a provider's server: one transaction, and at once a second where the archive is in the way."""

from collections.abc import AsyncIterator
from dataclasses import replace

from relay.emitting import emit
from relay.events.delivery import ArchiveSplit, BodySentUnannounced, LinesFolded
from relay.model.account import Account, OnUncertain, SmtpServer
from relay.model.envelope import DsnOptions
from relay.model.mail import Body, ClaimedDelivery, Recipient, RecipientKind
from relay.model.reply import Outcome, Reply, Verdict
from relay.rules.headers import is_signed
from relay.rules.interpret_transaction import TransactionResult, interpret_transaction
from relay.rules.replies import Plea, plea_of
from relay.storage.queue import Queue
from relay.transports.smtp_connections import Connections
from relay.transports.transport import Learnt, Progress, Terms, TransportResult
from relay.upstream.smarthost import ConnectError
from relay.upstream.transaction import UNFIT, MailTransaction, OutgoingMail, Stage


class SmtpTransport:
    """Sends the deliveries of one account."""

    def __init__(self, account: Account, server: SmtpServer, connections: Connections, queue: Queue) -> None:
        self.account = account
        self._server = server
        self.connections = connections
        self._queue = queue
        self.terms = Terms(
            connections=server.connections,
            messages_per_minute=server.messages_per_minute,
            recipients_per_day=server.recipients_per_day,
            on_uncertain=account.on_uncertain,
            endpoint=(server.host, server.port, server.username),
            access=(server.login, server.password),  # where the password stands: a change in the file is a new try
        )

    async def deliver(self, claimed: ClaimedDelivery, body: Body, progress: Progress) -> TransportResult:
        """Send a delivery to its recipients. What goes wrong at the provider is in the result; ours is raised."""
        first, meaning = await self._transact(claimed, claimed.recipients, body, progress)
        if meaning is None or not (meaning.repeat_without_archive or meaning.archive_leaves):
            return first
        bounced = {n for n, outcome in first.outcomes.items() if outcome.verdict is Verdict.BOUNCED}
        separate = tuple(r for r in claimed.recipients if r.kind is RecipientKind.ARCHIVE and r.n not in bounced)
        numbers = {recipient.n for recipient in separate}
        kept = {n: outcome for n, outcome in first.outcomes.items() if n not in numbers}
        first = replace(first, separate=separate, outcomes=kept)
        emit(ArchiveSplit(queue_id=claimed.message.id, delivery_id=claimed.id, account=self.account.name,
                          reply=str(first.reply)))  # fmt: skip
        if not meaning.repeat_without_archive:
            return first
        rest = tuple(r for r in claimed.recipients if r not in separate and r.n not in kept)
        progress.may_have_arrived = False
        second, _ = await self._transact(claimed, rest, body, progress)
        asked = not second.reply.is_positive
        learnt = replace(
            second.learnt,
            throttles=second.learnt.throttles or (first.learnt.throttles and asked),
            used_up=second.learnt.used_up or (first.learnt.used_up and asked),
        )
        return replace(
            second,
            outcomes={**kept, **second.outcomes},
            separate=separate,
            transactions=2,
            learnt=learnt,
        )

    @property
    def login(self) -> "SmtpTransport":
        """The login, for pauses and probes."""
        return self

    async def fingerprint(self) -> str:
        """Return a hash of what the login depends on; empty where its secret can't be had. Raises StorageError."""
        return await self.connections.credentials.fingerprint(self._server)

    async def probe(self) -> Reply | None:
        """Connect and log in, nothing more. None: it works; else the reply that says why not."""
        try:
            connection, _ = await self.connections.acquire(self._server, probing=True)
        except ConnectError as error:
            return error.reply
        self.connections.release(connection)
        return None

    def settled(self) -> None:
        """Note that the account of a refused login is paused, or could not be."""
        self.connections.paused()

    async def _transact(
        self, claimed: ClaimedDelivery, recipients: tuple[Recipient, ...], body: Body, progress: Progress
    ) -> tuple[TransportResult, TransactionResult | None]:
        """Run one transaction, on a fresh connection where a kept one turns out to be dead before it began."""
        while True:
            try:
                connection, kept = await self.connections.acquire(self._server)
            except ConnectError as error:
                return _not_connected(error, recipients), None
            try:
                transaction = await connection.send(self._outgoing(claimed, recipients, body, progress))
            finally:
                self.connections.release(connection)
            if not (kept and _is_stale(transaction)):
                break
        if claimed.message.eightbit and not connection.features.eightbitmime and transaction.final is not None:
            emit(BodySentUnannounced(queue_id=claimed.message.id, account=self.account.name))
        if transaction.folded:
            emit(LinesFolded(queue_id=claimed.message.id, account=self.account.name))
        transaction.logged_in = self._server.username is not None
        meaning = interpret_transaction(recipients, transaction)
        others = self.connections.in_use
        narrows = meaning.plea is Plea.FEWER and others > 0
        lost = transaction.mail is None and transaction.lost is Stage.MAIL  # it takes logins, and answers nothing more
        result = TransportResult(
            outcomes=meaning.outcomes,
            reply=meaning.reply,
            doubtful=meaning.doubtful,
            more_at_once=meaning.more_at_once,
            confirms=connection.features.dsn,
            sender_refused=meaning.sender_refused,
            setting=meaning.setting,
            learnt=Learnt(
                connected=True,
                max_size=connection.features.size,
                answers=not lost,
                unreachable=lost,
                throttles=meaning.plea is Plea.LESS or (meaning.plea is Plea.FEWER and not narrows),
                used_up=meaning.plea is Plea.LATER,
                connections=others if narrows else None,
                login_refused=meaning.login_refused,
            ),
        )
        return result, meaning

    def _outgoing(
        self, claimed: ClaimedDelivery, recipients: tuple[Recipient, ...], body: Body, progress: Progress
    ) -> OutgoingMail:
        message = claimed.message

        async def before_dot() -> None:
            if self.account.on_uncertain is OnUncertain.HOLD:
                await self._queue.mark_uncertain(claimed)
            await self._queue.confirm(claimed)
            progress.may_have_arrived = True

        async def kept() -> AsyncIterator[bytes]:
            for chunk in body or ():
                yield chunk

        def stored() -> AsyncIterator[bytes]:
            return self._queue.chunks(message.id, claimed.version)

        return OutgoingMail(
            # The account's address as it is now: an address that was corrected applies to what is queued already.
            reverse_path=self.account.address.wire if message.reverse_path else "",
            recipients=tuple(r.address for r in recipients),
            header=claimed.header,
            body=stored if body is None else kept,
            size=_size_of(claimed, body),
            eightbit=message.eightbit,
            smtputf8=message.smtputf8,
            signed=is_signed(claimed.header),
            # The client's options are for its own mail: a notice of ours, or one with the null sender, has none.
            dsn_options=tuple(DsnOptions(notify=r.notify, orcpt=r.orcpt) for r in recipients)
            if message.reverse_path
            else (),
            ret=message.ret if message.reverse_path else "",
            envelope_id=message.envelope_id if message.reverse_path else "",
            before_dot=before_dot,
        )


def _not_connected(error: ConnectError, recipients: tuple[Recipient, ...]) -> TransportResult:
    deferred = Outcome(verdict=Verdict.DEFERRED, reply=error.reply)
    allowed = error.others if error.one_too_many else None
    plea = Plea.NONE if error.login_refused else plea_of(error.reply)
    return TransportResult(
        outcomes={r.n: deferred for r in recipients},
        reply=error.reply,
        confirms=False,
        learnt=Learnt(
            answers=error.login_refused,
            unreachable=allowed is None and not error.login_refused,
            throttles=allowed is None and plea in (Plea.LESS, Plea.FEWER),
            used_up=plea is Plea.LATER,
            connections=allowed,
            login_refused=error.login_refused,
        ),
    )


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
