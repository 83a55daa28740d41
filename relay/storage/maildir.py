"""Maildirs: one file a mail, durable before it is visible (https://cr.yp.to/proto/maildir.html).

Guarantee: a mail that is in `new/` when its folder was synced stays there after a loss of power. Names are made by the
caller; the same name again adds nothing, whether the mail still is in `new/` or was read meanwhile and is in `cur/`.
Everything here blocks, and raises StorageError where the disk does not do its part; nothing is visible then.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from relay.model.errors import StorageError

FOLDERS: Final = ("tmp", "new", "cur")
_SAFE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,199}")


def deliver(inboxes: Path, user: str, unique: str, chunks: Iterable[bytes]) -> Path:
    """Write one mail into a user's inbox, given its name and its bytes with CRLF; the file has LF, as Maildirs do."""
    maildir = open_maildir(inboxes, user)
    present = find_mail(maildir, unique)
    if present is not None:
        return present
    with MailFile(maildir) as file:
        for chunk in chunks:
            file.write(chunk)
        path = file.publish(unique)
    sync_new(maildir)
    return path


def open_maildir(inboxes: Path, user: str) -> Path:
    """Give a user's Maildir, made where it is missing."""
    maildir = inboxes / _check_name(user)
    with _storage_faults(maildir):
        if not all((maildir / folder).is_dir() for folder in FOLDERS):
            inboxes.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (maildir, *(maildir / name for name in FOLDERS)):
                with contextlib.suppress(FileExistsError):
                    folder.mkdir(mode=0o700)
            _sync_folder(maildir)
            _sync_folder(inboxes)
    return maildir


def list_names(maildir: Path) -> set[str]:
    """Give the names of all mails in `new/` and `cur/`, without the flags that readers add behind a colon."""
    names: set[str] = set()
    with _storage_faults(maildir):
        for folder in ("new", "cur"):
            with os.scandir(maildir / folder) as entries:
                names.update(entry.name.partition(":")[0] for entry in entries)
    return names


def find_mail(maildir: Path, unique: str) -> Path | None:
    """Look for one mail by its name."""
    with _storage_faults(maildir):
        fresh = maildir / "new" / _check_name(unique)
        if fresh.exists():
            return fresh
        with os.scandir(maildir / "cur") as entries:
            return next((Path(e.path) for e in entries if e.name.partition(":")[0] == unique), None)


def sync_new(maildir: Path) -> None:
    """Make durable what was published."""
    with _storage_faults(maildir):
        _sync_folder(maildir / "new")


class MailFile:
    """A mail that is being written in `tmp/`; a context manager that removes it unless it was published."""

    def __init__(self, maildir: Path) -> None:
        self._maildir = maildir
        self._path = maildir / "tmp" / f"{os.getpid()}.{secrets.token_hex(8)}"
        self._held = b""
        self._synced = False
        with _storage_faults(maildir):
            self._stream: IO[bytes] = open(self._path, "xb", opener=_private)  # noqa: SIM115 - closed by exit

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def write(self, data: bytes) -> None:
        """Write a piece; CRLF becomes LF, also where a piece ends between the two."""
        window = self._held + data
        self._held = b"\r" if window.endswith(b"\r") else b""
        with _storage_faults(self._maildir):
            self._stream.write(window[: len(window) - len(self._held)].replace(b"\r\n", b"\n"))

    def sync(self) -> None:
        """End the mail, and make its bytes durable; without effect where that is done."""
        if self._synced:
            return
        with _storage_faults(self._maildir):
            self._stream.write(self._held)
            self._held = b""
            self._stream.flush()
            os.fsync(self._stream.fileno())
        self._synced = True

    def publish(self, unique: str) -> Path:
        """Make the mail visible, its bytes durable before; `sync_new` makes that durable, too."""
        final = self._maildir / "new" / _check_name(unique)
        self.sync()
        with _storage_faults(self._maildir), contextlib.suppress(FileExistsError):
            final.hardlink_to(self._path)
        return final


def clear_tmp(maildir: Path, *, older_than: float) -> None:
    """Remove what writers that died left in `tmp/`, given a time of the file system's clock in seconds."""
    with _storage_faults(maildir), os.scandir(maildir / "tmp") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.stat().st_mtime < older_than:
                    os.unlink(entry.path)  # noqa: PTH108 - a name from scandir


@contextlib.contextmanager
def _storage_faults(maildir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"inbox {maildir}: {error.strerror}") from error


def _check_name(name: str) -> str:
    if _SAFE.fullmatch(name) is None:
        raise StorageError(f"{name!r} is no name for a file")
    return name


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
