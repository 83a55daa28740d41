"""A mailbox at a provider, and each user's copy of a mail of it. Times are milliseconds since 1970, UTC."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from relay.model.ids import COPY_DIGITS


class MessageKey(NamedTuple):
    """The name of one message of an account, the same at each poll. POP3 has neither folders nor validities."""

    uid: str
    """The server's unique id: UIDL (RFC 1939 section 7) or UID (RFC 9051 section 2.3.1.1); empty if it has none."""
    folder: str = ""
    validity: str = ""
    """UIDVALIDITY (RFC 9051 section 2.3.1.1): when it changes, the folder's former unique ids mean nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One message as the server lists it."""

    n: int
    """Its position in the listing of its folder, from 1; a number of this session only."""
    key: MessageKey
    size: int
    """Octets, as the server counts them; the message may turn out to be larger."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderListing:
    """The messages of one folder; a mailbox of POP3 is one folder without a name."""

    messages: Sequence[Listed]
    folder: str = ""
    validity: str = ""
    has_ids: bool = True
    """False if the server has no unique ids: then each message is new at each poll."""
    passed_over: int = 0
    """How many further messages the folder has, which were left out because there are too many."""


class Retrieved(NamedTuple):
    """A message that was asked for, or the server's reason for not sending it."""

    message: Listed
    body: AsyncIterator[bytes] | None
    """Its bytes in pieces, with line ends CRLF; None if the server refused to send it."""
    text: str
    """The server's answer, for people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What is known of a message from earlier polls."""

    first_seen: int
    fetched: bool = True
    """False: it was there before us, and `first_poll = "new"` leaves it alone for ever."""
    gone_at: int | None = None
    """When it was found to be no longer on the server."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mailbox:
    """What the last polls of an account left."""

    hosts: tuple[str, ...]
    """The names under which it was found, the latest one last; empty before the first successful contact."""
    login: str
    folders: Mapping[str, str] = field(default_factory=dict)
    """The folders of the last listing, each with its validity."""
    last_ok: int | None = None
    """When a poll last came to its end."""
    error: str = ""
    """Why the last poll did not."""


@dataclass(kw_only=True, slots=True)
class PollResult:
    """What a poll has done so far, or in all."""

    fetched: int = 0
    failed: int = 0
    """Messages that the server listed and did not send, or that an inbox did not take."""
    left: int = 0
    """Messages that stay on the server for now: too large, no room or time, or the connection breaks at them."""
    deleted: int = 0
    seconds: float = 0.0
    quarantined: int = 0
    """Of how many that were fetched a copy is in the quarantine."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why, by user."""
    ids: tuple[str, ...] = ()
    """Of the first that were fetched, for `relay trace`."""


class Place(StrEnum):
    """Where the file of a copy was put last."""

    INBOX = "inbox"
    """In an inbox; its reader may move or delete it."""
    QUARANTINE = "quarantine"
    DELETED = "deleted"
    """Deleted from the quarantine by a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """One user's copy of one mail."""

    id: str
    """Of the copy; the copies of one mail differ in its end only."""
    at: int
    user: str
    address: str
    """The address of this user that it was sent to."""
    why: str
    """Why this user gets it: a line for each step of the rules."""
    account: str
    uidl: str
    """The provider's unique id; if the server has none, `sha256-` and the hash of the mail."""
    header_message_id: str
    sender: str
    """The From field, decoded and shortened for display, as the subject is."""
    subject: str
    size: int
    place: Place
    file: str
    """The name with which its file was written; a mail reader may add flags after a colon, or move it."""
    folder: str = ""
    """The folder from which it was collected; POP3 has none."""
    validity: str = ""
    """The validity of that folder's unique ids."""
    node: str = ""
    """The node that wrote it."""
    reason: str = ""
    """Why it came into the quarantine; empty if it did not."""
    left_at: int | None = None
    """When it left the quarantine."""
    given_to: str = ""
    """The user into whose inbox it went from the quarantine."""
    left_by: str = ""
    """The person who decided that, if known."""

    @property
    def mail(self) -> str:
        """The part of the id that all copies of its mail share."""
        return self.id[:-COPY_DIGITS]

    @property
    def holder(self) -> str:
        """The user in whose inbox it is; empty if it is in none."""
        return (self.given_to or self.user) if self.place is Place.INBOX else ""
