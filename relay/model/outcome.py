"""What became of one recipient in one attempt."""

from dataclasses import dataclass
from enum import StrEnum

from relay.model.reply import Reply


class Verdict(StrEnum):
    """The three ways in which an attempt can end for a recipient."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One recipient's result of one attempt."""

    verdict: Verdict
    reply: Reply
    """The provider's reply that decided; our own words where none came."""
