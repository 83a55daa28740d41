"""A mail is collected from a mailbox."""

from typing import Annotated

from relay.events.event import Event
from relay.events.fields import Account, By, Cause, Error, File, QueueId, Seconds, Size, Traceback, Uidl, User


class MailReceived(Event):
    """A mail of a mailbox stands in these users' inboxes, durably."""

    queue_id: QueueId
    account: Account
    users: Annotated[list[str], "whose inboxes"]
    uidl: Uidl
    size: Size


class PollFinished(Event):
    """A mailbox was polled, and the server has deleted what was to go."""

    account: Account
    fetched: Annotated[int, "how many messages were fetched"]
    quarantined: Annotated[int, "how many of those are in the quarantine"]
    failed: Annotated[int, "how many could not be fetched or written"]
    left: Annotated[int, "how many are left on the server for now"]
    deleted: Annotated[int, "how many the server has deleted"]
    seconds: Seconds


class PollElsewhere(Event):
    """Another node polls the mailbox, or may do so by now; the next try is an interval later."""

    account: Account
    reason: Annotated[str, "which node, and until when"]


class PollFailed(Event, level="error"):
    """A poll came to no end; what was collected is safe, the rest is still on the server."""

    account: Account
    error: Error
    next_poll_in: Annotated[int, "seconds until the next one"]
    cause: Cause = ""
    exception: Traceback = None


class PollLinesOmitted(Event, level="warning"):
    """One poll had more lines of a kind than the 20 that it logs, so that nobody can fill the log."""

    account: Account
    of: Annotated[str, "which: `mail_left`, `mail_not_given` or `mail_not_written`"]
    count: Annotated[int, "how many more"]


class MailboxTooFull(Event, level="warning"):
    """The mailbox has more messages than are worked on at a time: the newest are, the rest waits."""

    account: Account
    messages: Annotated[int, "how many are worked on"]
    passed_over: Annotated[int, "how many wait"]


class MailLeft(Event, level="warning"):
    """A message stays on the server, and is named once: too large, no room, or the connection breaks while it comes."""

    account: Account
    uidl: Uidl
    size: Size
    reason: Annotated[str, "why"]


class MailNotGiven(Event, level="warning"):
    """The server lists a message and does not give it; it is asked for again at the next poll."""

    account: Account
    uidl: Uidl
    reply: Annotated[str, "what the server answered"]


class MailNotWritten(Event, level="error"):
    """Somebody has taken away or shut what an inbox needs while a mail was put there.

    The mail stays on the server, and the next poll tries it again. Look at the inbox's folders and their rights.
    """

    account: Account
    uidl: Uidl
    reason: Annotated[str, "why"]


class MailQuarantined(Event, level="error"):
    """The user's inbox can't be used: his copy is in the Maildir `quarantine` of the storage folder.

    `relay quarantine` gives it to somebody.
    """

    queue_id: QueueId
    account: Account
    user: User
    uidl: Uidl
    file: File
    reason: Annotated[str, "why the inbox can't be used"]


class _QuarantineDecided(Event):
    queue_id: QueueId
    account: Account
    user: User
    file: File
    by: By


class QuarantineDelivered(_QuarantineDecided):
    """A person had a mail of the quarantine put into this user's inbox."""


class QuarantineDeleted(_QuarantineDecided):
    """A person had a mail of the quarantine deleted; it was for this user."""
