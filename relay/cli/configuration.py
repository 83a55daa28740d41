"""What every command does with the configuration and with faults: one clear line, and the right exit status."""

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from relay.settings import Settings
    from relay.storage.engine import Database

DONE, FAILED, MISUSED = 0, 1, 2

config_option = click.option(
    "-c",
    "--config",
    metavar="FILE",
    help="The configuration; default: $RELAY_CONFIG, ./relay.toml, /etc/relay/relay.toml.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")


def load(config: str | None) -> "Settings":
    """Load the configuration, or end with status 2 and a line for each mistake."""
    from relay.settings import ConfigurationError, find_configuration, load_settings

    try:
        return load_settings(find_configuration(config))
    except ConfigurationError as error:
        for mistake in error.mistakes:
            click.echo(mistake, err=True)
        sys.exit(MISUSED)


def open_storage(settings: "Settings") -> "Database":
    """Open the database beside a running service, or alone. Raises StorageError, also where it is not there yet."""
    from relay.model.errors import StorageError
    from relay.storage.engine import SqliteFile, open_database
    from relay.storage.version import NONE_YET, require_database

    database = open_database(settings.database, prepared_statements=settings.prepared_statements)
    if isinstance(database, SqliteFile) and not database.path.exists():
        there = database.path.parent.is_dir()
        raise StorageError(f"{database.path}: {NONE_YET if there else 'No such file or directory'}")
    require_database(database)
    return database


def fail(text: str) -> NoReturn:
    """End with status 1 and one line."""
    click.echo(text, err=True)
    sys.exit(FAILED)


def plain_faults(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn errors of ours into one line and status 1: a user's mistake is never a traceback."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever click passes
        from relay.model.errors import RelayError

        try:
            return function(*args, **kwargs)
        except RelayError as error:
            fail(str(error))
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))

    return run
