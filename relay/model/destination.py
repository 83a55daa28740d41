"""Where a delivery goes: the key of a lane, and what decides which transport carries it."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

_CACHED = 4_096
"""Destinations that `Destination.parse` keeps: more than an office has accounts and users."""


class DestinationKind(StrEnum):
    """What a destination is."""

    ACCOUNT = "account"
    """The provider of an account, which sends the mail on."""
    INBOX = "inbox"
    """The Maildir of a user of ours."""


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """A place to which deliveries go. Its text is `account:sales` or `inbox:anna`."""

    kind: DestinationKind
    name: str
    """The name of the account or user; it may hold colons and blanks."""

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.name}"

    @staticmethod
    @lru_cache(_CACHED)
    def parse(text: str) -> "Destination":
        """Read the text of a destination. Raises ValueError if it is none."""
        kind, colon, name = text.partition(":")
        if not colon:
            raise ValueError(f"not a destination: {text!r}")
        return Destination(DestinationKind(kind), name)

    @property
    def is_account(self) -> bool:
        """Whether mail leaves through an account; opening hours, pauses and quotas hold for nothing else."""
        return self.kind is DestinationKind.ACCOUNT

    @property
    def is_idempotent(self) -> bool:
        """Whether a delivery that is repeated adds nothing here, so that it is never in doubt."""
        return self.kind is DestinationKind.INBOX

    @property
    def account(self) -> str:
        """The name of the account, as commands and the log show it; empty for an inbox."""
        return self.name if self.is_account else ""


def to_account(name: str) -> Destination:
    """Make the destination of mail that leaves through an account."""
    return Destination(DestinationKind.ACCOUNT, name)


def to_inbox(user: str) -> Destination:
    """Make the destination of mail that goes into a user's Maildir."""
    return Destination(DestinationKind.INBOX, user)
