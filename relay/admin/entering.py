"""How a command that works without a service enters the storage folder: as its owner, and with the database open."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.settings import Settings
    from relay.storage.engine import Database


def require_own_hand(config: str | None, settings: "Settings") -> None:
    """Raise ConfigurationError where root names no configuration, and that of this folder is a stranger's.

    Whoever could write it would have root run his commands and write where he likes, only because root stands in his
    folder. He may choose what is his own: a storage folder of his, as whose owner root then goes on.
    """
    require_hand(config, settings.path, settings.folder)


def require_hand(config: str | None, path: Path, storage: Path) -> None:
    """Do the same for a configuration of which no more is known than the storage folder that it names."""
    from relay.places import PLACES, name_file

    if os.geteuid() != 0 or name_file(config) or path.absolute() != PLACES[0].absolute():
        return
    from relay.model.errors import StorageError
    from relay.settings import ConfigurationError
    from relay.storage.owner import Owner, find_owner, strangers

    for part, uid in strangers(path):
        try:
            owner = find_owner(storage)
        except StorageError:
            owner = None
        if owner is None or owner.uid != uid:
            text = (
                f"{path}: {part} is of {Owner(uid, uid)}, who could have written it for root to run: go to"
                f" another folder; if it is meant, name it: -c {path.name}"
            )
            raise ConfigurationError([text])


def enter(settings: "Settings", *, serves: bool = False, low_ports: bool = False) -> None:
    """Become who owns the storage folder, if root asks and the folder is somebody else's; else change nothing.

    Every command calls this before it opens anything in the folder, the log, or what a service is reached by. Whatever
    root alone can read (the configuration, a copy that is taken back) is opened before. `serves`: the command may
    become the service; `low_ports`: keep the right to open ports below 1024. Raises StorageError.
    """
    from relay.storage.maildir import SHARING_UMASK
    from relay.storage.owner import become_owner, find_owner

    os.umask(SHARING_UMASK)

    owner = find_owner(settings.folder)
    if owner is None:
        return
    from relay.certificates.store import Store
    from relay.storage.lock import database_name, files_of_service
    from relay.storage.owner import require_within

    if (database := database_name(settings.database)) is not None:
        require_within(settings.folder, database, owner)
    belongings = [*files_of_service(settings.folder, settings.database), settings.inboxes]
    certifies = Store(settings.folder).server.exists()
    tokens = any(account.oauth is not None for account in settings.directory.accounts)
    _import_early(serves=serves, shared=database is None, certifies=certifies, tokens=tokens)
    become_owner(owner, settings.folder, belongings, low_ports=low_ports)


def _import_early(*, serves: bool, shared: bool, certifies: bool, tokens: bool) -> None:
    """Import what is otherwise imported when it is used: the owner may not be able to read where root's Python lies."""
    from importlib import import_module
    from pkgutil import iter_modules

    from relay.admin.desk import load_all
    from relay.presets.preset import all_presets
    from relay.rules.answers.reading import all_rows
    from relay.rules.charsets import load_codecs
    from relay.storage import migrations

    names = list(_TO_LOOK)
    if serves:
        names += [*_TO_SERVE, *(f"{migrations.__name__}.{found.name}" for found in iter_modules(migrations.__path__))]
    names += _TO_SHARE if shared else ()
    names += _TO_CERTIFY if certifies and serves else ()
    names += TO_LOG_IN_BY_TOKEN if tokens and serves else ()
    for name in names:
        import_module(name)
    load_all()
    load_codecs()
    all_rows()  # they are kept, as the presets are
    if serves:
        all_presets()  # they are kept: whose server it is, is told of each that is tried


def import_to_certify() -> None:
    """Import what makes a certificate, for a command that makes one: root becomes another user to do so."""
    from importlib import import_module

    for name in _TO_CERTIFY:
        import_module(name)


_TO_LOOK = (
    "_strptime",
    "argon2",
    "encodings.idna",
    "relay.logs",
    "rich.cells",
    "rich.progress",
    "sqlalchemy.dialects.sqlite.pysqlite",
)
"""Beside what the functions of the room import."""
_TO_SERVE = ("alembic.migration", "alembic.operations", "concurrent.futures.thread", "relay.supervisor")
_TO_CERTIFY = (
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.x509",
    "idna",
    "relay.certificates.authority",
)
"""What makes a certificate anew: 10 MB, for a service that has one to look after."""
TO_LOG_IN_BY_TOKEN = (
    "cryptography.fernet",
    "cryptography.hazmat.primitives.asymmetric.padding",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509",
    "h11",
    "relay.rules.answers.sign_in",
)
"""What asks for a token, proves the client and seals what comes."""
_TO_SHARE = ("relay.storage.postgresql", "sqlalchemy.dialects.postgresql.psycopg")


def open_storage(settings: "Settings", *, serves: bool = False, makes: bool = False) -> "Database":
    """Open the database; `serves`: perhaps to become the service. Raises StorageError, also where none is there yet.

    `makes`: then one is made, as a service does at its first start, unless one runs whose database is gone.
    """
    enter(settings, serves=serves or makes)
    if (database := find_database(settings)) is not None or (makes and (database := _make_database(settings))):
        return database
    from relay.model.errors import NothingStoredError, StorageError
    from relay.storage.lock import database_name
    from relay.storage.upgrade import GONE, NONE_YET
    from relay.watching.asking import Running, ask_service

    file = database_name(settings.database)
    if file is None or file.exists():
        raise NothingStoredError(NONE_YET)
    if not file.parent.is_dir():
        missing = StorageError if settings.folder.is_dir() else NothingStoredError
        raise missing(f"{file}: No such file or directory")
    if ask_service(settings.folder).running is Running.YES:
        raise StorageError(f"{file}: {GONE}")
    raise NothingStoredError(f"{file}: {NONE_YET}")


def _make_database(settings: "Settings") -> "Database | None":
    """Make the database, as who owns the storage folder; None where another has the lock, and none is there yet."""
    from relay.model.errors import StorageBusyError
    from relay.storage.engine import open_engine
    from relay.storage.lock import StorageLock
    from relay.storage.upgrade import prepare_database

    with contextlib.suppress(StorageBusyError), StorageLock(settings.folder, settings.database):
        engine = open_engine(settings.database, prepared_statements=settings.prepared_statements)
        try:
            prepare_database(engine)
        finally:
            engine.dispose()
    return find_database(settings)


def read_for_owner(settings: "Settings", file: Path) -> bytes:
    """Read a file; what the storage folder's owner could have put there, with his rights alone. Raises OSError."""
    from relay.model.errors import StorageError
    from relay.storage.elsewhere import is_for_root
    from relay.storage.owner import find_owner

    owner = None
    with contextlib.suppress(StorageError):  # no folder, or none that root would use: nothing of it is opened here
        owner = find_owner(settings.folder)
    if owner is not None and not is_for_root(file, owner):
        enter(settings)
    return file.read_bytes()


def find_database(settings: "Settings", *, patience: float | None = None) -> "Database | None":
    """Open the database; None where none was made yet. `patience`: seconds for a lock. Raises StorageError."""
    from relay.storage.backup import follow_links
    from relay.storage.engine import open_engine, transaction
    from relay.storage.lock import database_name
    from relay.storage.upgrade import require_database, schema_of

    prepared = settings.prepared_statements
    database = open_engine(settings.database, create=False, prepared_statements=prepared, patience=patience)
    if (file := database_name(database.url)) is not None and not follow_links(file).exists():
        return None
    with transaction(database, write=False) as tx:
        found = schema_of(tx)
    if found is None:
        database.dispose()
        return None
    require_database(database)
    return database
