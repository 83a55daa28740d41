"""An SMTP reply as a value, and what it means for one recipient."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One reply, given or received (RFC 5321 section 4.2, RFC 2034)."""

    code: int
    """The three digits; 0 if there was no reply, as when the connection was lost."""
    enhanced: str = ""
    """The enhanced status code, such as `5.7.1`; empty if there was none."""
    text: str = ""
    """The rest: lines joined by a newline, with control characters and undecodable bytes replaced."""
    german: str = ""
    """The same text in German, for a refusal of ours; `rules.refusals` chooses which of them a client gets."""

    @property
    def is_positive(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.code < 300

    @property
    def is_permanent(self) -> bool:
        """Whether it is a 5xx; everything that is neither 2xx nor 5xx counts as transient."""
        return 500 <= self.code < 600

    def __str__(self) -> str:
        return " ".join(
            part for part in (str(self.code) if self.code else "", self.enhanced, self.text.replace("\n", " ")) if part
        )


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
