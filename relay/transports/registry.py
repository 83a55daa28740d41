"""Which transport serves a destination: decided here alone, at each attempt, from the settings of that moment."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from relay.model.destination import Destination, DestinationKind
from relay.model.mail import Pause
from relay.runtime import Runtime
from relay.transports.maildir import MaildirTransport
from relay.transports.smtp import SmtpTransport
from relay.transports.smtp_connections import Connections
from relay.transports.transport import Transport


class Transports:
    """Finds the transport of a destination, by its kind and by the settings of this moment."""

    def __init__(self, runtime: Runtime, *, pauses: Iterable[Pause]) -> None:
        """`pauses` gives those of the moment, as far as they are known in memory."""
        self._runtime, self._pauses = runtime, pauses
        self._smtp: dict[str, SmtpTransport] = {}
        self._makers: dict[DestinationKind, Callable[[str], Transport | None]] = {
            DestinationKind.ACCOUNT: self._at_account,
            DestinationKind.INBOX: partial(MaildirTransport, runtime),
        }

    def at(self, destination: Destination) -> Transport | None:
        """Return what serves a destination now; None where nothing does: it is gone, or excluded."""
        return self._makers[destination.kind](destination.name)

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(smtp.connections.close() for smtp in self._smtp.values()))

    def _at_account(self, name: str) -> Transport | None:
        """Return the transport of an account that sends; its connections last when its settings change."""
        account = self._runtime.settings().directory.account(name)
        if account is None or account.smtp is None or account.excluded:
            return None
        known = self._smtp.get(name)
        if known is None or known.account is not account:
            connections = known.connections if known else Connections(self._runtime, name, pauses=self._pauses)
            known = self._smtp[name] = SmtpTransport(account, account.smtp, connections, self._runtime.queue)
        return known
