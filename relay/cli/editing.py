"""What the commands share that change relay.toml: its keys as options, secrets, the change itself, and the reload."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from relay.cli.configuration import MISUSED
from relay.cli.output import say

if TYPE_CHECKING:
    from relay.cli.telling import Conversation
    from relay.settings import ConfigurationError, Settings

_Function = TypeVar("_Function", bound=Callable[..., object])
Options = Mapping[str, Any]
"""The options of a command, by the names of their variables."""


class Key(NamedTuple):
    """A key of the configuration that has an option of its own."""

    option: str
    path: tuple[str, ...]
    help: str
    kind: Any = str
    many: bool = False

    @property
    def variable(self) -> str:
        """The name of its variable."""
        return "key_" + "_".join(self.path)


_SET: Final = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other key, such as --set excluded=true or --set smtp.connections=1.",
)


def key_options(keys: Iterable[Key], *, any_key: bool = True) -> Callable[[_Function], _Function]:
    """Give a command an option for each key, and --set for all others, unless not `any_key`."""

    def decorate(function: _Function) -> _Function:
        function = _SET(function) if any_key else function
        for key in reversed([*keys]):
            kind = click.Choice(key.kind) if isinstance(key.kind, tuple) else key.kind
            option = click.option(key.option, key.variable, type=kind, multiple=key.many, help=key.help)
            function = option(function)
        return function

    return decorate


def read_changes(keys: Iterable[Key], options: Options) -> dict[tuple[str, ...], object]:
    """Return what the options say of keys, by their paths. Raises click.UsageError."""
    found: dict[tuple[str, ...], object] = {}
    for key in keys:
        value = options[key.variable]
        if value is not None and value != ():
            found[key.path] = list(value) if key.many else value
    for pair in options.get("settings", ()):
        path, value = _read_pair(pair)
        found[path] = value
    return found


def read_path(text: str) -> tuple[str, ...]:
    """Read a key as it is written for --set and --unset: `smtp.port`. Raises click.UsageError."""
    path = tuple(part.strip() for part in text.split("."))
    if not all(path):
        raise click.UsageError(f"{text[:80]!r} is no key: write it as smtp.port")
    return path


def _read_pair(pair: str) -> tuple[tuple[str, ...], object]:
    import tomllib

    from relay.settings.blanking import is_secret

    text, equals, value = pair.partition("=")
    path = read_path(text)
    try:
        read = tomllib.loads(f"v = {value}")["v"] if "\n" not in value else value
    except tomllib.TOMLDecodeError:
        read = value
    for key in _walk_keys(path, read):
        if is_secret(key[-1]):
            name = ".".join(key)
            raise click.UsageError(
                f"{name} is a secret, which others on this machine could see in a command: leave it away (you are asked"
                f" for a password), or put it into a file and name that: --set {name}_file=FILE"
            )
    if not equals:
        raise click.UsageError(f"{pair[:80]!r} has no value: write it as smtp.port=465")
    return path, read


def _walk_keys(path: tuple[str, ...], value: object) -> Iterator[tuple[str, ...]]:
    """Give the path of each key on the way to a value, and of each one in its tables."""
    yield from (path[: n + 1] for n in range(len(path)))
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            for key, inner in one.items():
                yield from _walk_keys((*path, key), inner)
        elif isinstance(one, list):
            yield from _walk_keys(path, one)


def nest(changes: Mapping[tuple[str, ...], object]) -> dict[str, Any]:
    """Return tables within tables, of values by their paths."""
    tables: dict[str, Any] = {}
    for path, value in changes.items():
        table = tables
        for name in path[:-1]:
            table = table.setdefault(name, {})
        table[path[-1]] = value
    return tables


def ask_secret(what: str, *, new: bool = False) -> str:
    """Ask for a secret without showing it, `new` ones twice; where no terminal is, take a line of standard input.

    Raises click.UsageError where it is empty. A person who ends it is told that nothing was written.
    """
    if sys.stdin.isatty():
        from relay.cli.interview import BACK, ended_by_hand

        with ended_by_hand():
            chosen = click.prompt(what, hide_input=True, confirmation_prompt=new, default="", show_default=False)
        if chosen == BACK:
            raise click.UsageError(f"{what}: there is no question before it to which {BACK} could lead back")
    else:
        chosen = sys.stdin.readline().rstrip("\r\n")
    if not chosen:
        raise click.UsageError(f"{what}: an empty password is none; it is read from standard input, or typed")
    return str(chosen)


def find_file(config: str | None) -> Path:
    """Return the configuration's file, which is to be changed.

    Raises ConfigurationError where there is none, or where it could be a stranger's that is not meant, and EditError
    where root could be led elsewhere: before anything is asked or written.
    """
    from relay.admin.entering import require_hand
    from relay.editing.place import require_place
    from relay.places import find_storage
    from relay.settings import find_configuration

    path = find_configuration(config)
    if (storage := find_storage(path)) is not None:
        require_hand(config, path.absolute(), storage)
        require_place(path)
    return path


def read_text(path: Path) -> str:
    """Read a configuration as it stands. Raises ConfigurationError where it can't be read or is not TOML."""
    from relay.settings.document import read_document

    read_document(path)
    return path.read_bytes().decode()


def rehearse(path: Path, edit: Callable[[str], str]) -> None:
    """Raise ConfigurationError with what would be wrong after a change whose secrets are still to be asked for."""
    from relay.admin.proving import tolerate
    from relay.settings import ConfigurationError, load_settings

    try:
        load_settings(path, secrets=False, written=edit(read_text(path)).encode(), lenience=tolerate(path))
    except ConfigurationError as error:
        raise _unchanged(path, error) from None


def _unchanged(path: Path, error: "ConfigurationError") -> "ConfigurationError":
    return type(error)([*error.errors, f"{path.name}: nothing was changed"])


def change(config: str | None, path: Path, edit: Callable[[str], str]) -> "Settings | None":
    """Change the configuration, proved before it is written; None where it says that already.

    Mistakes are named, each in a line, with the status of wrong usage, and nothing is changed.
    """
    from relay.admin.proving import prove
    from relay.editing.file import change_file
    from relay.settings import ConfigurationError

    try:
        return change_file(path, edit, lambda content: prove(config, path, content))
    except ConfigurationError as error:
        raise _unchanged(path, error) from None
    except PermissionError as error:
        raise ConfigurationError(
            [f"{path.name}: can't be changed: {error.strerror} ({path}): run the command again with sudo before it"]
        ) from None


@contextlib.contextmanager
def naming_options(place: str, keys: Iterable[Key]) -> Iterator[None]:
    """Name the option of each key that the body finds missing: in the file nobody has to write anything.

    `place`: of the table, as a ConfigurationError writes it: `account[sales]`.
    """
    from relay.settings import ConfigurationError

    options = {f"{place}.{'.'.join(key.path).removesuffix('_file')}": key.option for key in keys}

    def name(line: str) -> str:
        where, missing, reason = line.partition(": missing: ")
        option = options.get(where.partition(": ")[2].removesuffix("_file"))
        return f"{option} is missing: {reason}" if missing and option else line

    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError([name(line) for line in error.errors]) from None


def require_new(text: str, kind: str, name: str, *, advice: str = "choose another name") -> None:
    """Raise click.UsageError where a configuration has a table of this kind and name already."""
    from relay.editing.tables import list_names

    if name in list_names(text, kind):
        raise click.UsageError(f"the {kind} {name} is there already: {advice}")


def add(config: str | None, kind: str, name: str, values: Mapping[str, object]) -> "Settings | None":
    """Add a table of a name that is not there yet. Raises click.UsageError, ConfigurationError."""
    from relay.editing.tables import add_table

    path = find_file(config)
    require_new(read_text(path), kind, name)
    table = {"name": name, **values}
    return change(config, path, lambda before: add_table(before, kind, table))


def remove(config: str | None, kind: str, name: str) -> "Settings | None":
    """Remove a table; where others refer to it, each is named, and nothing is changed."""
    from relay.editing.tables import remove_table
    from relay.settings import ConfigurationError

    path = find_file(config)
    text = read_text(path)
    remove_table(text, kind, name)  # a name that is not there is no mistake of the file
    try:
        return change(config, path, lambda before: remove_table(before, kind, name))
    except ConfigurationError as error:
        say(f"{kind} {name} can't be removed as long as {path.name} needs it:", error=True)
        for line in error.errors:
            say(line, error=True)
        sys.exit(MISUSED)


def reload(config: str | None, settings: "Settings | None") -> None:
    """Let a running service take a change over, if there is one, and show what it says; without a service say so."""
    from relay.places import repeat_option

    if settings is None:
        return
    if (status := hand_over(settings)) is None:
        option = repeat_option(config, settings.path)
        say(f"The service is not running. Start it: systemctl start relay, or relay serve{option}")
    elif status:
        sys.exit(status)


def hand_over(settings: "Settings") -> int | None:
    """Let a running service take the change over, and show what it says; return the status, None where none runs.

    Raises RelayError.
    """
    from relay.admin.requests import Reload
    from relay.admin.wire import ask_service
    from relay.cli.telling import print_answers

    runs = False

    def ask() -> "Conversation":
        nonlocal runs
        runs = settings.folder.is_dir() and (yield from ask_service(settings.folder, Reload()))

    status = print_answers(ask())
    return status if runs else None
