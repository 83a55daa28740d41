"""Checks the folder of the backups: whether the service can write there, and which commands change that."""

import os
import shlex
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from relay.places import name_page
from relay.settings.document import Table
from relay.settings.errors import Finding, warn

_PLACE: Final = ("backup", "folder")
_PATIENCE: Final = 3.0
"""Seconds."""
_FOR_MORE: Final = ("/srv", "/mnt", "/media")
_SYSTEM: Final = frozenset(("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sbin", "sys", "usr"))
"""These and everything below them belong to the system."""
_FILLED: Final = frozenset(("media", "mnt", "opt", "srv", "tmp"))
"""Only these themselves do."""
_PARTED: Final = frozenset(("home", "var"))
"""These and the folders directly in them do."""


def check_backup(root: Table, folder: Path, *, look: bool) -> Iterator[Finding]:
    """Find what is wrong with `[backup]`. `folder` is what relative paths are relative to.

    A folder that can't be used is only a warning, since mail is carried without it. It is accessed only if `look` is
    set: it may be a network share that does not answer, and commands that read the queue must not wait for it.
    """
    backup = root.table("backup")
    name = backup.text("folder")
    if not backup.content or not name:
        return
    if (root.table("storage").text("database") or "").lower().startswith("postgres"):
        reason = (
            "a PostgreSQL database is not copied by the relay: take [backup] out, and let pg_dump copy it each night"
            f" ({name_page('backup.md')} has the whole recipe)"
        )
        yield Finding(("backup",), reason)
        return
    if look:
        findings = _within_patience(lambda: list(_look(folder / name, folder)))
        if findings is None:
            reason = "gives no answer: look at the disk or the share; without it there are no backups"
            findings = [warn(_PLACE, reason)]
        yield from findings


def _look(target: Path, folder: Path) -> Iterator[Finding]:
    if target.exists() and not target.is_dir():
        yield Finding(_PLACE, "is no folder")
        return
    unusable = why_unusable(target, folder)
    if unusable is not None:
        yield warn(_PLACE, unusable)
    if is_within(target, folder):
        reason = "is inside of the storage folder: who loses that disk loses the backups, too; name a place elsewhere"
        yield warn(_PLACE, reason)


def _within_patience(look: Callable[[], list[Finding]]) -> list[Finding] | None:
    """Return what `look` finds; None if it does not return in time, as on a network share that does not answer."""
    found: list[list[Finding]] = []
    thread = threading.Thread(target=lambda: found.append(look()), name="look at the backups", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return found[0] if found else None


def why_unusable(target: Path, storage: Path) -> str | None:
    """Return why this process can't write a backup there, and what to do; None if it can.

    `storage`: the storage folder, whose owner runs the service.
    """
    try:
        if not target.is_dir():
            made = f'"install -d -o {_owner(storage)} -m 0700 {shlex.quote(str(target))}"'
            return f"there is no such folder: make it by {made}, or mount the disk that belongs there"
        if os.statvfs(target).f_flag & os.ST_RDONLY:
            return f"can't be written by the service: {drop_in(target)}"
        if os.access(target, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            return None
    except OSError as error:
        return f"can't be used: {error.strerror}"
    return f"can't be written by the user who runs this: {give(target, _owner(storage))}"


def drop_in(target: Path) -> str:
    """Return how to let the systemd unit write in one more folder; by itself it allows only the storage folder.

    The "-" lets the unit start without the folder as well, such as while a disk is not mounted.
    """
    path = shlex.quote("-" + str(target).replace("%", "%%"))
    return (
        f'run "systemctl edit relay", add the two lines "[Service]" and "ReadWritePaths={path}", then run'
        ' "systemctl restart relay" (without the unit: the disk is mounted read-only)'
    )


def is_within(target: Path, storage: Path) -> bool:
    """Return whether one folder is inside of another, after following links."""
    return Path(os.path.realpath(target)).is_relative_to(os.path.realpath(storage))


def give(target: Path, owner: str) -> str:
    """Return how to make a folder writable for a user; a folder of the system is to be replaced by another one."""
    path = shlex.quote(str(target))
    if not _is_the_systems(target):
        return f'"chown {owner} {path} && chmod 0700 {path}"'
    within = target if str(target) in _FOR_MORE else Path(_FOR_MORE[0])
    own = shlex.quote(str(within / "relay-backup"))
    return (
        "other things need this folder as it is: make one for backups alone, and name that:"
        f' "install -d -o {owner} -m 0700 {own}"'
    )


def _is_the_systems(target: Path) -> bool:
    """Return whether others than the relay use a folder, and would be locked out of it."""
    top, *below = Path(os.path.realpath(target)).parts[1:] or ("etc",)
    return top in _SYSTEM or (top in _FILLED and not below) or (top in _PARTED and len(below) <= 1)


def _owner(storage: Path) -> str:
    try:
        return storage.owner()
    except (KeyError, OSError):
        return "relay"
