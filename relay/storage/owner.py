"""Whose a storage folder is, and how a command of root's becomes that user.

Guarantee: after `become_owner` the process has no right that the folder's owner has not, and no way back: whatever
stands in the folder (links, pipes, a hostile database) can do no more to it than to the service itself.
"""

import ctypes
import errno
import os
import pwd
import stat
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.model.errors import NothingStoredError, StorageError
from relay.settings.advice import group_of
from relay.storage.child import ask_another

_MOST_LINKS: Final = 40
"""Symbolic links on one way, as Linux itself allows."""
_PR_SET_KEEPCAPS: Final = 8
_CAPABILITY_VERSION: Final = 0x20080522
_NET_BIND_SERVICE: Final = 1 << 10


@dataclass(frozen=True, slots=True)
class Owner:
    """The user whose a storage folder is."""

    uid: int
    gid: int
    """The group of the folder: the user's own where he has no entry in passwd."""

    def __str__(self) -> str:
        entry = self._entry
        return f"uid {self.uid}" if entry is None else entry.pw_name

    @property
    def has_name(self) -> bool:
        """Whether the system knows the user by a name."""
        return self._entry is not None

    @property
    def _entry(self) -> pwd.struct_passwd | None:
        try:
            return pwd.getpwuid(self.uid)
        except KeyError:
            return None

    def take_over(self) -> None:
        """Make this process the user's, for good: all its ids and groups. Raises OSError."""
        entry, gid = self._entry, group_of(self.uid, self.gid)
        if entry is None:
            os.setgroups([gid])
        else:
            os.initgroups(entry.pw_name, gid)
        os.setresgid(gid, gid, gid)
        os.setresuid(self.uid, self.uid, self.uid)
        if entry is not None:  # for programs that are to give passwords
            os.environ.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name)


def find_owner(folder: Path) -> Owner | None:
    """Return whom a process of root's is to become before it opens anything in a storage folder; None: it stays itself.

    Raises StorageError where others than root and its owner could put another folder in its place (root would become
    whose that is), and where it is root's but others could put something into it.
    """
    if os.geteuid() != 0:
        return None
    try:
        found = folder.stat()
        if found.st_uid != 0:
            owner = Owner(found.st_uid, found.st_gid)
            for part, uid in strangers(folder):
                if uid != owner.uid:
                    raise StorageError(
                        f"{folder} is of {owner}, but {part} on the way to it is of {Owner(uid, uid)}, who could put"
                        f" another folder there, also somebody else's. Give {part} to root or to {owner} (chown -h)"
                    )
            return owner
        for part, uid in strangers(folder):
            raise StorageError(
                f"{folder} is root's, but {part} on the way to it is not: {Owner(uid, uid)} could put another folder"
                " there. Give all of the way to root, or the folder to the user who runs the service (chown)"
            )
        for part in open_to_others(folder):
            raise StorageError(
                f"{folder} is root's, but others than root may write to {part}: they could have root write elsewhere by"
                f" a link there. Shut it to them (chmod go-w {part}), or give the folder to the user who runs the"
                " service (chown)"
            )
    except FileNotFoundError as error:
        raise NothingStoredError(f"{folder}: {error.strerror}") from None
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}") from None
    return None


def require_within(folder: Path, file: Path, owner: Owner) -> None:
    """Raise StorageError where a file's name lies in the folder, and links of its owner lead out of it."""
    try:
        name = file.absolute().relative_to(folder.absolute())
    except ValueError:
        return  # the configuration, which is root's, names another place
    if Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder)):
        return
    # Not said where to: the folder's owner has chosen that, and root reads it.
    raise StorageError(
        f"{file}: {name.parts[0]} is a link of {owner} that leads out of the storage folder, where root does not follow"
        " it: put the database itself there, or name the place where it lies in [storage] database"
    )


def become_owner(owner: Owner, folder: Path, belongings: Iterable[Path], *, low_ports: bool = False) -> None:
    """Give up root's rights for those of a folder's owner, but with `low_ports` the one to open ports below 1024.

    Raises StorageError where he can't use the folder, or one of `belongings`, which a service has there.
    """
    try:
        if low_ports:
            _prctl(_PR_SET_KEEPCAPS, 1)
        owner.take_over()
        if low_ports:
            _keep_low_ports()
    except OSError as error:
        raise StorageError(f"{folder}: root can't become its owner, {owner}: {error.strerror}") from None
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise StorageError(
            f"{folder}: its owner, {owner}, can't use it: a folder on the way to it is shut to him. Where the service"
            " runs with DynamicUser=yes, give it a user of its own (see config/relay.service)"
        )
    for path in belongings:
        _check_belonging(path, owner)


def find_shut(owner: Owner, files: Sequence[tuple[Path, int]]) -> dict[Path, Path]:
    """Return which files a user can't use in the ways (os.R_OK, os.W_OK) beside them, and what of the way is shut.

    A file that is not there is one that he can't read, and one that he can write where he could make it. Where no
    process can become him, nothing is shut: whoever tries it in earnest says so.
    """

    def answer() -> bytes:
        owner.take_over()
        # No path has a NUL; an empty answer is that of a file which is not shut.
        return b"".join(os.fsencode(_what_is_shut(*file) or "") + b"\0" for file in files)

    answers = ask_another(answer).split(b"\0")
    return {path: Path(os.fsdecode(shut)) for (path, _), shut in zip(files, answers, strict=False) if shut}


def _what_is_shut(path: Path, ways: int) -> Path | None:
    new = bool(ways & os.W_OK) and not os.path.lexists(path)
    if os.access(path.parent, os.W_OK | os.X_OK) if new else os.access(path, ways):
        return None
    try:
        for entry, found in _way(path):
            if stat.S_ISDIR(found.st_mode) and not os.access(entry, os.X_OK):
                return entry
    except OSError:
        pass  # behind what is shut nothing can be followed
    return path


def strangers(path: Path, *, links: bool = False) -> Iterator[tuple[Path, int]]:
    """Return what others than root own on the way to a file (only the links), and who: they could exchange the rest.

    Raises OSError where the way can't be followed.
    """
    for entry, found in _way(path):
        if found.st_uid != 0 and (not links or stat.S_ISLNK(found.st_mode)):
            yield entry, found.st_uid


def require_same_hand(source: Path, folder: Path, owner: Owner | None) -> None:
    """Raise StorageError where root would take `source` of somebody whose the storage `folder` in it is not.

    He would choose where root gives data back, and as whom; he may choose what is his own.
    """
    if os.geteuid() != 0:
        return
    whose = "root" if owner is None else str(owner)
    try:
        for part, uid in strangers(source):
            if owner is None or uid != owner.uid:
                raise StorageError(
                    f"{source}: {part} is of {Owner(uid, uid)}, who could have written it, but the storage folder that"
                    f" it names, {folder}, is of {whose}. Look through it, and put it in its place yourself; or move"
                    f" the backup into a folder of root's, give it to {whose} (chown -R), and restore from there"
                )
    except OSError as error:
        raise StorageError(f"{source}: {error.strerror}") from None


def open_to_others(folder: Path) -> Iterator[Path]:
    """Give root's folders on the way in which others could exchange something, or make it in the folder itself."""
    target = Path(os.path.realpath(folder))
    for entry, found in _way(folder):
        others = found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and found.st_gid != 0)
        # In a sticky folder they can make something, but exchange nothing of root's.
        is_safe = found.st_mode & stat.S_ISVTX and Path(os.path.realpath(entry)) != target
        if stat.S_ISDIR(found.st_mode) and others and not is_safe:
            yield entry


def _way(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Return all that stands on the way to a file, links and what is behind them. It ends where nothing is."""
    parts = [*reversed(path.absolute().parts)]
    here, links = Path(parts.pop()), 0
    while parts:
        entry = here / parts.pop()
        if entry.name == "..":
            here = here.parent
            continue
        try:
            found = entry.lstat()
        except FileNotFoundError:
            return
        yield entry, found
        if not stat.S_ISLNK(found.st_mode):
            here = entry
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = entry.readlink()
        if target.is_absolute():
            here = Path(target.anchor)
            target = target.relative_to(here)
        parts += reversed(target.parts)


def _check_belonging(path: Path, owner: Owner) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from None
    if found.st_uid != owner.uid and not stat.S_ISLNK(found.st_mode) and not os.access(path, os.R_OK | os.W_OK):
        whose = Owner(found.st_uid, found.st_gid)
        # No path of what a link may lead to: the advice must not give away a file that lies elsewhere.
        raise StorageError(
            f"{path} is of {whose}, its folder of {owner}, who can't use it: give it to {owner} if it is the"
            " service's own, as after a copy that root has made; else move it away"
        )


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _keep_low_ports() -> None:
    """Of all the capabilities that stayed, keep that for low ports; none where root itself has not even that."""
    if not _set_capabilities(_NET_BIND_SERVICE) and not _set_capabilities(0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _set_capabilities(wanted: int) -> bool:
    """Set the permitted and the effective capabilities of this thread (capset(2)); no program that is run has them."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    return bool(ctypes.CDLL(None, use_errno=True).capset(header, struct.pack("=6I", wanted, wanted, 0, 0, 0, 0)) == 0)
