"""From a mail that comes in to one that is kept."""

from relay.model.account import Directory
from relay.model.envelope import Client, Envelope
from relay.runtime import Runtime
from relay.submission.dispatcher import Dispatcher, Slot
from relay.submission.incoming import IncomingMail

__all__ = ["Dispatcher", "IncomingMail", "Slot", "Submission"]


class Submission:
    """Takes mails from SMTP sessions, one `Incoming` for each."""

    def __init__(self, runtime: Runtime, dispatcher: Dispatcher) -> None:
        self._settings, self._queue, self._now = runtime.settings, runtime.queue, runtime.now
        self._dispatcher = dispatcher

    def begin(self, envelope: Envelope, client: Client, *, show_client: bool) -> IncomingMail:
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

    @property
    def directory(self) -> Directory:
        """The users and devices of this moment."""
        return self._settings().directory
