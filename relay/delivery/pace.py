"""The pace of accounts with `messages_per_minute`, kept through a restart: the last minute is read from the queue."""

from collections.abc import Callable, Iterable

from relay.delivery.lanes import Lane
from relay.model.mail import ClaimedDelivery
from relay.settings import Settings
from relay.storage.queue import Queue

_MINUTE = 60_000
_OLDEST = 2 * 86_400_000
"""Milliseconds: mails that are older are tried so seldom that looking for them would cost more than it saves."""


async def take_up_pace(
    queue: Queue,
    settings: Settings,
    lane: Callable[[str], Lane],
    *,
    interrupted: Iterable[ClaimedDelivery],
    now: int,
    monotonic: float,
) -> None:
    """Note in the lanes what began within the last minute. Raises StorageError.

    Those that the end of the last process `interrupted` count as begun just now: nobody wrote down when they began.
    """
    paced = [a.name for a in settings.directory.accounts if a.smtp is not None and a.smtp.messages_per_minute]
    if not paced:
        return
    begun = await queue.starts_since(paced, after=now - _MINUTE, oldest=now - _OLDEST)
    for account, starts in begun.items():
        lane(account).began(monotonic - max(0, now - at) / 1000 for at in starts)
    for delivery in interrupted:
        lane(delivery.account).begin(monotonic)
