"""Mails of the inboxes, copied into a backup.

Guarantee: what stood in an inbox all the time is copied, whatever name its reader gives it meanwhile, and is durable.
No link is followed below the folder of all inboxes.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from relay.storage.backup import Step
from relay.storage.manifest import CHUNK, Entry, open_folder
from relay.storage.quarantine import QUARANTINE
from relay.storage.syncing import CREATE, open_plain

_BATCH: Final = 64
"""Mails that are synced together: the first sync takes most of the others' bytes along."""
_PASSES: Final = 3
"""How often a folder is looked through: a reader changes the names of mails at any time."""


class NewFile:
    """A new file of a backup; a context manager that closes it, durable where nothing failed."""

    def __init__(self, path: Path) -> None:
        self._stream = os.fdopen(os.open(path, CREATE, 0o600), "wb")
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._stream:
            if kind is None:
                self._stream.flush()
                os.fsync(self._stream.fileno())

    def write(self, data: bytes) -> None:
        """Add a piece."""
        self._digest.update(data)
        self._stream.write(data)

    def enter(self, path: str, origin: str = "") -> Entry:
        """Return what the manifest says of it."""
        return Entry(path=path, size=self._stream.tell(), sha256=self._digest.hexdigest(), origin=origin)

    def date_as(self, source: int) -> None:
        """Give it the time of another file, now that all is written: mail programs show it as the time of arrival."""
        self._stream.flush()
        found = os.fstat(source)
        os.utime(self._stream.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))


@dataclass(frozen=True, kw_only=True, slots=True)
class Inbox:
    """One Maildir, or a folder of one (Maildir++)."""

    source: Path
    top: Path
    """Above it, from where on no link is followed."""
    path: str
    """Within the backup."""

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Give its mails with their octets."""
        for name in ("new", "cur"):
            with self._open(name) as folder:
                for mail in [] if folder is None else os.listdir(folder):  # noqa: PTH208 - of a descriptor
                    with contextlib.suppress(OSError):
                        found = os.stat(mail, dir_fd=folder, follow_symlinks=False)
                        if stat.S_ISREG(found.st_mode):
                            yield mail, found.st_size

    def copy(self, partial: Path, step: Step) -> list[Entry]:
        """Copy its mails; what goes away or gets another name meanwhile is no mistake."""
        entries: list[Entry] = []
        known: set[str] = set()
        for name in ("new", "cur"):
            target = partial / self.path / name
            for _ in range(_PASSES):
                with self._open(name) as folder:
                    if folder is not None:
                        _make_folders(partial, f"{self.path}/{name}")
                    if folder is None or not self._copy_new(folder, target, name, known, entries, step):
                        break
        return entries

    def _copy_new(
        self, folder: int, target: Path, name: str, known: set[str], entries: list[Entry], step: Step
    ) -> bool:
        """Copy what is not known yet; return whether something went away in between, perhaps to another name."""
        missed = False
        with contextlib.ExitStack() as batch:
            for mail in os.listdir(folder):
                unique = mail.partition(":")[0]
                if unique in known:
                    continue
                try:
                    source = open_plain(mail, folder)
                except FileNotFoundError:
                    missed = True
                    continue
                except OSError:
                    continue  # a link, or nothing that is a mail
                with os.fdopen(source, "rb", buffering=0) as stream:
                    left = os.fstat(source).st_size  # no more: whoever may write there could have it grow for ever
                    writer = batch.enter_context(NewFile(target / mail))
                    while chunk := stream.read(min(CHUNK, left)):
                        writer.write(chunk)
                        left -= len(chunk)
                        step(len(chunk))
                    writer.date_as(source)
                known.add(unique)
                entries.append(writer.enter(f"{self.path}/{name}/{mail}"))
                if len(entries) % _BATCH == 0:
                    batch.close()
        return missed

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[int | None]:
        """Open `new` or `cur`; None where it is not there, or a link leads to it."""
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(open_folder(self.top, (*self.source.relative_to(self.top).parts, name)))
            except OSError:
                folder = None
            yield folder


def _make_folders(top: Path, path: str) -> None:
    for part in path.split("/"):
        top /= part
        top.mkdir(mode=0o700, exist_ok=True)


def find_maildirs(storage: Path, inboxes: Path | None) -> Iterator[Inbox]:
    """Return the inboxes with their folders (Maildir++), and the quarantine."""
    if inboxes is None:
        return
    yield Inbox(source=storage / QUARANTINE, top=storage, path=QUARANTINE)
    for inbox in _folders(inboxes):
        yield Inbox(source=inbox, top=inboxes, path=f"inboxes/{inbox.name}")
        for folder in _folders(inbox):
            if folder.name.startswith("."):
                yield Inbox(source=folder, top=inboxes, path=f"inboxes/{inbox.name}/{folder.name}")


def _folders(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as found:
            return sorted(Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []
