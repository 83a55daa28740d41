"""The lane into the users' inboxes: a notice becomes a file in a Maildir, as durable as a mail that leaves."""

import asyncio
import os
from pathlib import Path

import structlog

from relay.delivery.attempt import Result
from relay.delivery.event_log import log_disposition, log_lost
from relay.delivery.retry_policy import retry_until_stored
from relay.model.errors import StorageError
from relay.model.ids import make_id
from relay.model.mail import Body, ClaimedDelivery, DeliveryState, Recipient, Settlement
from relay.model.outcome import Outcome, Verdict
from relay.model.reply import Reply
from relay.rules.disposition import Answered, Schedule, decide_disposition
from relay.runtime import Runtime
from relay.storage.maildir import deliver

log = structlog.get_logger()

_WRITTEN = Outcome(verdict=Verdict.DELIVERED, reply=Reply(code=250, enhanced="2.0.0", text="written"))


class InboxWriter:
    """Writes deliveries of the inbox lane; the file's name carries the delivery's id: a repetition adds nothing."""

    def __init__(self, runtime: Runtime) -> None:
        self._settings, self._queue = runtime.settings, runtime.queue
        self._now, self._monotonic, self._jitter = runtime.now, runtime.monotonic, runtime.random

    async def attempt(self, delivery: ClaimedDelivery, body: Body) -> Result:
        """Write one delivery into the inboxes of its recipients, and settle it."""
        settings, at, begun = self._settings(), self._now(), self._monotonic()
        outcomes: dict[int, Outcome] = {}
        for recipient in delivery.recipients:
            try:
                path = await self._write(delivery, recipient, body)
            except (StorageError, ValueError) as error:
                reply = Reply(code=0, enhanced="4.2.0", text=str(error))
                outcomes[recipient.n] = Outcome(verdict=Verdict.DEFERRED, reply=reply)
                continue
            outcomes[recipient.n] = _WRITTEN
            log.info("inbox_delivered", queue_id=delivery.message.id, delivery_id=delivery.id, user=recipient.address,
                     file=path.name)  # fmt: skip
        now = self._now()
        disposition = decide_disposition(
            delivery,
            Answered(outcomes=outcomes),
            Schedule(policy=settings.retry, hours=settings.hours),
            counted=0,  # a disk that is full for a week must not cost a notice
            now=now,
            jitter=self._jitter(),
        )
        reply = next(iter(outcomes.values())).reply
        settlement = Settlement(
            delivery_id=delivery.id,
            token=delivery.token,
            key=make_id(at, os.urandom(10)),
            at=at,
            seconds=self._monotonic() - begun,
            reply=reply,
            outcomes=disposition.outcomes,
            state=disposition.state,
            due=disposition.due,
            keep_body=settings.limits.keep_delivered > 0,
        )
        if not await retry_until_stored("settle", lambda: self._queue.settle(settlement)):
            log_lost(delivery, "settled too late")  # who writes it again writes the same file
        elif disposition.state is not DeliveryState.DONE:
            seconds = self._monotonic() - begun
            log_disposition(delivery, disposition, reply, seconds=seconds, uncertain=False)
        return Result.DONE

    async def _write(self, delivery: ClaimedDelivery, recipient: Recipient, body: Body) -> Path:
        """Write the file. Raises StorageError or ValueError."""
        chunks = [delivery.header, b"\r\n"]
        if body is None:
            chunks += [chunk async for chunk in self._queue.chunks(delivery.message.id, delivery.version)]
        else:
            chunks += body
        name = f"{delivery.id}.{recipient.n}"
        settings = self._settings()
        shared = settings.group is not None
        return await asyncio.to_thread(deliver, settings.inboxes, recipient.address, name, chunks, shared=shared)
