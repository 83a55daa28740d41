"""What a backup holds: a folder named by its time, and in it a list of its files with their sizes and SHA-256.

Guarantee: a folder with such a name is whole, since it gets the name last; and what is read here is what was written
then, or StorageError names the file that is not. No link is followed within it.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from io import RawIOBase
from pathlib import Path
from typing import Any, Final

from relay.model.errors import StorageError
from relay.storage.backup import Step
from relay.storage.syncing import FOLDER, open_plain

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
_LAST: Final = 253_402_214_400_000
"""Milliseconds since 1970: no calendar has later days."""
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

    @property
    def is_mail(self) -> bool:
        """Whether it is a mail of an inbox or of the quarantine."""
        return self.path.startswith(("inboxes/", "quarantine/"))

    def is_of(self, content: bytes) -> bool:
        """Return whether the content of a file is what was written."""
        return hashlib.sha256(content).hexdigest() == self.sha256


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
        """Return the file of this path in the backup; None where it holds none."""
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
        found["files"] = [Entry(**entry) for entry in found["files"]]
        lists = {name: tuple(found[name]) for name in ("blanked", "missing", "files")}
        manifest: Manifest | None = Manifest(**{**found, **lists})
    except OSError as error:
        raise StorageError(f"{backup}: can't be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        manifest = None
    if manifest is None or not _is_sound(manifest):
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
        and all(one.size <= _LARGEST_SMALL for one in manifest.files if not one.is_mail and one.path != DATABASE)
        and manifest.at <= _LAST
    )


def verify(backup: Path, manifest: Manifest, step: Step, *, whole: bool = True) -> None:
    """Read each file and compare it with the manifest; of mails only the sizes where not `whole`.

    `step` is told of the octets. Raises StorageError, which names the first file that is not as it was written.
    """
    with opened(backup) as open_file:
        for entry in manifest.files:
            with faults_of(backup / entry.path), os.fdopen(open_file(entry.path), "rb", buffering=0) as stream:
                is_as_written = os.fstat(stream.fileno()).st_size == entry.size and (
                    (entry.is_mail and not whole) or digest(stream, step) == entry.sha256
                )
            if not is_as_written:
                raise _damaged(backup / entry.path)


def read_entry(backup: Path, entry: Entry) -> bytes:
    """Read one of its small files. Raises StorageError where it is not as it was written."""
    file = backup / entry.path
    with opened(backup) as open_file, faults_of(file), os.fdopen(open_file(entry.path), "rb") as stream:
        content = stream.read(entry.size + 1)
    if not entry.is_of(content):
        raise _damaged(file)
    return content


def _damaged(file: Path) -> StorageError:
    return StorageError(f"{file}: is damaged: it is not what was written: take another backup")


@contextlib.contextmanager
def faults_of(file: Path) -> Iterator[None]:
    """Make a StorageError of what the system says of a file of a backup."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror or error}: take another backup") from None


@contextlib.contextmanager
def opened(backup: Path) -> Iterator[Callable[[str], int]]:
    """Hold a backup open; return what opens a plain file of it, through no link, and raises OSError.

    Raises StorageError where the backup can't be opened.
    """
    try:
        root = os.open(backup, FOLDER)
    except OSError as error:
        raise StorageError(f"{backup}: {error.strerror}") from None
    try:
        yield partial(_open_below, root)
    finally:
        os.close(root)


def _open_below(root: int, path: str) -> int:
    *folders, name = path.split("/")
    with open_folder(".", folders, root) as folder:
        return open_plain(name, folder)


@contextlib.contextmanager
def open_folder(top: Path | str, below: Iterable[str], at: int | None = None) -> Iterator[int]:
    """Hold a folder below another open, and follow no link from there on. `at`: what `top` is relative to.

    Raises OSError.
    """
    here = os.open(top, FOLDER, dir_fd=at)
    try:
        for name in below:
            above, here = here, os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(above)
        yield here
    finally:
        os.close(here)


def digest(stream: RawIOBase, step: Step) -> str:
    """Read a file to its end in pieces, of whose octets `step` is told; return its SHA-256 as hexadecimal digits."""
    found = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        found.update(chunk)
        step(len(chunk))
    return found.hexdigest()
