"""Maildirs: one file a mail, durable before it is visible (https://cr.yp.to/proto/maildir.html).

Guarantee: when `deliver` returns, the file is in `new/` and stays there after a loss of power. The same `unique` again
adds nothing, whether the mail still is in `new/` or was read meanwhile and moved to `cur/`.
"""

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from relay.model.errors import StorageError

FOLDERS: Final = ("tmp", "new", "cur")
_SAFE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,254}")


def deliver(inboxes: Path, user: str, unique: str, chunks: Iterable[bytes]) -> Path:
    """Write a mail into a user's inbox, given its name and its bytes with CRLF; a file has LF, as Maildirs do.

    Blocks. Raises StorageError where the disk does not do its part; nothing is visible then.
    """
    if _SAFE.fullmatch(user) is None or _SAFE.fullmatch(unique) is None:
        raise StorageError(f"{user!r} or {unique!r} is no name for a file")
    maildir = inboxes / user
    try:
        _create(inboxes, maildir)
        present = _find(maildir, unique)
        if present is not None:
            return present
        return _write(maildir, unique, chunks)
    except OSError as error:
        raise StorageError(f"inbox {maildir}: {error.strerror}") from error


def _create(inboxes: Path, maildir: Path) -> None:
    if all((maildir / folder).is_dir() for folder in FOLDERS):
        return
    inboxes.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (maildir, *(maildir / name for name in FOLDERS)):
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    _sync_folder(maildir)
    _sync_folder(inboxes)


def _find(maildir: Path, unique: str) -> Path | None:
    """Look for a mail by its name: readers move it to `cur/` and add flags behind a colon."""
    fresh = maildir / "new" / unique
    if fresh.exists():
        return fresh
    with os.scandir(maildir / "cur") as entries:
        for entry in entries:
            if entry.name == unique or entry.name.startswith(f"{unique}:"):
                return Path(entry.path)
    return None


def _write(maildir: Path, unique: str, chunks: Iterable[bytes]) -> Path:
    temporary, final = maildir / "tmp" / unique, maildir / "new" / unique
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()  # of an attempt that was cut off
    try:
        with open(temporary, "xb", opener=_private) as stream:
            stream.writelines(_with_lf(chunks))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.rename(final)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(final.parent)
    return final


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _with_lf(chunks: Iterable[bytes]) -> Iterable[bytes]:
    """Make CRLF to LF, also where a chunk ends between the two."""
    held = b""
    for chunk in chunks:
        data = held + chunk
        held = b"\r" if data.endswith(b"\r") else b""
        yield data[: len(data) - len(held)].replace(b"\r\n", b"\n")
    yield held


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
