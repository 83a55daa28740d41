"""What the functions of the admin room work with: the settings, the database, the service if there is one, who asks."""

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from relay.admin.requests import Progress, Told
from relay.events.event import Event
from relay.model.account import Account
from relay.settings import Settings
from relay.storage.engine import Database


class Service(Protocol):
    """What the service does for people: the running one, or the command itself, which is one for that moment."""

    @property
    def is_running(self) -> bool:
        """Whether a service runs, though it may give no answer."""

    def flush(self, accounts: Collection[str] | None) -> None:
        """Have these accounts' mails tried at once (None: all); where no service runs, all that is due, to the end."""

    def record(self, event: Event) -> None:
        """Log what was done."""

    def reload(self, by: str) -> list[str]:
        """Have the running service read its configuration anew, and log who asked; returns the mistakes.

        Raises RelayError.
        """

    def poll(self, accounts: Sequence[Account]) -> Iterator[Progress | Told]:
        """Poll these accounts' mailboxes, by a running service or here: Progress of each, then the results."""

    def rescan(self) -> None:
        """Let a running service see at once what was changed, such as a pause."""

    def login_changed(self) -> None:
        """Let a running service probe at once what was refused with another login."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """One request's view of the installation."""

    settings: Settings
    open_database: Callable[[], Database]
    """Gives the same one each time. Raises StorageError, where there is none yet, too."""
    service: Service
    by: str
    """Who asks, for the log and the history of the mails."""
    now: int
    """When it was asked, in milliseconds."""

    @property
    def database(self) -> Database:
        """The database."""
        return self.open_database()

    @property
    def zone(self) -> dt.tzinfo:
        """The office's time zone."""
        return self.settings.hours.timezone
