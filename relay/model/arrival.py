"""The record of a user's copy of a collected mail. Times are milliseconds since 1970, UTC."""

from dataclasses import dataclass
from enum import StrEnum

from relay.model.ids import COPY_DIGITS


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
    subject: str
    """As the From field, decoded and shortened for display."""
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
