"""A mail goes out."""

from typing import Annotated

from relay.events.event import Event
from relay.events.fields import (
    Account,
    Cause,
    Code,
    DeliveryId,
    File,
    NextAttempt,
    QueueId,
    Recipients,
    Reply,
    Seconds,
    User,
)


class _OfDelivery(Event):
    queue_id: QueueId
    delivery_id: DeliveryId
    account: Account


class _OfMail(Event):
    queue_id: QueueId
    account: Account


class MessageDelivered(_OfDelivery):
    """The provider took the mail: one line for each SMTP transaction."""

    recipients: Recipients
    reply: Reply
    seconds: Seconds | None


class _NotDelivered(_OfDelivery):
    recipients: Recipients
    code: Code
    reply: Reply
    cause: Cause = ""


class DeliveryDeferred(_NotDelivered, level="warning"):
    """These recipients are tried again, until `give_up_after` is over."""

    next_attempt: NextAttempt


class MessageBounced(_NotDelivered, level="error"):
    """These recipients never get it; the user is told, so that nothing is to be done here."""


class ArchiveFailed(_NotDelivered, level="error"):
    """The blind copy could not be delivered; the postmaster is told. Look after the archive's mailbox."""


class DeliveryHeld(_OfDelivery, level="error"):
    """It waits for a person: for `relay queue release`, `move` or `delete`."""

    reason: Annotated[str, "why"]


class PossibleDuplicate(_OfDelivery, level="warning"):
    """The provider may have it already: a crash while it was sent, or a reply that got lost."""

    reason: Annotated[str, "why"]
    next_attempt: NextAttempt


class ClaimLost(_OfDelivery, level="warning"):
    """The claim of this node ran out, since the node stood still or the database was out of reach.

    Another node has the mail, or takes it up. What a late settlement changes then: who surely got the mail is not sent
    it again.
    """

    reason: Annotated[str, "what was being done"]


class ArchiveSplit(_OfDelivery):
    """DATA failed with the archive among the recipients: it was repeated at once without the archive."""

    reply: Reply


class InboxDelivered(Event):
    """A notice stands in a user's Maildir."""

    queue_id: QueueId
    delivery_id: DeliveryId
    user: User
    file: File


class MailParted(_OfMail):
    """The day has room for some of a mail's recipients; the others have the next day's."""

    recipients: Annotated[int, "how many get it today"]
    left: Annotated[int, "how many get it on the next day"]


class MailDelayed(_OfMail, level="warning"):
    """A mail still waits after `warn_after`. `relay trace` says why."""

    deliveries: Annotated[int, "how many of its deliveries wait"]
    told: Annotated[bool, "whether its sender got a notice"]


class SenderRefused(_OfMail, level="error"):
    """5xx at MAIL FROM, or the same 5xx about the sender for all recipients: the account's address is not allowed.

    Correct the account, or let the provider allow the address; the postmaster is told.
    """

    code: Code
    reply: Reply
    cause: Cause = ""


class SettingNeeded(_OfMail, level="error"):
    """5xx that the provider gives until something is changed there, or here: `cause` says what.

    Mail of the account goes on to bounce; the postmaster is told what to do.
    """

    code: Code
    reply: Reply
    cause: Cause = ""


class BodySentUnannounced(_OfMail):
    """8-bit content went to a provider without 8BITMIME: sent unchanged."""


class LinesFolded(_OfMail):
    """Lines of more than 998 octets, which SMTP does not allow, were folded; never those of signed mail."""


class QueueRecovered(Event, level="warning"):
    """After an unclean stop: deliveries that were being sent are taken up again."""

    deliveries: Annotated[int, "how many"]
    held: Annotated[int, "how many of them wait for a person, since they may have been sent twice already"]
