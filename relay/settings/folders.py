"""Checks the folders that the service writes in: that they exist, and that only the right users can write there."""

import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from relay.settings.advice import SERVICE_USER, name_user
from relay.settings.database import sqlite_path
from relay.settings.document import Table
from relay.settings.errors import Finding, Place, warn


def check_folders(root: Table, folder: Path) -> Iterator[Finding]:
    """Find what is wrong with the storage folder, and with what is made below it.

    Something that root or the first start can still create is a warning: a configuration may be checked before that.
    """
    mode = find_mode(folder)
    place = ("storage", "folder")
    if not isinstance(mode, int):
        reason = f"{mode}: the service can't start without it. Make it: {_make(folder)}"
        yield warn(place, _with(folder, root, reason))
        return
    if not stat.S_ISDIR(mode):
        yield Finding(place, _with(folder, root, "is no folder"))
        return
    yield from _check_mode(place, folder, mode)
    storage = root.table("storage")
    inboxes = folder / (storage.text("inboxes") or "inboxes")
    mode = find_mode(inboxes)
    if isinstance(mode, int) and not stat.S_ISDIR(mode):
        yield Finding(("storage", "inboxes"), f"is no folder ({inboxes})")
    elif isinstance(mode, int) and inboxes != folder:
        yield from _check_mode(("storage", "inboxes"), inboxes, mode)
    yield from _check_database(storage, folder)
    log = root.table("log").text("file")
    if log:
        yield from _check_log(folder / log)


def find_mode(path: Path) -> int | str:
    """Return a file's mode, or why it can't be read."""
    try:
        return path.stat().st_mode
    except OSError as error:
        return error.strerror or "unknown"
    except ValueError:
        return "this is no file name"


def _with(folder: Path, root: Table, reason: str) -> str:
    """Add the folder if the finding's line does not show it: it is that of the file, or relative to it."""
    named = root.table("storage").text("folder")
    return reason if named and Path(named).is_absolute() else f"{reason} ({folder})"


def _make(folder: Path) -> str:
    path = shlex.quote(str(folder))
    return f"install -d -o {SERVICE_USER} -g {SERVICE_USER} -m 0711 {path} ({SERVICE_USER}: who runs the service)"


def _check_mode(place: Place, folder: Path, mode: int) -> Iterator[Finding]:
    quoted = shlex.quote(str(folder))
    if mode & stat.S_IWOTH:
        reason = f"everybody on this machine can delete and exchange what is in it: chmod o-w {quoted}"
        yield warn(place, reason)
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        try:
            owner = name_user(folder.stat().st_uid)
        except OSError:
            return
        reason = f"its owner {owner}, who runs the service, can't write in it: chmod u+rwx {quoted}"
        yield warn(place, reason)


def _check_database(storage: Table, folder: Path) -> Iterator[Finding]:
    place = ("storage", "database")
    path = sqlite_path(storage.text("database") or "", folder)
    if path is None:
        return
    parent = find_mode(path.parent)
    if not isinstance(parent, int) or not stat.S_ISDIR(parent):
        why = "is no folder" if isinstance(parent, int) else parent
        reason = f"the database can't be made: {path.parent}: {why}. Make it: {_make(path.parent)}"
        yield warn(place, reason)
    elif isinstance(mode := find_mode(path), int) and stat.S_ISDIR(mode):
        yield Finding(place, f"is a folder, and must name a file in it ({path})")


def _check_log(file: Path) -> Iterator[Finding]:
    place = ("log", "file")
    mode, parent = find_mode(file), find_mode(file.parent)
    if isinstance(mode, int) and stat.S_ISDIR(mode):
        yield Finding(place, f"is a folder, and must name a file in it ({file})")
    elif not isinstance(parent, int):
        reason = f"nothing can be logged there: {file.parent}: {parent}. Make it: {_make(file.parent)}"
        yield Finding(place, reason)
    elif not stat.S_ISDIR(parent):
        yield Finding(place, f"nothing can be logged there: {file.parent} is no folder")
