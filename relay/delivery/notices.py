"""The notifications as the rest of delivery still calls them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from relay.delivery.pauses import PauseBook
from relay.emitting import emit
from relay.model.destination import Destination
from relay.model.mail import ClaimedDelivery, NewMessage
from relay.notifications import Notifications
from relay.runtime import Runtime


class Notifier:
    """Wakes what has something new to send."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        pauses: PauseBook,
        works: Callable[[str], bool],
        wake: Callable[[Iterable[Destination]], None],
    ) -> None:
        """`works` tells whether an account's server takes mail, as far as is known."""
        self.notifications = Notifications(runtime, is_paused=pauses.__contains__, works=works)
        self.wake = wake
        self.mover = self

    async def compose(self, *given: Any, **more: Any) -> Sequence[NewMessage]:  # noqa: ANN401 - see Policy.of_attempt
        """Compose the notices of an attempt."""
        told = await self.notifications.policy.of_attempt(*given, **more)
        emit(*told.events)
        return told.notices

    async def hold_homeless(self, accounts: Collection[str]) -> None:
        """Hold the mail of accounts that are gone or excluded."""
        self.wake(await self.notifications.outbox.hold_orphaned(accounts))

    async def tell_owed(self) -> None:
        """Send the alerts that are owed."""
        self.wake(await self.notifications.outbox.send_pending())

    async def rescue(self, notices: Iterable[ClaimedDelivery], *, bounced: bool = False) -> None:
        """Send notices another way."""
        self.wake(await self.notifications.rerouter.rescue(notices, bounced=bounced))
