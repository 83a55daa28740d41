"""From a mail that comes in to one that is kept."""

from relay.model.account import Directory
from relay.model.envelope import Client, Envelope
from relay.runtime import Runtime
from relay.submission.incoming import Dispatcher, IncomingMail, Slot

__all__ = ["Dispatcher", "IncomingMail", "Slot", "Submission"]


class Submission:
    """Takes mails from SMTP sessions."""

    def __init__(self, runtime: Runtime, dispatcher: Dispatcher) -> None:
        self._runtime, self._dispatcher = runtime, dispatcher

    def begin(self, envelope: Envelope, client: Client, *, show_client: bool) -> IncomingMail:
        """Begin to take one mail."""
        return IncomingMail(self._runtime, self._dispatcher, envelope, client, show_client=show_client)

    @property
    def directory(self) -> Directory:
        """The users and devices of this moment."""
        return self._runtime.settings().directory
