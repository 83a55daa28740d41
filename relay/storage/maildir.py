"""Maildirs: one file a mail, durable before it is visible (https://cr.yp.to/proto/maildir.html).

Guarantee: a mail that is in the inbox when `Maildir.sync` returned stays there after a loss of power, whoever put it
there. The same name again adds nothing, whether the mail still is in `new/` or was read meanwhile and is in `cur/`. The
folder of all inboxes may be a link of the administrator's; below it none is followed: it could lead mail elsewhere.
Everything is its owner's alone, unless the inboxes are `shared`: then a group may use all that is made below the folder
of all inboxes, whose group and setgid bit the kernel passes on. We set neither: the unit forbids it.
Everything here blocks, and raises StorageError where the disk does not do its part; nothing is visible then.
"""

import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

from relay.model.errors import StorageError
from relay.storage.syncing import CREATE, FOLDER, open_plain, sync

FOLDERS: Final = ("tmp", "new", "cur")
ABANDONED: Final = 36 * 3600
"""Seconds after which a file in `tmp/` belongs to nobody any more, by the rule of Maildir."""
_SAFE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.@+-]{0,199}")
_OURS: Final = re.compile(r"[0-9]{1,10}\.[0-9a-f]{16}")
"""The names that we give to files in `tmp/`."""
SHARING_UMASK: Final = 0o007
"""What the process must not be stricter than where inboxes are shared; whatever else it makes asks for its own mode."""


def deliver(inboxes: Path, user: str, unique: str, chunks: Iterable[bytes], *, shared: bool = False) -> Path:
    """Write one mail into a user's inbox, given its name and its bytes with CRLF; the file has LF, as Maildirs do."""
    with Maildir(inboxes, user, shared=shared) as maildir:
        path = maildir.find(unique)
        if path is None:
            with MailFile(maildir) as file:
                for chunk in chunks:
                    file.write(chunk)
                path = file.publish(unique)
        # Also where it was found: who put it there may have died before that.
        maildir.sync()
    return path


def make_inboxes(inboxes: Path, users: Iterable[str]) -> list[str]:
    """Make the shared inboxes of users, where they are missing; return what keeps us from it, a line for each.

    A mail reader that is first to look for an inbox makes it, and may shut it to all but itself (Dovecot does).
    """
    faults = []
    for user in users:
        try:
            with Maildir(inboxes, user, shared=True):
                pass
        except StorageError as error:
            faults.append(str(error))
    return faults


class Maildir:
    """A user's inbox, made where it is missing; a context manager that holds it open, with `tmp/` and `new/`."""

    def __init__(self, inboxes: Path, user: str, *, shared: bool = False) -> None:
        self.path = inboxes / _check_name(user)
        self.shared = shared
        with _storage_faults(self.path), contextlib.ExitStack() as opened:
            top = _open_top(inboxes)
            opened.callback(os.close, top)
            self._root = _open_below(top, user, self.path, shared=shared)
            opened.callback(os.close, self._root)
            held = []
            for name in FOLDERS:
                held.append(descriptor := _open_below(self._root, name, self.path / name, shared=shared))
                opened.callback(os.close, descriptor)
                if not os.access(".", os.W_OK | os.X_OK, dir_fd=descriptor, effective_ids=True):
                    raise StorageError(f"inbox {self.path / name}: it can't be written into")
            self.tmp, self.new, cur = held
            # Durable each time: who made them may have died before that.
            os.fsync(self._root)
            os.fsync(top)
            opened.pop_all()
            os.close(cur)
            os.close(top)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for descriptor in (self.tmp, self.new, self._root):
            os.close(descriptor)

    @contextlib.contextmanager
    def folder(self, name: str) -> Iterator[int]:
        """Open `tmp`, `new` or `cur`; return its descriptor. What the system refuses meanwhile is a StorageError."""
        with _storage_faults(self.path):
            descriptor = _open_below(self._root, name, self.path / name, shared=self.shared)
            try:
                yield descriptor
            finally:
                os.close(descriptor)

    def names(self) -> set[str]:
        """Return the plain names of all mails in `new/` and `cur/`."""
        return {plain_name(name) for folder in ("new", "cur") for name in self._list(folder)}

    def find(self, unique: str) -> Path | None:
        """Look for one mail by its name."""
        _check_name(unique)
        with self.folder("new") as new, contextlib.suppress(FileNotFoundError):
            os.stat(unique, dir_fd=new, follow_symlinks=False)
            return self.path / "new" / unique
        return next((self.path / "cur" / name for name in self._list("cur") if plain_name(name) == unique), None)

    def sync(self) -> None:
        """Make durable what stands in the inbox, read or not: a reader moves it from `new/` to `cur/` at any time."""
        with self.folder("cur") as cur:
            os.fsync(self.new)
            os.fsync(cur)

    def clear_tmp(self, *, now: float | None = None) -> int:
        """Remove what writers of ours that died have left in `tmp/` for longer than ABANDONED; return how many files.

        `now` is a time of the file system's clock in seconds.
        """
        before, removed = (time.time() if now is None else now) - ABANDONED, 0
        for name in self._list("tmp"):
            if _OURS.fullmatch(name) is None:
                continue
            with self.folder("tmp") as tmp, contextlib.suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=tmp, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and found.st_mtime < before:
                    os.unlink(name, dir_fd=tmp)
                    removed += 1
        return removed

    def _list(self, name: str) -> list[str]:
        with self.folder(name) as descriptor:
            return os.listdir(descriptor)  # noqa: PTH208 - of a descriptor


class MailFile:
    """A mail that is being written in `tmp/`; a context manager that removes it unless it was published.

    It ends before its Maildir does. Each `write` is one of the system's: what comes in crumbs is joined before.
    """

    def __init__(self, maildir: Maildir) -> None:
        self._maildir = maildir
        self._name = f"{os.getpid()}.{secrets.token_hex(8)}"
        self._held = b""
        self._synced = False
        with _storage_faults(maildir.path):
            self._descriptor = os.open(self._name, CREATE, 0o600, dir_fd=maildir.tmp)
            if maildir.shared:
                os.fchmod(self._descriptor, 0o660)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        with contextlib.suppress(OSError):
            os.unlink(self._name, dir_fd=self._maildir.tmp)

    def write(self, data: bytes) -> None:
        """Write a piece; CRLF becomes LF, also where a piece ends between the two."""
        window = self._held + data if self._held else data
        self._held = b"\r" if window.endswith(b"\r") else b""
        self.write_as_is((window[:-1] if self._held else window).replace(b"\r\n", b"\n"))

    def write_as_is(self, data: bytes) -> None:
        """Write a piece of a mail that has the line ends of a Maildir."""
        left = memoryview(data)
        with _storage_faults(self._maildir.path):
            while left:
                left = left[os.write(self._descriptor, left) :]

    def sync(self) -> None:
        """End the mail, and make its bytes durable; without effect where that is done. Any thread may do it."""
        if self._synced:
            return
        self.write_as_is(self._held)
        self._held = b""
        with _storage_faults(self._maildir.path):
            os.fsync(self._descriptor)
        self._synced = True

    def publish(self, unique: str) -> Path:
        """Make the mail visible, its bytes durable before; `Maildir.sync` makes that durable, too."""
        _check_name(unique)
        self.sync()
        maildir = self._maildir
        with _storage_faults(maildir.path):
            try:
                os.link(self._name, unique, src_dir_fd=maildir.tmp, dst_dir_fd=maildir.new, follow_symlinks=False)
            except FileExistsError:
                pass
            except FileNotFoundError:
                text = f"inbox {maildir.path / 'tmp'}: the file of a mail was removed while it was written"
                raise StorageError(text) from None
        return maildir.path / "new" / unique


def locate(inbox: Path, file: str) -> Path | None:
    """Look for a mail's file in an inbox, read or not, by the name that it was written with. Nothing is made.

    Raises StorageError where the inbox can't be looked at.
    """
    return next((path for path in list_files(inbox) if plain_name(path.name) == file), None)


def list_files(inbox: Path) -> Iterator[Path]:
    """Give what stands in an inbox, read or not. Nothing is made. Raises StorageError where it can't be looked at."""
    for name in ("new", "cur"):
        try:
            yield from sorted((inbox / name).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise StorageError(f"{inbox / name}: {error.strerror}") from error


def plain_name(name: str) -> str:
    """Return a file's name as it was written: without the flags that readers add behind a colon."""
    return name.partition(":")[0]


def is_name(name: str) -> bool:
    """Return whether a text can be the name of a user's folder or of a mail's file."""
    return _SAFE.fullmatch(name) is not None


def open_regular(path: Path) -> int:
    """Open a plain file for reading; return its descriptor. Raises StorageError, also where it is a link or a pipe."""
    try:
        return open_plain(path)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error


def _open_top(inboxes: Path) -> int:
    """Open the folder of all inboxes, made where it is missing."""
    with contextlib.suppress(FileNotFoundError):
        return os.open(inboxes, FOLDER)
    inboxes.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Where the folder above can't be opened, another has made it durable: we could not have made this one in it.
    with contextlib.suppress(PermissionError):
        sync(inboxes.parent)
    return os.open(inboxes, FOLDER)


def _open_below(parent: int, name: str, path: Path, *, shared: bool) -> int:
    """Open a folder below an open one, made where it is missing. Raises OSError, or StorageError where it is a link."""
    try:
        return os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            # Not changed afterwards: that would take away the setgid bit, which is not ours to give.
            os.mkdir(name, 0o770 if shared else 0o700, dir_fd=parent)
        return os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except NotADirectoryError:
        if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise StorageError(f"inbox {path}: it is a link, and mail is written through none") from None
        raise


@contextlib.contextmanager
def _storage_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"inbox {path}: {error.strerror}") from error


def _check_name(name: str) -> str:
    if not is_name(name):
        raise StorageError(f"{name!r} is no name for a file")
    return name
