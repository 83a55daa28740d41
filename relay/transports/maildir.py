"""The transport into the users' inboxes: a mail becomes a file in a Maildir, as durable as one that leaves.

The file's name carries the delivery's id: a delivery that is repeated adds nothing, so that nothing is ever in doubt.
"""

import asyncio

from relay.emitting import emit
from relay.events.delivery import InboxDelivered
from relay.model.errors import StorageError
from relay.model.mail import Body, ClaimedDelivery, Recipient
from relay.model.reply import Outcome, Reply, Verdict
from relay.runtime import Runtime
from relay.storage.maildir import deliver
from relay.transports.transport import Learnt, Progress, Terms, TransportResult

_WRITTEN = Outcome(verdict=Verdict.DELIVERED, reply=Reply(code=250, enhanced="2.0.0", text="written"))
_TERMS = Terms(connections=2, any_hour=True, gives_up=False)  # a disk that is full for a week must not cost a mail


class MaildirTransport:
    """Writes into the inbox of one user."""

    terms = _TERMS
    login = None

    def __init__(self, runtime: Runtime, user: str) -> None:
        self._settings, self._queue = runtime.settings, runtime.queue
        self._user = user

    async def deliver(self, claimed: ClaimedDelivery, body: Body, _progress: Progress) -> TransportResult:
        """Write a delivery into the inbox; what can't be written is deferred."""
        outcomes = {recipient.n: await self._deliver(claimed, recipient, body) for recipient in claimed.recipients}
        written = any(outcome is _WRITTEN for outcome in outcomes.values())  # then the lane needs no rest any more
        reply = next(iter(outcomes.values())).reply
        return TransportResult(outcomes=outcomes, reply=reply, learnt=Learnt(answers=written))

    async def _deliver(self, claimed: ClaimedDelivery, recipient: Recipient, body: Body) -> Outcome:
        settings = self._settings()
        chunks = [claimed.header, b"\r\n"]
        name, shared = f"{claimed.id}.{recipient.n}", settings.group is not None
        try:
            if body is None:
                chunks += [chunk async for chunk in self._queue.chunks(claimed.message.id, claimed.version)]
            else:
                chunks += body
            path = await asyncio.to_thread(deliver, settings.inboxes, self._user, name, chunks, shared=shared)
        except (StorageError, ValueError) as error:
            return Outcome(verdict=Verdict.DEFERRED, reply=Reply(code=0, enhanced="4.2.0", text=str(error)))
        emit(InboxDelivered(queue_id=claimed.message.id, delivery_id=claimed.id, user=self._user, file=path.name))
        return _WRITTEN
