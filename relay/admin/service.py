"""Asks the service itself: to read its configuration anew, and to collect mail."""

from collections.abc import Iterator

from relay.admin.requests import Note, Poll, Progress, Reload, TakeUpLogin, Told
from relay.admin.room import Room
from relay.admin.words import unknown
from relay.events.admin import AdminAction
from relay.model.errors import NotFoundError, StateConflictError


def reload(room: Room, _request: Reload) -> Iterator[Note | Told]:
    """Let the running service read its configuration anew. Raises RelayError where none runs, or it is stopping."""
    mistakes = room.service.reload(room.by)
    for mistake in mistakes:
        yield Note(text=mistake, is_fault=True)
    if mistakes:
        yield Note(text="Nothing was changed: the service goes on with what it had.", is_fault=True)
        yield Told(exit_status=2)
    else:
        yield Note(text="The service has read the configuration anew.")


def take_up_login(room: Room, request: TakeUpLogin) -> Iterator[Note]:
    """Let the running service use a new login at once. One whose account it does not know yet is no fault."""
    room.service.record(AdminAction(action="authorize", by=room.by, account=request.account))
    room.service.login_changed()
    yield from ()


def poll(room: Room, request: Poll) -> Iterator[Progress | Told]:
    """Poll the mailboxes, and tell of the progress. Raises NotFoundError, StateConflictError."""
    settings, name = room.settings, request.account
    collected = [one for one in settings.directory.accounts if one.is_collected]
    if not name and not collected:
        raise NotFoundError(
            f"no account has a mailbox that is collected: add [account.pop3] below an [[account]] of {settings.path}"
        )
    found = settings.directory.account(name)
    if name and found is None:
        raise NotFoundError(unknown("account that is collected and called", name, (one.name for one in collected)))
    if found is not None and found.mailbox is None:
        raise StateConflictError(
            f"for {name} no mailbox is set up, so nothing is collected. If it should be, add [account.pop3]"
            f" below that account in {settings.path}"
        )
    if found is not None and not found.is_collected:
        why = "is excluded" if found.excluded else "has receive = false"
        raise StateConflictError(f"{name} {why} in {settings.path}, so nothing is collected")
    yield from room.service.poll(collected if found is None else [found])
