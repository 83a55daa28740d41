"""A user's copy of a collected mail, as it is remembered. Times are milliseconds since 1970, UTC."""

from dataclasses import dataclass
from enum import StrEnum

from relay.model.ids import COPY_DIGITS


class Place(StrEnum):
    """Where the file of a copy was put last."""

    INBOX = "inbox"
    """In an inbox, whose reader does with it what he likes."""
    QUARANTINE = "quarantine"
    """In the quarantine, until a person decides."""
    DELETED = "deleted"
    """Nowhere: a person has deleted it from the quarantine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """One user's copy of one mail."""

    id: str
    """Of the copy; those of one mail's copies are equal but for their end."""
    at: int
    user: str
    """Who was to get it."""
    address: str
    """For which of his addresses."""
    why: str
    """Why he gets it: one line for each step of the rules."""
    account: str
    uidl: str
    """The provider's unique id; if the server has none, `sha256-` and the hash of the mail."""
    header_message_id: str
    sender: str
    """The header From for people, decoded and shortened."""
    subject: str
    """For people, decoded and shortened."""
    size: int
    place: Place
    file: str
    """The name of its file, as it was written: a reader adds flags behind a colon, or moves it away."""
    folder: str = ""
    """The folder from which it was collected; POP3 has none."""
    validity: str = ""
    """The validity of that folder's unique ids."""
    node: str = ""
    """Which node has written it."""
    reason: str = ""
    """Why it came into the quarantine; empty where it did not."""
    left_at: int | None = None
    """When it left the quarantine."""
    given_to: str = ""
    """Into whose inbox it left the quarantine."""
    left_by: str = ""
    """Who said so, where that is known."""

    @property
    def mail(self) -> str:
        """What the ids of all copies of its mail begin with."""
        return self.id[:-COPY_DIGITS]

    @property
    def holder(self) -> str:
        """In whose inbox it was put; empty where in none."""
        return (self.given_to or self.user) if self.place is Place.INBOX else ""
