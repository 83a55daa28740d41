"""An SMTP reply as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One reply, given or received (RFC 5321 section 4.2, RFC 2034)."""

    code: int
    """The three digits; 0 where no reply came (the connection was lost)."""
    enhanced: str = ""
    """The enhanced status code, `5.7.1`; empty where the peer gave none."""
    text: str = ""
    """The rest, lines joined by a newline, control characters and undecodable bytes already made harmless."""
    german: str = ""
    """The same text in German where it is a refusal of ours; `rules.refusals` chooses what a client is told."""

    @property
    def is_positive(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.code < 300

    @property
    def is_permanent(self) -> bool:
        """Whether it is a 5xx; whatever is neither 2xx nor 5xx counts as transient."""
        return 500 <= self.code < 600

    def __str__(self) -> str:
        """Give the reply in one line, as a log or a notice shows it."""
        return " ".join(
            part for part in (str(self.code) if self.code else "", self.enhanced, self.text.replace("\n", " ")) if part
        )
