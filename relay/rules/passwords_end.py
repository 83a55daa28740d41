"""Which accounts still log in by password where Microsoft is about to end that, and when.

Source: Exchange Team blog, 27 January 2026, and Message Center MC786329: at the end of December 2026 SMTP AUTH with a
password is switched off in existing tenants; an administrator may switch it on again until it is removed for good.
"""

from datetime import UTC, datetime
from typing import Final

from relay.model.account import Account, Server

_HOSTS: Final = (".outlook.com", ".office365.com")
LAST_DAY: Final = datetime(2026, 12, 31, tzinfo=UTC)
ENDS: Final = round(LAST_DAY.timestamp() * 1000)
"""Milliseconds since 1970, UTC: the beginning of the last day."""
ENDS_ON: Final = f"{LAST_DAY:%Y-%m-%d}"
URGENT: Final = 30 * 86_400_000
"""Milliseconds before the end in which a person is needed; before and after it is only to be watched."""
_DAY: Final = 86_400_000


def is_microsoft(server: Server) -> bool:
    """Return whether a server is one of Microsoft 365 or Outlook.com."""
    return server.host.lower().rstrip(".").endswith(_HOSTS)


def uses_ending_password(account: Account) -> bool:
    """Return whether an account is in use and logs in to a server of Microsoft's by password."""
    if account.excluded or account.oauth is not None:
        return False
    return any(is_microsoft(server) and server.username is not None for server in account.servers)


def is_urgent(now: int) -> bool:
    """Return whether the end is near at a moment (milliseconds since 1970), and not over."""
    return ENDS - URGENT <= now < ENDS + _DAY


def has_ended(now: int) -> bool:
    """Return whether the last day is over at a moment."""
    return now >= ENDS + _DAY
