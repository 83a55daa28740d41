"""Passwords in files of their own, beside the configuration: `secrets/NAME`, whom only the service's group may read.

Beside a configuration of root's that a group may read they are root's and that group's (0640), else of the
configuration's owner alone (0600).
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from relay.editing import EditError
from relay.editing.file import replace_file
from relay.editing.place import Place, open_place
from relay.storage.owner import Owner
from relay.storage.syncing import CREATE
from relay.storage.syncing import FOLDER as OPENED

FOLDER: Final = "secrets"
_ODD: Final = re.compile(r"[^\w.@+-]")
_MOST: Final = 100
"""Files of nearly the same name that are tried."""


@contextmanager
def new_secret(configuration: Path, name: str, secret: str) -> Iterator[Path]:
    """Make a file with a secret, durably, and give its absolute path; where the body raises, it is removed again.

    `name`: whose it is, such as an account's name; nothing that is there is overwritten. Raises EditError, OSError.
    """
    require_line(secret)
    with open_place(configuration) as place:
        owner = _look_at(place)
        shared = owner.st_uid == 0 and owner.st_gid != 0 and bool(owner.st_mode & stat.S_IRGRP)
        with _open_folder(place, owner, 0o750 if shared else 0o700) as (path, folder):
            file, descriptor = _create(path, folder, name)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(secret.encode() + b"\n")
                    stream.flush()
                    _give(descriptor, owner, 0o640 if shared else 0o600)
                    os.fsync(descriptor)
                os.fsync(folder)
                yield path / file
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(file, dir_fd=folder)
                raise


def replace_secret(path: Path, secret: str) -> None:
    """Put another secret into a file that is there; owner, group and mode stay. Raises EditError, OSError."""
    require_line(secret)
    with open_place(path) as place:
        old = place.open_file()
        try:
            replace_file(place, old, secret.encode() + b"\n")
        finally:
            os.close(old)


def require_line(secret: str) -> None:
    """Raise EditError where a secret can't stand in the first line of a file."""
    if not secret:
        raise EditError("an empty password is none")
    if any(sign in secret for sign in "\r\n\0") or not _is_utf8(secret) or secret.splitlines() != [secret]:
        raise EditError("a password must be one line of text, without a NUL character")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _look_at(place: Place) -> os.stat_result:
    descriptor = place.open_file()
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _open_folder(place: Place, owner: os.stat_result, mode: int) -> Iterator[tuple[Path, int]]:
    """Open the folder of secrets beside a configuration, or make it; one that is new goes where the body raises.

    Nothing that another has put there is followed: not a link, and no folder of a third user's.
    """
    path = place.path.parent / FOLDER
    is_new = True
    try:
        os.mkdir(FOLDER, 0o700, dir_fd=place.folder)
    except FileExistsError:
        is_new = False
    try:
        folder = os.open(FOLDER, OPENED | os.O_NOFOLLOW, dir_fd=place.folder)
    except NotADirectoryError:
        raise EditError(f"{path}: is a link, or no folder, but is to hold the passwords: move it away") from None
    try:
        _require_own(path, folder, place, owner, is_new=is_new)
        if is_new:
            _give(folder, owner, mode)
            os.fsync(place.folder)
        yield path, folder
    except BaseException:
        if is_new:
            with suppress(OSError):  # another command has put something into it
                os.rmdir(FOLDER, dir_fd=place.folder)
        raise
    finally:
        os.close(folder)


def _require_own(path: Path, folder: int, place: Place, owner: os.stat_result, *, is_new: bool) -> None:
    uid = os.fstat(folder).st_uid
    if is_new:
        if uid != os.geteuid() or os.listdir(folder):
            raise EditError(f"{path}: somebody has put another folder there meanwhile: look at it, and try again")
    elif uid not in {owner.st_uid, os.fstat(place.folder).st_uid, os.geteuid() or owner.st_uid}:
        raise EditError(f"{path}: is of {Owner(uid, uid)}, and not of who owns {place.path}: give it to him (chown)")


def _create(folder: Path, descriptor: int, name: str) -> tuple[str, int]:
    plain = _ODD.sub("_", name).lstrip(".-")[:60] or "password"
    for n in range(1, _MOST):
        file = plain if n == 1 else f"{plain}-{n}"
        try:
            return file, os.open(file, CREATE, 0o600, dir_fd=descriptor)
        except FileExistsError:
            continue
    raise EditError(f"{folder}: there are too many files called {plain}: remove those that nothing names any more")


def _give(file: int, owner: os.stat_result, mode: int) -> None:
    if os.geteuid() == 0:
        os.fchown(file, owner.st_uid, owner.st_gid)
    os.fchmod(file, mode)
