"""A mailbox at a provider (RFC 1939: maildrop), as the poller and the database know it. Times are milliseconds, UTC."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One message as the server lists it."""

    n: int
    """Its number in this session, from 1."""
    key: str
    """Its unique id (UIDL); empty where the server has none."""
    size: int
    """Octets, as the server counts them."""


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

    account: str
    hosts: tuple[str, ...]
    """The names under which it was found, the latest one last; none where no poll came so far."""
    login: str
    last_ok: int | None = None
    """When a poll last came to its end."""
    error: str = ""
    """Why the last poll did not."""
