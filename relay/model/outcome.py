"""The result of one attempt for one recipient."""

from dataclasses import dataclass
from enum import StrEnum

from relay.model.reply import Reply


class Verdict(StrEnum):
    """How an attempt can end for a recipient."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One recipient's result of one attempt."""

    verdict: Verdict
    reply: Reply
    """The provider's reply that decided it; our own text if there was none."""
