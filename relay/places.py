"""Where the configuration is, and which storage folder it names: what a command needs to find a running service.

It reads the file as TOML and nothing more: `relay.settings` says what is wrong with one.
"""

import os
import tomllib
from pathlib import Path
from typing import Any, Final

VARIABLE: Final = "RELAY_CONFIG"
PLACES: Final = (Path("relay.toml"), Path("/etc/relay/relay.toml"))
CERTIFICATE: Final = "certificates/relay.pem"
"""In the storage folder: the office's own certificate, with its key."""
AUTHORITY: Final = "certificates/authority.pem"
"""There: what signs it, with its key."""
PAGES: Final = Path("/usr/share/doc/lan-mail-relay")
"""Where the package puts what is in docs/."""
_GUIDES: Final = {"microsoft": "providers/microsoft365.md", "google": "providers/google.md"}


def find_file(option: str | None) -> Path | None:
    """Return the file to use: `-c`, else `$RELAY_CONFIG`, else the first of `PLACES` that exists; None without one.

    A file that was named is returned whether it exists or not.
    """
    named = name_file(option)
    return Path(named) if named else next(filter(os.path.lexists, PLACES), None)


def name_file(option: str | None) -> str:
    """Return the file that somebody has named, by `-c` or `$RELAY_CONFIG`; empty where nobody has."""
    return option or os.environ.get(VARIABLE, "")


def name_option(file: Path) -> str:
    """Return the option, with a blank before it, by which a command finds a file from wherever it is run."""
    import shlex  # noqa: PLC0415 - most commands need none

    return f" -c {shlex.quote(str(file.absolute()))}"


def repeat_option(config: str | None, file: Path) -> str:
    """Return the option that the next command needs as well to find the same file; empty where none was given."""
    return "" if config is None else name_option(file)


def is_the_services_own(file: Path) -> bool:
    """Return whether a configuration is the one that the service of this machine, systemd's unit, is started with."""
    return file.absolute() == PLACES[-1]


def name_page(page: str, pages: Path = PAGES) -> str:
    """Return where a page of docs/ is, for who is to read it: where the package has put it, else as in the source."""
    packaged = pages / page
    return str(packaged) if packaged.exists() else f"docs/{page}"


def guide(provider: str) -> str:
    """Return where the page about a provider is: microsoft, google, or the page about all others."""
    return name_page(_GUIDES.get(provider, "providers/others.md"))


def digest_of(file: Path) -> str:
    """Return a hash of a configuration as it stands on the disk; empty where it can't be read."""
    import hashlib  # noqa: PLC0415 - most commands need none

    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def find_storage(file: Path) -> Path | None:
    """Return the absolute storage folder that a configuration names; None where the file can't be read as TOML."""
    try:
        document: dict[str, Any] = tomllib.loads(file.read_bytes().decode("utf-8-sig"))
        return file.absolute().parent / (document.get("storage", {}).get("folder") or "")
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return None
