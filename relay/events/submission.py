"""A client hands in a mail."""

from typing import Annotated

from relay.events.event import Event
from relay.events.fields import Account, Client, Code, Error, QueueId, Recipients, Reply, Size, Traceback, User

_ReversePath = Annotated[str | None, "the sender of MAIL, `<>` for none"]


class MessageAccepted(Event):
    """The mail is durable, the client has its 250."""

    queue_id: QueueId
    client: Client | None
    user: User | None
    identity: Annotated[str, "how the user was found: `login`, `device`, `from`, `listener` or `nobody`"]
    rule: Annotated[str, "the rule that chose the account, as `relay explain` numbers them"]
    account: Account
    sender_before: Annotated[str | None, "the address in From, or in Sender, as the mail came"]
    sender_after: Annotated[str, "the address that it leaves with"]
    recipients: Recipients
    archive: Annotated[list[str], "who gets the blind copy"]
    size: Size
    message_id: Annotated[str, "the mail's Message-ID"]


class MessageRejected(Event, level="warning"):
    """The mail or a recipient was refused, and why; the client was told the same."""

    queue_id: QueueId | None = None
    client: Client
    user: User | None
    reason: Annotated[str, "why, as one word for programs"]
    code: Code
    reply: Reply
    account: Annotated[str | None, "the account, where the account rules refused it"] = None
    sender_before: Annotated[str | None, "the address in From or Sender, where the account rules refused it"] = None
    reverse_path: Annotated[str | None, "the sender of MAIL, where it was refused before these rules saw it"] = None
    recipient: Annotated[str | None, "the recipient that was refused"] = None


class MessageBrokenOff(Event, level="warning"):
    """A client left, or was too slow, before its mail had come to its end. It has no 250, and sends again or says so.

    The reason says where it seems to have ended it by bare line feeds (then its reply is 554, 15 s later).
    """

    client: Client
    user: User | None
    reverse_path: _ReversePath
    octets: Annotated[int, "how much of the mail had come"]
    reason: Annotated[str, "why"]


class MessageFailed(Event, level="error"):
    """A fault while the mail was taken: the client got a 451 and comes again. Look at the disk and the database."""

    queue_id: QueueId
    client: Client
    error: Error
    exception: Traceback = None


class SignatureRemoved(Event):
    """From was rewritten, which breaks DKIM signatures over it: they were removed."""

    queue_id: QueueId
    account: Account
    count: Annotated[int, "how many signatures"]


class TiffStripped(Event):
    """The archived version has notes in place of TIFFs."""

    queue_id: QueueId
    files: Annotated[int, "how many TIFFs"]
