"""What is due for one lane: what of it is in memory, whether the queue may have more, and whose turn it is.

Nothing here is durable. What was queued while the queue was being asked says so itself, so that none is overlooked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from relay.delivery.ready_queue import ReadyQueue
from relay.model.mail import Body, ClaimedDelivery, Work
from relay.rules.turns import Cursor


@dataclass(kw_only=True)
class DueMail:
    """The mail of one destination that is due."""

    ready: ReadyQueue = field(default_factory=ReadyQueue)
    """What of it is in memory."""
    queued: bool = True
    """Whether the queue may have some that is not in memory."""
    cursor: Cursor = field(default_factory=Cursor)
    """Where the turns of users and mailings stand."""
    _hides_later: bool = False
    """Whether the last look at the queue found something due here, and so did not see what is due later."""
    _went_on: bool = False
    """Whether a mail began since that look."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is due, as far as is known."""
        return not self.queued and not self.ready

    def add(self, delivery: ClaimedDelivery, body: Body) -> None:
        """Keep a mail that is queued and due; where there is no room for it, the queue has it."""
        if not self.ready.add(delivery, body):
            self.queued = True

    def note(self) -> None:
        """Say that the queue may have something due."""
        self.queued = True

    def note_look(self) -> None:
        """Say that a look at the queue has found something due, and nothing that is due later."""
        self.queued = self._hides_later = True

    def note_start(self) -> None:
        """Say that a mail begins."""
        self._went_on = True

    def begin_claim(self) -> None:
        """Say that the queue is being asked: what is queued from now on says so."""
        self.queued = False

    def keep(self, found: Sequence[Work]) -> None:
        """Keep what was read ahead; where there was any, the queue may have more."""
        for work in found:
            self.ready.add(*work)
        self.queued = self.queued or bool(found)

    def take(self, *, newest: bool) -> Work | None:
        """Take what is next out of the memory, and note whose turn it was."""
        work = self.ready.take(self.cursor, newest=newest)
        if work is not None:
            self._serve(work[0])
        return work

    def claimed(self, delivery: ClaimedDelivery) -> Work:
        """Note whose turn it was, and give the body with it, if it is in memory; the queue may have more."""
        self._serve(delivery)
        self.queued = True
        return delivery, self.ready.pop(delivery.id)

    def drop(self) -> None:
        """Keep nothing in memory that will wait for long, or that may have changed: the queue has it."""
        self.ready.clear()
        self.queued = True

    def take_hidden(self) -> bool:
        """Whether something may be due later that the last look did not see; whoever asks sees to a look."""
        hidden = self._hides_later and self._went_on
        if hidden:
            self._hides_later = self._went_on = False
        return hidden

    def _serve(self, delivery: ClaimedDelivery) -> None:
        self.cursor = self.cursor.after(delivery.message.source)
