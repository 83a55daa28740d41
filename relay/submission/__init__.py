"""From a mail that comes in to one that is kept."""

from ipaddress import IPv4Address, IPv6Address

from relay.model.address import Address
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

    def takes_bare_line_feeds(self, ip: IPv4Address | IPv6Address) -> bool:
        """Return whether a dot between bare line feeds ends a mail of this client, too: its device says so."""
        device = self._settings().directory.device_at(ip)
        return device is not None and device.bare_line_feeds

    def resolve_postmaster(self) -> Address | None:
        """Return the address that a bare `<postmaster>` stands for."""
        return self._settings().directory.postmaster_address
