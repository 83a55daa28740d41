"""What people do by commands."""

from typing import Annotated

from relay.events.event import Event
from relay.events.fields import Account, By


class AdminAction(Event):
    """Somebody has changed the queue or an account by a command."""

    action: Annotated[str, "`retry`, `hold`, `release`, `move`, `delete`, `run`, `pause`, `resume` or `authorize`"]
    by: By
    count: Annotated[int, "how many mails were changed"] = 0
    queue_ids: Annotated[tuple[str, ...], "their ids, at most the first 100"] = ()
    account: Account = ""
