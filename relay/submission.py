"""From a mail that comes in to one that is kept: the rules decide, one transaction writes, only then is it `250`.

Guarantee: when `finish` answers 2xx, the mail is on the disk with its recipients, the archive among them. Whatever
fails before that raises, leaves nothing visible behind, and the client is asked to come again.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import structlog

from relay.bcc_archive import ArchivePlan, make_stripper, plan_archive
from relay.model.account import Account
from relay.model.address import Address
from relay.model.envelope import Client, Envelope, Wish
from relay.model.ids import make_id
from relay.model.mail import (
    ClaimedDelivery,
    DeliveryState,
    Message,
    NewDelivery,
    NewMessage,
    Recipient,
    RecipientKind,
)
from relay.model.reply import Reply
from relay.model.route import Refusal, RemoveFields, RoutePlan
from relay.routing import check_loop, plan_route
from relay.rules.headers import apply_edits, subject_text
from relay.rules.tiff import TiffStripper
from relay.rules.trace import message_id_of, received_field, stamp_header
from relay.settings import Settings
from relay.storage.queue import Queue

log = structlog.get_logger()


class Slot(Protocol):
    """A free connection of an account, reserved for one delivery."""

    def start(self, delivery: ClaimedDelivery, body: tuple[bytes, ...] | None) -> None:
        """Attempt a delivery that is `active` in the queue; `body` in chunks, None where the queue must be asked."""

    def release(self) -> None:
        """Give the slot back unused."""


class Dispatcher(Protocol):
    """The side that sends, as submission sees it."""

    def reserve(self, account: str) -> Slot | None:
        """Reserve a connection if one is free now and the account may send now."""

    def wake(self, account: str) -> None:
        """Say that a delivery of this account waits."""

    def max_size(self, account: str) -> int | None:
        """Tell the largest mail that the provider takes, in octets, where it is known."""


class Submission:
    """Takes mails from SMTP sessions, one `Incoming` for each."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        queue: Queue,
        dispatcher: Dispatcher,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._dispatcher = dispatcher
        self._now = now

    def begin(self, envelope: Envelope, client: Client, *, show_client: bool) -> "IncomingMail":
        """Begin to take one mail."""
        return IncomingMail(
            envelope=envelope,
            client=client,
            show_client=show_client,
            settings=self._settings(),
            queue=self._queue,
            dispatcher=self._dispatcher,
            now=self._now(),
        )

    def resolve_postmaster(self) -> Address | None:
        """Give the address that a bare `<postmaster>` stands for."""
        directory = self._settings().directory
        user = directory.user(directory.postmaster)
        return user.address if user else None


@dataclass(kw_only=True)
class _Version:
    """One version of the body on its way into the queue: the last chunk stays in memory, the others are written."""

    number: int
    queue: Queue
    message_id: str
    size: int = 0
    seq: int = 0
    last: bytes | None = None

    async def add(self, chunk: bytes) -> None:
        if not chunk:
            return
        if self.last is not None:
            await self.queue.write_chunk(self.message_id, self.number, self.seq, self.last)
            self.seq += 1
        self.last = chunk
        self.size += len(chunk)

    @property
    def written_ahead(self) -> bool:
        return self.seq > 0

    @property
    def rest(self) -> tuple[tuple[int, int, bytes], ...]:
        return () if self.last is None else ((self.number, self.seq, self.last),)


@dataclass(kw_only=True)
class IncomingMail:
    """One mail being received; `relay.intake.hooks.Incoming` tells the order of the calls."""

    envelope: Envelope
    client: Client
    show_client: bool
    settings: Settings
    queue: Queue
    dispatcher: Dispatcher
    now: int
    queue_id: str = field(init=False)
    _refusal: Refusal | None = None
    _plan: RoutePlan | None = None
    _archive: ArchivePlan | None = None
    _header: bytes = b""
    _eightbit: bool = False
    _body: _Version = field(init=False)
    _stripper: TiffStripper | None = None
    _stripped: _Version = field(init=False)

    def __post_init__(self) -> None:
        self.queue_id = make_id(self.now, os.urandom(10))
        self._body = _Version(number=0, queue=self.queue, message_id=self.queue_id)
        self._stripped = _Version(number=1, queue=self.queue, message_id=self.queue_id)

    async def header(self, block: bytes) -> None:
        """Decide by the header: the route, the archive, the bytes that leave."""
        decision = check_loop(block, self.settings.hostname) or plan_route(
            directory=self.settings.directory, client=self.client, envelope=self.envelope, header=block
        )
        if isinstance(decision, Refusal):
            self._refusal = decision
            return
        self._plan = decision
        account = self._account
        self._archive = plan_archive(
            policy=self.settings.archive,
            account=account,
            reverse_path=decision.reverse_path,
            recipients=self.envelope.recipients,
        )
        at = datetime.fromtimestamp(self.now / 1000, UTC).astimezone(self.settings.hours.timezone)
        self._header = stamp_header(
            apply_edits(block, decision.edits),
            received=received_field(
                client=self.client,
                envelope=self.envelope,
                hostname=self.settings.hostname,
                queue_id=self.queue_id,
                show_client=self.show_client,
                at=at,
            ),
            hostname=self.settings.hostname,
            queue_id=self.queue_id,
            message_id_domain=account.address.domain,
            at=at,
        )
        self._eightbit = not self._header.isascii()
        if self._archive.strip:
            self._stripper = make_stripper(self._header)

    async def body(self, chunk: bytes) -> None:
        """Keep a chunk; all but the last are written ahead, so that memory does not grow with the mail."""
        if self._refusal is not None:
            return
        self._eightbit = self._eightbit or not chunk.isascii()
        await self._body.add(chunk)
        if self._stripper is not None:
            await self._stripped.add(self._stripper.feed(chunk))

    async def finish(self) -> Reply:
        """Make the mail durable and hand it to the dispatcher. Raises StorageError: then nothing was accepted."""
        if self._refusal is not None:
            return self._refuse(self._refusal)
        size = len(self._header) + 2 + self._body.size
        limit = self.dispatcher.max_size(self._route.account)
        if limit and size > limit:
            reply = Reply(code=552, enhanced="5.3.4", text=f"The provider takes at most {limit} octets, this is {size}")
            await self.abort()
            return self._refuse(self._refusal_of(reply, "too_large"))
        if self._stripper is not None:
            await self._stripped.add(self._stripper.close())
        message = self._message(size)
        plans, slots = self._deliveries()
        chunks = self._body.rest + (self._stripped.rest if self._has_stripped else ())
        try:
            await self.queue.accept(
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
        self._log_accepted(message)
        for delivery, slot in zip(plans, slots, strict=True):
            self._hand_over(message, delivery, slot)
        return Reply(code=250, enhanced="2.0.0", text=f"queued as {self.queue_id}")

    async def abort(self) -> None:
        """Forget the mail: what was written ahead goes away."""
        if self._body.written_ahead or self._stripped.written_ahead:
            await self.queue.discard(self.queue_id)

    @property
    def _route(self) -> RoutePlan:
        assert self._plan is not None
        return self._plan

    @property
    def _account(self) -> Account:
        account = self.settings.directory.account(self._route.account)
        assert account is not None
        return account

    @property
    def _has_stripped(self) -> bool:
        return self._stripper is not None and self._stripper.changed

    def _message(self, size: int) -> Message:
        plan = self._route
        everyone = (*self.envelope.recipients, *self._archived)
        if plan.reverse_path is not None:
            everyone = (plan.reverse_path, *everyone)
        utf8_header = self.envelope.smtputf8 and not self._header.isascii()
        return Message(
            id=self.queue_id,
            received_at=self.now,
            user=plan.user,
            account=plan.account,
            rule=plan.rule,
            reverse_path="" if plan.reverse_path is None else plan.reverse_path.wire,
            header_message_id=message_id_of(self._header),
            subject=subject_text(self._header),
            size=size,
            client=str(self.client.ip),
            header=self._header,
            archive_header=self._stripper.header if self._has_stripped and self._stripper else None,
            eightbit=self._eightbit,
            smtputf8=utf8_header or any(not a.wire.isascii() for a in everyone),
            why="\n".join((*plan.steps, *(self._archive.steps if self._archive else ()))),
            envelope_id=self.envelope.envelope_id,
            ret=self.envelope.ret,
        )

    @property
    def _archived(self) -> tuple[Address, ...]:
        return self._archive.recipients if self._archive else ()

    def _deliveries(self) -> tuple[list[NewDelivery], list[Slot | None]]:
        """Split the recipients into transactions; the archive's address is the last of its one."""
        wishes = self.envelope.wishes or (Wish(),) * len(self.envelope.recipients)
        # Of an address that comes twice, the first counts.
        to = {a.wire: wish for a, wish in reversed([*zip(self.envelope.recipients, wishes, strict=True)])}
        real = [
            Recipient(n=n, address=address, notify=to[address].notify, orcpt=to[address].orcpt)
            for n, address in enumerate(dict.fromkeys(a.wire for a in self.envelope.recipients))
        ]
        copies = [
            Recipient(n=len(real) + n, address=address.wire, kind=RecipientKind.ARCHIVE)
            for n, address in enumerate(self._archived)
        ]
        account = self._account
        assert account.smtp is not None
        most = account.smtp.recipients_per_message
        groups = [(0, group) for group in _groups(real if self._has_stripped else real + copies, most)]
        if self._has_stripped:
            groups += [(1, group) for group in _groups(copies, most)]
        plans, slots = [], []
        for version, group in groups:
            slot = self.dispatcher.reserve(account.name)
            slots.append(slot)
            plans.append(
                NewDelivery(
                    id=make_id(self.now, os.urandom(10)),
                    account=account.name,
                    recipients=tuple(group),
                    version=version,
                    state=DeliveryState.QUEUED if slot is None else DeliveryState.ACTIVE,
                    due=self.now,
                )
            )
        return plans, slots

    def _hand_over(self, message: Message, delivery: NewDelivery, slot: Slot | None) -> None:
        if slot is None:
            self.dispatcher.wake(delivery.account)
            return
        version = self._stripped if delivery.version else self._body
        slot.start(
            ClaimedDelivery(
                id=delivery.id,
                account=delivery.account,
                version=delivery.version,
                attempts=0,
                uncertain=0,
                since=self.now,
                message=message,
                recipients=delivery.recipients,
            ),
            None if version.written_ahead else tuple(data for _, _, data in version.rest),
        )

    def _log_accepted(self, message: Message) -> None:
        plan = self._route
        log.info(
            "message_accepted",
            queue_id=self.queue_id,
            client=message.client,
            user=plan.user,
            identity=plan.identity,
            rule=plan.rule,
            account=plan.account,
            sender_before=plan.sender_before and str(plan.sender_before),
            sender_after=str(plan.sender_after),
            recipients=[str(address) for address in self.envelope.recipients],
            archive=[str(address) for address in self._archived],
            size=message.size,
            message_id=message.header_message_id,
        )
        signatures = sum(
            len(edit.positions or ())
            for edit in plan.edits
            if isinstance(edit, RemoveFields) and edit.name.lower() == "dkim-signature"
        )
        if signatures:
            log.info("signature_removed", queue_id=self.queue_id, account=plan.account, count=signatures)
        if self._has_stripped and self._stripper is not None:
            log.info("tiff_stripped", queue_id=self.queue_id, files=len(self._stripper.removed))

    def _refusal_of(self, reply: Reply, reason: str) -> Refusal:
        plan = self._route
        return Refusal(
            user=plan.user,
            identity=plan.identity,
            reason=reason,
            reply=reply,
            account=plan.account,
            rule=plan.rule,
            sender_before=plan.sender_before,
        )

    def _refuse(self, refusal: Refusal) -> Reply:
        log.warning(
            "message_rejected",
            queue_id=self.queue_id,
            client=str(self.client.ip),
            user=refusal.user,
            reason=refusal.reason,
            code=refusal.reply.code,
            reply=str(refusal.reply),
            account=refusal.account,
            sender_before=refusal.sender_before and str(refusal.sender_before),
        )
        return refusal.reply


def _groups(recipients: Sequence[Recipient], most: int) -> list[Sequence[Recipient]]:
    return [recipients[i : i + most] for i in range(0, len(recipients), most)]
