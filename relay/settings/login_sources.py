"""What accounts log in by: files, variables, values of the configuration; what is missing of it, and what mends that.

Guarantee: where such a thing is not there, that is the trouble of its account alone, and no other's.
"""

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from relay.settings.blanking import is_blank
from relay.settings.document import SERVER_TABLES, Table
from relay.settings.errors import Place

_SECRETS: Final = (
    *((kind, "password", ()) for kind in SERVER_TABLES),
    ("oauth", "client_secret", ("certificate", "private_key")),
)
"""The tables of an account that log in, the secret of each, and its other keys that name a file."""


class LoginSource(NamedTuple):
    """Where something that an account logs in by comes from, or what is empty that should hold it."""

    place: Place
    """Where it stands in the configuration."""
    name: str
    """What it is compared by: the path of a file, `$NAME` of a variable, the place of an empty value."""
    path: Path | None = None
    command: str = ""
    """What gives it anew; empty where no command can, as with the key of a certificate."""

    @property
    def is_empty(self) -> bool:
        """Whether it is a value of the configuration, which is empty."""
        return self.path is None and not self.is_variable

    @property
    def is_variable(self) -> bool:
        """Whether it is a variable of the environment."""
        return self.path is None and self.name.startswith("$")


def find_login_sources(root: Table, folder: Path) -> Iterator[LoginSource]:
    """Give what the accounts of a document log in by, but for values that are there. `folder`: of relative names."""
    for account in root.tables("account"):
        for kind, secret, files in _SECRETS:
            table = account.table(kind)
            for key in (f"{secret}_file", *files):
                if file := table.text(key):
                    yield _source(account, table, key, str(folder / file), folder / file)
            if variable := table.text(f"{secret}_env"):
                yield _source(account, table, f"{secret}_env", name_variable(variable))
            for key in (secret, f"{secret}_command"):
                if is_blank(table.content.get(key)):
                    yield _source(account, table, key, name_empty(account, table, key))


def _source(account: Table, table: Table, key: str, name: str, path: Path | None = None) -> LoginSource:
    return LoginSource((*table.place, key), name, path, find_command(account.content, key))


def name_variable(variable: str) -> str:
    """Return the name of a variable as that of a source."""
    return f"${variable}"


def name_empty(account: Table, table: Table, key: str) -> str:
    """Return the name of an empty value as that of a source; the account's name counts, not its position."""
    return f"{table.place[-1]}.{key} of {account.text('name')}"


def find_command(account: Mapping[str, Any], key: str) -> str:
    """Return the command by which an account gets another secret in place of the one that a key gives or names."""
    name = account.get("name")
    if not isinstance(name, str) or not key.startswith(("password", "client_secret")):
        return ""
    option = "--client-secret"
    if key.startswith("password"):
        # One question is enough where servers have a password together; emptied values of two users look equal.
        logins = {
            kind: (table[key], table.get("username"))
            for kind in SERVER_TABLES
            if isinstance(table := account.get(kind), dict) and key in table
        }
        sends, collects = logins.get("smtp"), logins.get("pop3")
        apart = collects is not None and collects != sends
        option = " ".join(["--password"] * (sends is not None) + ["--pop3-password"] * apart)
    return f"relay account edit {shlex.quote(name)} {option}"


def is_gone(path: Path) -> bool:
    """Return whether there is no such file. False where that can't be told."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


class Lenience(NamedTuple):
    """Which sources may be missing without a mistake, by their names: their accounts alone can't log in then."""

    names: Collection[str] = ()
    everything: bool = False
    but_variables: bool = False
    """Whether variables must be there all the same."""

    def covers(self, name: str) -> bool:
        """Return whether this source may be missing."""
        return name in self.names or (self.everything and not (self.but_variables and name.startswith("$")))


def lenient_to(sources: Iterable[LoginSource], others: Iterable[str] = ()) -> Lenience:
    """Return the lenience to what was there before a change: that it is missing is no mistake of the change.

    `others`: names of what the users lack.
    """
    return Lenience(frozenset((*(one.name for one in sources), *others)))


STRICT: Final = Lenience()
LENIENT: Final = Lenience(everything=True)
COMMAND: Final = Lenience(everything=True, but_variables=True)
"""Of what a command reads: its shell lacks the variables of the unit, which is no trouble of the account."""
