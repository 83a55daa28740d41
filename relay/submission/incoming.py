"""One mail that comes in: the rules decide, one transaction writes, only then is it `250`.

Guarantee: when `finish` answers 2xx, the mail is on the disk with its recipients, the archive among them. Whatever
fails before that raises, leaves nothing visible behind, and the client is asked to come again.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final, Protocol

from relay.bcc_archive import make_stripper
from relay.model.address import Address
from relay.model.destination import Destination, to_account
from relay.model.envelope import Client, Envelope
from relay.model.ids import new_id, new_token
from relay.model.mail import Body, ClaimedDelivery, DeliveryState, Message, NewDelivery, NewMessage
from relay.model.reply import Reply
from relay.model.route import Refusal, RoutePlan
from relay.planning import MailPlan, plan_mail
from relay.rules.headers import apply_edits
from relay.rules.refusals import refuse_size
from relay.rules.summary import summarise
from relay.rules.tiff import TiffStripper
from relay.rules.trace import received_field, stamp_header
from relay.runtime import Runtime
from relay.submission.body import BodyVersion
from relay.submission.event_log import log_accepted, log_refused
from relay.submission.splitting import source_of, split_recipients

_STRIPPED_AT_ONCE: Final = 32_768
"""Octets that are stripped before others have their turn: a hostile chunk takes a tenth of a second and more."""


class Slot(Protocol):
    """A free connection of an account, reserved for one delivery."""

    def start(self, delivery: ClaimedDelivery, body: Body) -> None:
        """Attempt a delivery that is `active` in the queue."""

    def release(self) -> None:
        """Release the slot unused."""


class Dispatcher(Protocol):
    """The side that sends, as submission sees it."""

    def reserve(self, destination: Destination) -> Slot | None:
        """Reserve a connection if one is free now and the account may send now."""

    def offer(self, delivery: ClaimedDelivery, body: Body) -> None:
        """Take a delivery that was just queued."""

    def max_size(self, account: str) -> int | None:
        """Return the largest mail that the provider takes, in octets, where it is known."""


class IncomingMail:
    """One mail being received; `relay.intake.ports.Incoming` tells the order of the calls."""

    _plan: MailPlan
    """What is decided; set once the header is there, unless that is refused."""

    def __init__(
        self, runtime: Runtime, dispatcher: Dispatcher, envelope: Envelope, client: Client, *, show_client: bool
    ) -> None:
        self._settings, self._queue, self._now = runtime.settings(), runtime.queue, runtime.now()
        self._dispatcher = dispatcher
        self._envelope = envelope.distinct()
        self._client = client
        self._show_client = show_client
        self.queue_id = new_id(self._now)
        self._refusal: Refusal | None = None
        self._header = b""
        self._eightbit = False
        self._body = BodyVersion(number=0, queue=self._queue, message_id=self.queue_id)
        self._stripper: TiffStripper | None = None
        self._stripped = BodyVersion(number=1, queue=self._queue, message_id=self.queue_id)

    async def header(self, block: bytes) -> None:
        """Decide by the header: the route, the archive, the bytes that leave."""
        decision = plan_mail(
            directory=self._settings.directory,
            archive=self._settings.archive,
            hostname=self._settings.hostname,
            client=self._client,
            envelope=self._envelope,
            header=block,
        )
        if isinstance(decision, Refusal):
            self._refusal = decision
            return
        self._plan = decision
        at = datetime.fromtimestamp(self._now / 1000, UTC).astimezone(self._settings.hours.timezone)
        self._header = stamp_header(
            apply_edits(block, decision.route.edits),
            received=received_field(
                client=self._client,
                envelope=self._envelope,
                hostname=self._settings.hostname,
                queue_id=self.queue_id,
                show_client=self._show_client,
                at=at,
            ),
            hostname=self._settings.hostname,
            queue_id=self.queue_id,
            message_id_domain=decision.account.address.domain,
            at=at,
        )
        self._eightbit = not self._header.isascii()
        if decision.archive.strip:
            self._stripper = make_stripper(self._header, language=self._settings.language)

    async def body(self, chunk: bytes) -> None:
        """Keep a chunk; all but the last are written ahead, so that memory does not grow with the mail."""
        if self._refusal is not None:
            return
        self._eightbit = self._eightbit or not chunk.isascii()
        await self._body.add(chunk)
        if self._stripper is not None:
            await self._stripped.add(await _strip(self._stripper, chunk))

    async def finish(self) -> Reply:
        """Make the mail durable and hand it to the dispatcher. Raises StorageError: then nothing was accepted."""
        if self._refusal is not None:
            return self._refuse(self._refusal)
        size = len(self._header) + 2 + self._body.size
        limit = self._dispatcher.max_size(self._route.account)
        if limit and size > limit:
            await self.abort()
            return self._refuse_too_large(refuse_size(size, most=limit, by_provider=True))
        if self._stripper is not None:
            await self._stripped.add(self._stripper.close())
        for version in (self._body, self._stripped):
            await version.wait()
        message = self._message(size)
        plans, slots = self._deliveries()
        chunks = self._body.rest + (self._stripped.rest if self._has_stripped else ())
        try:
            await self._queue.accept(
                NewMessage(
                    message=message,
                    deliveries=tuple(plans),
                    chunks=chunks,
                    drop_version_1=self._stripped.written_ahead and not self._has_stripped,
                )
            )
        except BaseException:
            for slot in slots:
                if slot is not None:
                    slot.release()
            raise
        # First of all somebody runs it; none of it goes out before this turn of the loop is over.
        for delivery, slot in zip(plans, slots, strict=True):
            self._hand_over(message, delivery, slot)
        tiffs = len(self._stripper.removed) if self._has_stripped and self._stripper is not None else 0
        log_accepted(message, plan=self._route, envelope=self._envelope, archive=self._archived, tiffs=tiffs)
        return Reply(code=250, enhanced="2.0.0", text=f"queued as {self.queue_id}")

    async def abort(self) -> None:
        """Forget the mail: what was written ahead goes away."""
        for version in (self._body, self._stripped):
            await version.forget()
        if self._body.written_ahead or self._stripped.written_ahead:
            await self._queue.discard(self.queue_id)

    @property
    def _route(self) -> RoutePlan:
        return self._plan.route

    @property
    def _has_stripped(self) -> bool:
        return self._stripper is not None and self._stripper.changed

    def _message(self, size: int) -> Message:
        plan = self._route
        everyone = (*self._envelope.recipients, *self._archived)
        if plan.reverse_path is not None:
            everyone = (plan.reverse_path, *everyone)
        summary = summarise(self._header)
        utf8_header = self._envelope.smtputf8 and not self._header.isascii()
        return Message(
            id=self.queue_id,
            received_at=self._now,
            user=plan.user,
            account=plan.account,
            rule=plan.rule,
            reverse_path="" if plan.reverse_path is None else plan.reverse_path.wire,
            header_message_id=summary.header_message_id,
            subject=summary.subject,
            size=size,
            client=str(self._client.ip),
            header=self._header,
            archive_header=self._stripper.header if self._has_stripped and self._stripper else None,
            eightbit=self._eightbit,
            smtputf8=utf8_header or any(not a.wire.isascii() for a in everyone),
            why="\n".join((*plan.steps, *self._plan.archive.steps)),
            envelope_id=self._envelope.envelope_id,
            ret=self._envelope.ret,
            source=source_of(
                self._client, user=plan.user or "", sender=str(plan.sender_before or ""), subject=summary.subject
            ),
        )

    @property
    def _archived(self) -> tuple[Address, ...]:
        return self._plan.archive.recipients

    def _deliveries(self) -> tuple[list[NewDelivery], list[Slot | None]]:
        """Split the recipients into transactions; the archive's address is the last of its one."""
        account = self._plan.account
        groups = split_recipients(
            self._envelope,
            self._archived,
            most=account.recipients_per_message,
            archive_apart=self._has_stripped,
        )
        plans, slots, destination = [], [], to_account(account.name)
        for version, group in groups:
            slot = self._dispatcher.reserve(destination)
            slots.append(slot)
            plans.append(
                NewDelivery(
                    id=new_id(self._now),
                    destination=destination,
                    recipients=group,
                    version=version,
                    state=DeliveryState.QUEUED if slot is None else DeliveryState.ACTIVE,
                    token="" if slot is None else new_token(),
                    due=self._now,
                )
            )
        return plans, slots

    def _hand_over(self, message: Message, delivery: NewDelivery, slot: Slot | None) -> None:
        version = self._stripped if delivery.version else self._body
        body = None if version.written_ahead else tuple(data for _, _, data in version.rest)
        claimed = ClaimedDelivery(
            id=delivery.id,
            destination=delivery.destination,
            version=delivery.version,
            attempts=0,
            uncertain=0,
            since=self._now,
            due=delivery.due,
            message=message,
            recipients=delivery.recipients,
            token=delivery.token,
        )
        if slot is None:
            self._dispatcher.offer(claimed, body)
        else:
            slot.start(claimed, body)

    def _refuse_too_large(self, reply: Reply) -> Reply:
        plan = self._route
        refusal = Refusal(
            user=plan.user,
            identity=plan.identity,
            reason="too_large",
            reply=reply,
            account=plan.account,
            rule=plan.rule,
            sender_before=plan.sender_before,
        )
        return self._refuse(refusal)

    def _refuse(self, refusal: Refusal) -> Reply:
        log_refused(refusal, queue_id=self.queue_id, client=self._client)
        return refusal.reply


async def _strip(stripper: TiffStripper, chunk: bytes) -> bytes:
    """Return the archived version of a chunk; what comes out does not depend on how it is cut here."""
    pieces = [stripper.feed(chunk[:_STRIPPED_AT_ONCE])]
    for at in range(_STRIPPED_AT_ONCE, len(chunk), _STRIPPED_AT_ONCE):
        await asyncio.sleep(0)
        pieces.append(stripper.feed(chunk[at : at + _STRIPPED_AT_ONCE]))
    return b"".join(pieces)
