"""What every command does with the configuration and with faults: one clear line, and the right exit status."""

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from relay.cli.output import say

if TYPE_CHECKING:
    from relay.settings import Settings
    from relay.storage.engine import Database
    from relay.storage.owner import Owner

DONE, FAILED, MISUSED = 0, 1, 2

config_option = click.option(
    "-c",
    "--config",
    metavar="FILE",
    help="The configuration; default: $RELAY_CONFIG, ./relay.toml, /etc/relay/relay.toml.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")


def load(config: str | None, *, secrets: bool = False) -> "Settings":
    """Load the configuration, or end with status 2 and a line for each mistake.

    `secrets`: the command may log in somewhere, so that the files and variables of passwords must be there.
    """
    from relay.settings import ConfigurationError, find_configuration, load_settings

    try:
        return load_settings(find_configuration(config), secrets=secrets)
    except ConfigurationError as error:
        for mistake in error.mistakes:
            say(mistake, error=True)
        sys.exit(MISUSED)


def enter(settings: "Settings", *, serves: bool = False, low_ports: bool = False) -> None:
    """Become who owns the storage folder, if root asks and the folder is somebody else's; else change nothing.

    Every command calls this before it opens anything in the folder, the log, or what a service is reached by. Whatever
    root alone can read (the configuration, a copy that is taken back) is opened before. `serves`: the command may
    become the service; `low_ports`: keep the right to open ports below 1024. Raises StorageError.
    """
    from relay.storage.owner import become_owner, find_owner

    owner = find_owner(settings.folder)
    if owner is None:
        return
    from relay.storage.lock import database_name, files_of_service
    from relay.storage.owner import require_within

    if (database := database_name(settings.database)) is not None:
        require_within(settings.folder, database, owner)
    belongings = [*files_of_service(settings.folder, settings.database), settings.inboxes]
    _import_early(serves=serves)
    become_owner(owner, settings.folder, belongings, low_ports=low_ports)


def warn_of_owner(settings: "Settings") -> "Settings":
    """Add a warning for each file that root can read, and the user whom the service becomes can't use.

    The service reads these again while it runs, without root's rights. Raises StorageError as `find_owner` does.
    """
    from dataclasses import replace

    from relay.storage.owner import find_owner

    owner = find_owner(settings.folder)
    if owner is None:
        return settings
    reasons = _reasons_to_read(settings)
    warnings = [
        f"{settings.path.name}: {shut.path}: {_name(owner)}, whom the service becomes, can't {shut.verb} it:"
        f" {reasons.get(shut.path, 'nothing can be logged there')}. Let him {shut.verb} it: {shut.advice}"
        for shut in _find_shut(settings, owner)
    ]
    return replace(settings, warnings=(*settings.warnings, *warnings))


def find_unusable(settings: "Settings") -> "tuple[list[str], list[str]]":
    """Give what keeps a service from its start that its own user starts, not root; and what may do so.

    The unit config/relay.service runs as the user who owns the storage folder, and lets him write there only. Empty
    where another user than root asks. Raises StorageError as `find_owner` does.
    """
    from relay.storage.owner import find_owner

    owner = find_owner(settings.folder)
    if owner is None:
        return [], []
    log = settings.log.file
    outside = "" if log is None else _why_outside(settings.folder, log)
    mistakes = []
    for shut in _find_shut(settings, owner):
        line = (
            f"{settings.path.name}: {shut.path}: {_name(owner)}, who owns the storage folder and runs the service,"
            f" can't {shut.verb} it: the service will not start. Let him {shut.verb} it: {shut.advice}"
        )
        if shut.path == log and outside:
            line, outside = f"{line}. Besides, {outside}", ""
        mistakes.append(line)
    return mistakes, [f"{settings.path.name}: log.file: {log}: {outside}"] if outside else []


def _why_outside(folder: Path, log: Path) -> str:
    import os
    import shlex

    whole = Path(os.path.realpath(log))
    if whole.is_relative_to(os.path.realpath(folder)) or whole.is_relative_to("/dev"):
        return ""
    return (
        "the unit config/relay.service lets the service write in its storage folder only: where it runs the service,"
        f' log there ([log] file = "{log.name}"), or add ReadWritePaths={shlex.quote(str(log.parent))} to its [Service]'
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shut:
    """A file that the owner of the storage folder can't use."""

    path: Path
    verb: str
    advice: str


def _find_shut(settings: "Settings", owner: "Owner") -> list[_Shut]:
    import os

    from relay.storage.owner import find_shut

    log, public = settings.log.file, _public_files(settings)
    files = [(path, os.R_OK) for path in _reasons_to_read(settings)] + ([] if log is None else [(log, os.W_OK)])
    return [
        _Shut(
            path=path,
            verb="write" if path == log else "read",
            advice=_let_write(path, shut, owner)
            if path == log
            else _let_read(path, shut, owner, public=path in public),
        )
        for path, shut in find_shut(owner, files).items()
    ]


def _let_read(path: Path, shut: Path, owner: "Owner", *, public: bool) -> str:
    """Give the commands, those for a file behind a folder that is shut to the owner, too.

    A secret is never opened to others: the folder may be all that has kept them out.
    """
    import shlex
    import stat

    from relay.settings.advice import let_read

    file = f"chmod o+r {shlex.quote(str(path))}" if public else let_read(path, owner.uid, owner.gid)
    if shut == path:
        return file
    folder = f"chmod o+x {shlex.quote(str(shut))}"
    return folder if public and path.stat().st_mode & stat.S_IROTH else f"{folder} && {file}"


def _let_write(path: Path, shut: Path, owner: "Owner") -> str:
    import os
    import shlex

    if shut != path:
        return f"chmod o+x {shlex.quote(str(shut))}, then look again"
    who, file = str(owner) if owner.has_name else owner.uid, shlex.quote(str(path))
    return f"chown {who} {file}" if os.path.lexists(path) else f"install -o {who} -m 0640 /dev/null {file}"


def _name(owner: "Owner") -> str:
    return f"uid {owner.uid}" + (f" ({owner})" if owner.has_name else "")


def _public_files(settings: "Settings") -> set[Path]:
    """Give the files that hold no secret."""
    servers = [server for account in settings.directory.accounts for server in (account.smtp, account.pop3)]
    files = {Path(server.ca_file) for server in servers if server is not None and server.ca_file is not None}
    return files | {listener.certificate for listener in settings.listeners if listener.certificate is not None}


def _reasons_to_read(settings: "Settings") -> dict[Path, str]:
    """Give the files that a running service reads, each with what fails without it."""
    reasons = {settings.path: "a reload will fail"}
    for account in settings.directory.accounts:
        for server in (account.smtp, account.pop3):
            if server is None:
                continue
            for name in (server.password.file, server.ca_file):
                if name is not None:
                    reasons.setdefault(Path(name), f"{account.name} can't log in")
    for listener in settings.listeners:
        for path in (listener.certificate, listener.private_key):
            if path is not None:
                reasons.setdefault(path, f"port {listener.port} can't be opened")
    return reasons


def _import_early(*, serves: bool) -> None:
    """Import what is otherwise imported when it is used: the owner may not be able to read where root's Python lies."""
    from importlib import import_module
    from pkgutil import iter_modules

    from relay.storage import migrations

    names = list(_TO_LOOK)
    if serves:
        names += [*_TO_SERVE, *(f"{migrations.__name__}.{found.name}" for found in iter_modules(migrations.__path__))]
    for name in names:
        import_module(name)


_TO_LOOK = (
    "encodings.idna",
    "relay.control",
    "relay.routing",
    "relay.rules.hours",
    "relay.storage.admin",
    "relay.storage.backup",
    "relay.storage.commands",
    "relay.storage.engine",
    "relay.storage.mailboxes",
    "relay.storage.version",
    "rich.table",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
)
_TO_SERVE = (
    "alembic.migration",
    "alembic.operations",
    "concurrent.futures.thread",
    "relay.supervisor",
    "relay.upstream.probe",
    "rich.progress",
)


def open_storage(settings: "Settings", *, serves: bool = False) -> "Database":
    """Open the database beside a running service, or alone. Raises StorageError, also where it is not there yet.

    `serves`: the command may become the service.
    """
    enter(settings, serves=serves)
    from relay.model.errors import StorageError
    from relay.storage.backup import follow_links
    from relay.storage.engine import SqliteFile, open_database
    from relay.storage.version import NONE_YET, require_database

    database = open_database(settings.database, prepared_statements=settings.prepared_statements)
    if isinstance(database, SqliteFile) and not follow_links(database.path).exists():
        there = database.path.parent.is_dir()
        raise StorageError(f"{database.path}: {NONE_YET if there else 'No such file or directory'}")
    require_database(database)
    return database


def fail(text: str) -> NoReturn:
    """End with status 1 and one line."""
    say(text, error=True)
    sys.exit(FAILED)


def plain_faults(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn errors of ours into one line and status 1: a user's mistake is never a traceback."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever click passes
        from relay.model.errors import RelayError

        try:
            return function(*args, **kwargs)
        except BrokenPipeError:
            raise  # whoever read has had enough: click ends without a word
        except RelayError as error:
            fail(str(error))
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))

    return run
