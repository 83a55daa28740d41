"""Which transport serves a destination: decided here alone, at each attempt, from the settings of that moment."""

from collections.abc import Callable, Iterable
from functools import partial

from relay.model.destination import Destination, DestinationKind
from relay.model.mail import Pause
from relay.runtime import Runtime
from relay.transports.maildir import MaildirTransport
from relay.transports.smtp import SmtpTransports
from relay.transports.transport import Transport


class Transports:
    """Finds the transport of a destination, by its kind and by the settings of this moment."""

    def __init__(self, runtime: Runtime, *, pauses: Iterable[Pause]) -> None:
        """`pauses` gives those of the moment, as far as they are known in memory."""
        self._smtp = SmtpTransports(runtime, pauses=pauses)
        self._makers: dict[DestinationKind, Callable[[str], Transport | None]] = {
            DestinationKind.ACCOUNT: self._smtp.at,
            DestinationKind.INBOX: partial(MaildirTransport, runtime),
        }

    def at(self, destination: Destination) -> Transport | None:
        """Return what serves a destination now; None where nothing does: it is gone, or excluded."""
        return self._makers[destination.kind](destination.name)

    async def close(self) -> None:
        """Close every connection."""
        await self._smtp.close()
