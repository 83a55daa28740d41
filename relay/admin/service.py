"""Asks the service itself: to read its configuration anew, and to collect mail."""

from collections.abc import Iterator

from relay.admin.answers import PollNews, Reloaded
from relay.admin.requests import Poll, Reload
from relay.admin.room import Room
from relay.admin.words import unknown
from relay.model.errors import NotFoundError, StateConflictError


def reload(room: Room, _request: Reload) -> Iterator[Reloaded]:
    """Let the running service read its configuration anew. Raises RelayError where none runs, or it is stopping."""
    yield Reloaded(mistakes=tuple(room.service.reload()))


def poll(room: Room, request: Poll) -> Iterator[PollNews]:
    """Poll the mailboxes, and tell of the progress. Raises NotFoundError, StateConflictError."""
    yield from room.service.poll(_choose(room, request.account))


def _choose(room: Room, account: str) -> list[str]:
    settings = room.settings
    collected = [one.name for one in settings.directory.accounts if one.is_collected]
    if not account and not collected:
        raise NotFoundError(
            f"no account has a mailbox that is collected: add [account.pop3] below an [[account]] of {settings.path}"
        )
    if not account:
        return collected
    found = settings.directory.account(account)
    if found is None:
        raise NotFoundError(unknown("account that is collected and called", account, collected))
    if found.is_collected:
        return [account]
    if found.mailbox is None:
        raise StateConflictError(
            f"for {account} no mailbox is set up, so nothing is collected. If it should be, add [account.pop3]"
            f" below that account in {settings.path}"
        )
    why = "is excluded" if found.excluded else "has receive = false"
    raise StateConflictError(f"{account} {why} in {settings.path}, so nothing is collected")
