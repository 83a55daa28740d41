"""The queue's records: a message, its deliveries, their recipients. Times are integer milliseconds since 1970, UTC."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.model.destination import Destination
from relay.model.reply import Outcome, Reply

AT_ONCE = 0
"""A `due` that means: at once, at any hour of the day (`relay queue run`)."""

MOST_UNCERTAIN = 2
"""A mail that may have been sent twice already waits for a person."""

EVERY_ACCOUNT = "/"
"""The `account` of a pause of them all: no account's name has a slash. With a node's name behind it, of one node alone:
a jump of its clock."""

UNNUMBERED: Final = -1
"""The number of a recipient who is added to a message that is in the queue already."""

Body = tuple[bytes, ...] | None
"""A body in chunks; None where the queue must be asked."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    """Waits until it is due."""
    ACTIVE = "active"
    """Claimed: it is being sent, or was when the process died."""
    HELD = "held"
    """Waits for a person."""
    DONE = "done"
    """Every recipient has his last outcome."""


class RecipientKind(StrEnum):
    """Why somebody gets a mail. How it gets there is said by the destination of the delivery alone."""

    TO = "to"
    """It is addressed to him."""
    ARCHIVE = "archive"
    """He keeps the central blind copy."""
    INBOX = "inbox"
    """He is a user of ours who is told something, and reads it in his inbox: a notice."""


class RecipientState(StrEnum):
    """What became of a recipient so far."""

    PENDING = "pending"
    DELIVERED = "delivered"
    BOUNCED = "bounced"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipient:
    """One recipient of a message."""

    n: int
    """His number within the message, from 0; it never changes. `UNNUMBERED`: the queue gives him the next one."""
    address: str
    """The addr-spec; the user's name in a delivery into an inbox."""
    kind: RecipientKind = RecipientKind.TO
    notify: str = ""
    """NOTIFY of RFC 3461, as `relay.model.envelope.DsnOptions` has it."""
    orcpt: str = ""
    """ORCPT of RFC 3461."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewDelivery:
    """A delivery as it is written: one destination, one version of the bytes, some recipients."""

    id: str
    destination: Destination
    recipients: tuple[Recipient, ...]
    version: int = 0
    """0: the mail; 1: the archive's stripped copy."""
    state: DeliveryState = DeliveryState.QUEUED
    due: int = AT_ONCE
    uncertain: int = 0
    token: str = ""
    """Of one that is written as `active`: the token of that claim."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message without its body."""

    id: str
    """The queue id."""
    received_at: int
    user: str | None
    """Who submitted; None for our own notices."""
    account: str
    """The account that the rules chose; empty for a notice into an inbox."""
    rule: str
    """The rule that chose, or `notice`."""
    reverse_path: str
    """The envelope sender as addr-spec; empty is the null sender."""
    header_message_id: str
    """With its angle brackets."""
    subject: str
    """For people to recognise the mail: decoded, shortened, without control characters."""
    size: int
    """Octets of header, blank line and body, as they leave."""
    client: str
    """The client's address, or `relay` for our own notices."""
    header: bytes
    """Every field with CRLF, without the blank line."""
    archive_header: bytes | None = None
    """The header of version 1, where there is one."""
    eightbit: bool = False
    """Whether header or body holds a byte above 127."""
    smtputf8: bool = False
    """Whether the mail can only be sent with SMTPUTF8 (RFC 6531)."""
    notice: bool = False
    """Whether it is a notice of ours; there is never a notice about a notice."""
    why: str = ""
    """The steps of the decision, one a line, for `relay trace`."""
    envelope_id: str = ""
    """ENVID of RFC 3461, as xtext."""
    ret: str = ""
    """RET of RFC 3461: `FULL`, `HDRS` or empty."""
    about: str = ""
    """Of a notice: the queue id of the mail that it tells about."""
    source: str = "-"
    """Who handed it in, from where, and a sign of its kind: the sources of one account take turns. Never empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMessage:
    """All that one accepting transaction writes."""

    message: Message
    deliveries: tuple[NewDelivery, ...]
    chunks: tuple[tuple[int, int, bytes], ...] = ()
    """(version, seq, data): the chunks that were not written ahead."""
    files: tuple[tuple[int, int], ...] = ()
    """(version, octets): the bodies that are in files of their own."""
    once: str = ""
    """What it tells, of what people are told once in a while; where they were told it a moment ago, nothing is written.
    Empty: they are told in any case."""
    drop_version_1: bool = False
    """Whether chunks of version 1 that were written ahead turned out to be the same as version 0, and go away."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedDelivery:
    """A delivery that was claimed and is to be attempted now."""

    id: str
    destination: Destination
    version: int
    attempts: int
    """Attempts before this one."""
    uncertain: int
    """How often it may already have been sent without our knowing."""
    since: int
    """When the clocks of `warn_after` and `give_up_after` began."""
    message: Message
    recipients: tuple[Recipient, ...]
    """Only those that are pending."""
    warned: bool = False
    """Whether the sender has been told that it still waits."""
    due: int = AT_ONCE
    """When it was due: of a source's mails the one that was due first goes first."""
    tried: int = 0
    """Attempts of any kind before this one: what was read before the last of them is out of date."""
    token: str = ""
    """Names this claim: whoever settles, marks or gives back the delivery must present it. Empty: not claimed."""

    @property
    def account(self) -> str:
        """The account through which it leaves; empty for one into an inbox."""
        return self.destination.account

    @property
    def header(self) -> bytes:
        """The header of this delivery's version of the message."""
        if self.version and self.message.archive_header is not None:
            return self.message.archive_header
        return self.message.header


Created = NewMessage | NewDelivery
"""What a change of a delivery creates: a mail of its own (a bounce), or a delivery of the same message: one to which
recipients leave (a split), or one for new recipients (a copy)."""
Work = tuple[ClaimedDelivery, Body]
"""A delivery that is to be attempted, and its body where it is in memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """All that one attempt changes, written in one transaction."""

    delivery_id: str
    key: str
    """Names this attempt: a settlement that is written again changes nothing."""
    at: int
    """When the attempt began."""
    reply: Reply
    """What the attempt as a whole got."""
    outcomes: tuple[tuple[int, Outcome], ...]
    """(recipient number, outcome). Deferred recipients stay pending and keep the reply."""
    state: DeliveryState
    """QUEUED with `due` where recipients are left, HELD where a person must decide, else DONE."""
    due: int = AT_ONCE
    uncertain: int = 0
    """The new value of the delivery's counter."""
    attempted: bool = True
    """Whether there was an attempt; what is given up without one leaves no trace of one."""
    counts: bool = False
    """Whether this attempt counts for the retry intervals; one that a paused account ended does not."""
    seconds: float = 0.0
    """How long it took."""
    creates: tuple[Created, ...] = ()
    """What is written with it; a body stays until all deliveries of its message are done, these included."""
    events: tuple[tuple[str, str], ...] = ()
    """(what, detail), for `relay trace`."""
    token: str = ""
    """That of the claim; empty for what is settled while it is queued, which nobody has claimed."""
    keep_body: bool = False
    """Whether the body stays when all is done (`keep_delivered`)."""

    @property
    def notices(self) -> tuple[NewMessage, ...]:
        """The mails that it creates."""
        return tuple(one for one in self.creates if isinstance(one, NewMessage))

    @property
    def splits(self) -> tuple[NewDelivery, ...]:
        """The deliveries of the same message that it creates."""
        return tuple(one for one in self.creates if isinstance(one, NewDelivery))


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """A pause of an account: nothing is sent, and the give-up clock stands still."""

    account: str
    since: int
    until: int | None
    """None: it still lasts."""
    reason: str
    by_person: bool = False
    """Paused by `relay account pause`: then only `resume` ends it, never a probe."""
    probes: int = 0
    next_probe: int | None = None
    fingerprint: str = ""
    """Hashes of the settings that were refused, separated by blanks: others are probed at once."""
    refusal: Reply | None = None
    """What the postmaster is to be told of, where the pause is new; it is not kept with the pause."""
