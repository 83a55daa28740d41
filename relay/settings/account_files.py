"""The files by which accounts log in, and the command that makes each anew where it is gone.

Guarantee: where such a file is not there, that is the trouble of its account alone, and no other's.
"""

import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from relay.settings.document import SERVER_TABLES, Table
from relay.settings.errors import Place

_OAUTH_FILES: Final = ("client_secret_file", "certificate", "private_key")


class AccountFile(NamedTuple):
    """A file by which an account logs in."""

    account: str
    place: Place
    """Where the configuration names it."""
    path: Path
    command: str
    """What makes it anew; empty where no command can, as with the key of a certificate."""


def find_account_files(root: Table, folder: Path) -> Iterator[AccountFile]:
    """Give the files by which the accounts of a document log in. `folder`: what relative names are relative to."""
    for account in root.tables("account"):
        name = account.text("name") or ""
        for table, keys in (
            *((account.table(kind), ("password_file",)) for kind in SERVER_TABLES),
            (account.table("oauth"), _OAUTH_FILES),
        ):
            for key in keys:
                if file := table.text(key):
                    command = find_command(account.content, key)
                    yield AccountFile(name, (*table.place, key), folder / file, command)


def find_command(account: Mapping[str, Any], key: str) -> str:
    """Return the command by which an account gets another secret in place of the one that a file's key names."""
    name = account.get("name")
    if not isinstance(name, str) or key not in ("password_file", "client_secret_file"):
        return ""
    option = "--client-secret"
    if key == "password_file":
        # One question is enough where servers have a password together.
        files = {kind: table.get(key) for kind in SERVER_TABLES if isinstance(table := account.get(kind), dict)}
        sends, collects = files.get("smtp"), files.get("pop3")
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
    """Which files of accounts may be gone without a mistake: their accounts alone can't log in then."""

    files: Collection[Path] = ()
    everything: bool = False

    def covers(self, path: Path) -> bool:
        """Return whether this file is gone, and may be."""
        return (self.everything or path in self.files) and is_gone(path)


STRICT: Final = Lenience()
LENIENT: Final = Lenience(everything=True)
