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
from relay.storage.syncing import CREATE, open_plain, replacing, sync
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
    beside = Path(os.path.realpath(configuration))
    owner = beside.stat()
    shared = owner.st_uid == 0 and owner.st_gid != 0 and bool(owner.st_mode & stat.S_IRGRP)
    folder = beside.parent / FOLDER
    is_new = not folder.is_dir()
    if is_new:
        folder.mkdir(mode=0o700)
        made = os.open(folder, OPENED)
        try:
            _give(made, owner, 0o750 if shared else 0o700)
        finally:
            os.close(made)
        sync(folder.parent)
    path, descriptor = _create(folder, name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secret.encode() + b"\n")
            stream.flush()
            _give(descriptor, owner, 0o640 if shared else 0o600)
            os.fsync(descriptor)
        sync(folder)
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):  # another command has put something into it
                folder.rmdir()
        raise


def replace_secret(path: Path, secret: str) -> None:
    """Put another secret into a file that is there; owner, group and mode stay. Raises EditError, OSError."""
    require_line(secret)
    target = Path(os.path.realpath(path))
    old = open_plain(target)
    try:
        found = os.fstat(old)
    finally:
        os.close(old)
    with replacing(target) as (_, new):
        _give(new, found, found.st_mode & 0o777)
        os.write(new, secret.encode() + b"\n")


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


def _create(folder: Path, name: str) -> tuple[Path, int]:
    plain = _ODD.sub("_", name).lstrip(".-")[:60] or "password"
    for n in range(1, _MOST):
        path = folder / (plain if n == 1 else f"{plain}-{n}")
        try:
            return path, os.open(path, CREATE, 0o600)
        except FileExistsError:
            continue
    raise EditError(f"{folder}: there are too many files called {plain}: remove those that nothing names any more")


def _give(file: int, owner: os.stat_result, mode: int) -> None:
    if os.geteuid() == 0:
        os.fchown(file, owner.st_uid, owner.st_gid)
    os.fchmod(file, mode)
