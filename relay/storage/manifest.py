"""What a backup holds: a folder named by its time, and in it a list of its files with their sizes and SHA-256.

Guarantee: a folder with such a name is whole, since it gets the name last; and what is read here is what was written
then, or StorageError names the file that is not. No link is followed within it.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from relay.model.errors import StorageError

MANIFEST: Final = "manifest.json"
DATABASE: Final = "relay.db"
CONFIGURATION: Final = "relay.toml"
FORMAT: Final = 1
CHUNK: Final = 1 << 20
"""Octets that are read at a time."""
_NAME: Final = re.compile(r"relay-[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z")
_LARGEST: Final = 1 << 30
_LARGEST_SMALL: Final = 64 << 20
"""Octets of a configuration, or of a file that it names; these are far smaller."""
_STREAMED: Final = re.compile(r"relay\.db\Z|inboxes/|quarantine/")
"""What may be of any size, since it is read in pieces."""
_LAST: Final = 253_402_214_400_000
"""Milliseconds since 1970: no calendar has later days."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PLACES: Final = re.compile(
    r"relay\.db|relay\.toml|(?:secrets|files)/[^/]+|(?:quarantine|inboxes/[^/]+(?:/\.[^/]+)?)/(?:new|cur)/[^/]+",
    re.DOTALL,
)
"""Where a backup has files; nothing else of a manifest is ever opened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A file of a backup."""

    path: str
    """Within it."""
    size: int
    sha256: str
    origin: str = ""
    """Of a file that the configuration names: as it does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    at: int
    """The moment whose state it holds: milliseconds since 1970, UTC."""
    installation: str
    """Which installation made it; lives in its database."""
    program: str
    """The version of the program that made it."""
    schema: int
    configuration: str
    """Where the configuration was."""
    inboxes: bool
    secrets: bool
    blanked: tuple[str, ...] = ()
    """The places of the configuration where a secret was."""
    missing: tuple[str, ...] = ()
    """What should be in it and could not be read: a line for each."""
    files: tuple[Entry, ...] = field(default=(), repr=False)

    def find(self, path: str) -> Entry | None:
        """Return one of its files."""
        return next((entry for entry in self.files if entry.path == path), None)


def name_backup(at: int) -> str:
    """Name a backup by its moment, in UTC, to the second."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("relay-%Y-%m-%dT%H%M%SZ")


def is_backup(folder: Path) -> bool:
    """Return whether a folder is a backup by its look: its content may still be damaged."""
    return (folder / MANIFEST).is_file()


def find_backups(folder: Path) -> list[Path]:
    """Return the backups in a folder, the oldest first. Raises StorageError where it can't be read."""
    try:
        return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and is_backup(path))
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}") from None


def write_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as it is written."""
    return json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1).encode()


def read_manifest(backup: Path) -> Manifest:
    """Read what a backup says of itself. Raises StorageError where it is none, damaged, or of a newer program."""
    try:
        with opened(backup) as open_file, os.fdopen(open_file(MANIFEST), "rb") as stream:
            content = stream.read(_LARGEST)
        found: dict[str, Any] = json.loads(content)
        if found.pop("format") > FORMAT:
            raise StorageError(f"{backup}: was made by a newer relay ({found.get('program')}): install that one first")
        found["files"] = tuple(Entry(**entry) for entry in found["files"])
        manifest = Manifest(**{**found, "blanked": tuple(found["blanked"]), "missing": tuple(found["missing"])})
    except OSError as error:
        raise StorageError(f"{backup}: can't be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StorageError(f"{backup}: {MANIFEST} is damaged: take another backup") from None
    if not _is_sound(manifest):
        raise StorageError(f"{backup}: {MANIFEST} is damaged: take another backup")
    paths = [entry.path for entry in manifest.files]
    if not all(_PLACES.fullmatch(path) and {".", ".."}.isdisjoint(path.split("/")) for path in paths):
        raise StorageError(f"{backup}: {MANIFEST} names files that no backup has: take another backup")
    return manifest


def _is_sound(manifest: Manifest) -> bool:
    """Return whether what was read is of the types that were written: whoever had the backup may have changed it."""
    texts: list[object] = [manifest.installation, manifest.program, manifest.configuration]
    numbers: list[object] = [manifest.at, manifest.schema]
    texts.extend((*manifest.blanked, *manifest.missing))
    for entry in manifest.files:
        texts.extend((entry.path, entry.sha256, entry.origin))
        numbers.append(entry.size)
    return (
        all(isinstance(text, str) and "\0" not in text for text in texts)
        and all(type(number) is int and number >= 0 for number in numbers)
        # These are read as a whole: a file may say to have more than there is memory, and take no room on the disk.
        and all(entry.size <= _LARGEST_SMALL for entry in manifest.files if not _STREAMED.match(entry.path))
        and manifest.at <= _LAST
    )


def verify(backup: Path, manifest: Manifest, step: Callable[[int], None], *, whole: bool = True) -> None:
    """Read each file and compare it with the manifest; of inboxes only the sizes where not `whole`.

    `step` is told of the octets. Raises StorageError, which names the first file that is not as it was written.
    """
    with _open_root(backup) as root:
        for entry in manifest.files:
            try:
                descriptor = open_below(root, entry.path)
                with os.fdopen(descriptor, "rb", buffering=0) as stream:
                    is_whole = os.fstat(descriptor).st_size == entry.size and (
                        not (whole or ("/new/" not in entry.path and "/cur/" not in entry.path))
                        or _hash(stream.read, step) == entry.sha256
                    )
            except OSError as error:
                raise StorageError(f"{backup / entry.path}: {error.strerror}: take another backup") from None
            if not is_whole:
                raise StorageError(
                    f"{backup / entry.path}: is damaged: it is not what was written: take another backup"
                )


def read_entry(backup: Path, entry: Entry) -> bytes:
    """Read one of its small files. Raises StorageError where it is not as it was written."""
    with opened(backup) as open_file:
        try:
            with os.fdopen(open_file(entry.path), "rb") as stream:
                content = stream.read(entry.size + 1)
        except OSError as error:
            raise StorageError(f"{backup / entry.path}: {error.strerror}: take another backup") from None
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise StorageError(f"{backup / entry.path}: is damaged: it is not what was written: take another backup")
    return content


@contextlib.contextmanager
def opened(backup: Path) -> Iterator[Callable[[str], int]]:
    """Hold a backup open; return what opens a file of it. Raises StorageError."""
    with _open_root(backup) as root:
        yield lambda path: open_below(root, path)


def open_below(root: int, path: str) -> int:
    """Open a plain file below an open folder, and follow no link on the way. Raises OSError."""
    *folders, name = path.split("/")
    here = os.dup(root)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        descriptor = os.open(name, _FILE, dir_fd=here)
    finally:
        os.close(here)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "is no plain file")
    return descriptor


@contextlib.contextmanager
def _open_root(backup: Path) -> Iterator[int]:
    try:
        root = os.open(backup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StorageError(f"{backup}: {error.strerror}") from None
    try:
        yield root
    finally:
        os.close(root)


def _hash(read: Callable[[int], bytes | None], step: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    while chunk := read(CHUNK):
        digest.update(chunk)
        step(len(chunk))
    return digest.hexdigest()
