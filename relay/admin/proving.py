"""What a change of the configuration must stand before it is written, and what hangs on what it removes."""

from pathlib import Path

from relay.admin.entering import enter, find_database, require_own_hand
from relay.admin.unusable import find_unusable
from relay.clock import wall_clock
from relay.model.errors import StorageError
from relay.settings import ConfigurationError, Settings, load_settings
from relay.settings.document import Table, read_document
from relay.settings.environment import find_folder
from relay.settings.login_sources import Lenience, find_login_sources, lenient_to
from relay.settings.user_passwords import find_lost_passwords
from relay.storage.child import ask_another

_PATIENCE = 2.0
"""Seconds that a database is waited for which another program has locked."""


def prove(config: str | None, path: Path, content: bytes) -> Settings:
    """Check what is to stand in the configuration as `relay check` does; return what it then says.

    What an account or a user logs in by, and that was missing before, is no mistake of the change.
    `config`: the option that named the file. Raises ConfigurationError with a line for each mistake.
    """
    settings = load_settings(path, written=content, lenience=tolerate(path))
    require_own_hand(config, settings)
    if settings.folder.is_dir():
        try:
            mistakes, _ = find_unusable(settings)
        except StorageError:  # it says nothing against the configuration
            mistakes = []
        if mistakes:
            raise ConfigurationError(mistakes)
    return settings


def tolerate(path: Path) -> Lenience:
    """Return the lenience to what the configuration lacks as it stands, before a change. Raises ConfigurationError."""
    before = Table(content=read_document(path)[0])
    return lenient_to(find_login_sources(before, find_folder(before, path)), find_lost_passwords(before))


def count_open(settings: Settings, account: str) -> int | None:
    """Return how many deliveries wait for an account or are held; None where that can't be told.

    The database is read by another process, which becomes the storage folder's owner: this one stays who it is.
    """

    def answer() -> bytes:
        from relay.storage.engine import transaction  # noqa: PLC0415 - only the other process needs the database
        from relay.storage.standing import QueueState, read_standing  # noqa: PLC0415 - see above

        enter(settings)
        database = find_database(settings, patience=_PATIENCE)
        if database is None:
            return b"0"
        with transaction(database, write=False) as tx:
            now = wall_clock()
            standing = read_standing(tx, hours=settings.hours, retry=settings.retry, now=now)
        queue = standing.queues.get(account, QueueState())
        return str(queue.waiting + queue.active + queue.held).encode()

    if not settings.folder.is_dir():
        return 0
    said = ask_another(answer)
    return int(said) if said else None
