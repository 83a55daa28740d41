"""The configuration and the files that it names, read as they go into a backup."""

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.model.oauth import KEY_FILE
from relay.places import AUTHORITY, CERTIFICATE
from relay.settings.blanking import blank_secrets
from relay.settings.document import Table, read_document
from relay.settings.environment import find_folder
from relay.settings.errors import ConfigurationError
from relay.storage.manifest import CONFIGURATION

_LARGEST: Final = 16 << 20
"""Octets; what is larger is no password and no certificate."""
_PUBLIC: Final = ("certificate", "ca_file")
_PRIVATE: Final = ("private_key",)
OWN: Final = (KEY_FILE, AUTHORITY, CERTIFICATE)
"""Secrets in the storage folder that no key names: without them logins can't be read, and nobody trusts us any more."""
_KEY: Final = b"PRIVATE KEY-----"
"""What a private key begins and ends with (RFC 7468), whichever kind it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A file as it goes into a backup."""

    path: str
    """There."""
    content: bytes
    origin: str = ""
    """As the configuration names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """The configuration and what it names."""

    files: tuple[Named, ...]
    blanked: tuple[str, ...]
    """The places where the configuration had secrets."""
    missing: tuple[str, ...]
    """A line for each that should be there."""


def gather(file: Path, content: bytes | None = None, *, secrets: bool) -> Gathered:
    """Read the configuration (or take its `content`) and what it names. Never raises: what can't be read is missing.

    Without `secrets` those within it are blanked, and of the files only those come that hold none.
    """
    files: list[Named] = []
    missing: list[str] = []
    blanked: tuple[str, ...] = ()
    try:
        content = file.read_bytes() if content is None else content
        if not secrets:
            without = blank_secrets(content)
            content, blanked = without.content, without.places
        files.append(Named(path=CONFIGURATION, content=content))
    except (OSError, ValueError) as error:
        reason = f"can't be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        missing.append(f"{file}: {reason}")
    try:
        root = Table(content=read_document(file)[0])
    except ConfigurationError:
        root = Table()
    folder = find_folder(root, file)
    wanted = {*_names(root, secrets=secrets)}
    named = {os.path.normpath(folder / name) for name, _ in wanted}
    if secrets:
        own = ((name, os.path.normpath(folder / name)) for name in OWN)
        wanted |= {(name, True) for name, path in own if path not in named and Path(path).exists()}
    for number, (name, is_secret) in enumerate(sorted(wanted), 1):
        found = _read(folder / name)
        if isinstance(found, bytes) and not secrets and _KEY in found:
            # Nobody is kept from a file that holds both.
            found = "holds a private key beside the certificate: it is a secret ([backup] secrets = true keeps it)"
        if isinstance(found, bytes):
            place = "secrets" if is_secret else "files"
            files.append(Named(path=f"{place}/{number:04d}-{Path(name).name}", content=found, origin=name))
        else:
            missing.append(f"{folder / name}: {found}")
    return Gathered(files=tuple(files), blanked=blanked, missing=tuple(missing))


def find_names(content: bytes) -> frozenset[str]:
    """Return the files that a configuration names, as it does; none where it can't be read."""
    try:
        document = tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(name for name, _ in _names(Table(content=document), secrets=True))


def _names(root: Table, *, secrets: bool) -> Iterator[tuple[str, bool]]:
    """Return the files that a configuration names, and whether each is a secret."""
    tables = [*root.tables("listener"), *(root.table(name) for name in ("web", "metrics", "alerts"))]
    for account in root.tables("account"):
        tables += [account.table(kind) for kind in ("smtp", "pop3", "imap", "oauth")]
    for table in tables:
        for key in table.content:
            name = table.text(key)
            is_both = name == table.text("private_key")  # a certificate with its key in one file, as our own
            is_secret = key in _PRIVATE or is_both or (key.endswith("_file") and key not in _PUBLIC)
            if name and (secrets if is_secret else key in _PUBLIC) and "\0" not in name:
                yield name, is_secret


def _read(file: Path) -> bytes | str:
    """Give a file's content, or why there is none."""
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        return f"can't be read: {error.strerror}"
    return content if len(content) <= _LARGEST else "is too large for what it should be"
