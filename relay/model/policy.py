"""Settings that rules take as arguments."""

from dataclasses import dataclass

from relay.model.address import Address


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivePolicy:
    """`[archive]`: the central blind copy."""

    bcc: tuple[Address, ...] = ()
    strip_tiff: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """`[retry]`: when a deferred mail is tried again and given up. All in milliseconds."""

    intervals: tuple[int, ...] = (60_000, 300_000, 900_000, 3_600_000)
    """The last one repeats."""
    give_up_after: int = 259_200_000
    warn_after: int = 14_400_000
