"""Checks the folders that the service writes in: that they exist, that only the right users can write there.

And whether `[storage] group` can read the inboxes, and which commands change that. The service can't do it itself,
since its systemd unit forbids it to set the setgid bit. Root does it once, for the folder of all inboxes; what is
created below inherits the group and the bit.
"""

import grp
import os
import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from relay.settings.advice import SERVICE_USER, find_groups, name_user
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


_GROUP: Final = ("storage", "group")
GROUP_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
"""Names that a shell command needs no quotes for."""
_SHARED: Final = stat.S_ISGID | stat.S_IRWXU | stat.S_IRWXG
_FOLDERS: Final = ("", "tmp", "new", "cur")
"""The folders of an inbox that the service uses; the first one is the inbox itself."""


def make_shared(inboxes: Path, owner: str, group: str) -> str:
    """Return root's command that creates the folder of all inboxes, or opens it to the group.

    If the owner could replace the folder by a link, the command runs as the owner, and changes only what is his.
    """
    path, above = shlex.quote(str(inboxes)), _look(inboxes.parent)
    if above is not None and name_user(above.st_uid) != owner:
        return f"install -d -o {owner} -g {group} -m 2770 {path}"
    return f"setpriv --reuid={owner} --regid={group} --clear-groups install -d -g {group} -m 2770 {path}"


def share_existing(inboxes: Path, group: str) -> str:
    """Return root's command that opens the existing inboxes.

    Folders come first: files that are created meanwhile inherit the group. Links are not followed, and each file is
    reached from its own folder (-execdir): else a folder could become a link that makes root give away files elsewhere.
    """
    find = f"find {shlex.quote(str(find_top(inboxes)))} -type"
    return (
        f"{find} d -execdir chgrp -h {group} {{}} + -execdir chmod 2770 {{}} +"
        f" && {find} f -execdir chgrp -h {group} {{}} + -execdir chmod 0660 {{}} +"
    )


def find_top(inboxes: Path) -> Path:
    """Return the folder of all inboxes as root's commands must name it: only a link that root owns is followed.

    The service's user may own the folder above, and must not lead root's commands elsewhere by a link.
    """
    try:
        return Path(os.path.realpath(inboxes)) if inboxes.lstat().st_uid == 0 else inboxes
    except (OSError, ValueError):
        return inboxes


def join_group(owner: str, group: str) -> str:
    """Return the command that adds the service's user to the group."""
    return f"usermod --append --groups {group} {owner}"


def check_sharing(root: Table, folder: Path) -> Iterator[Finding]:
    """Find why the group can't read the inboxes, or the service can't use what a mail reader creates there.

    `folder` is what relative paths are relative to; its owner runs the service. What can't be read is skipped.
    """
    group = root.table("storage").text("group")
    if group is None or GROUP_NAME.fullmatch(group) is None:
        return
    try:
        gid = grp.getgrnam(group).gr_gid
    except KeyError:
        reason = f"this system has no such group; `groupadd --system {group}` makes it"
        yield Finding(_GROUP, reason)
        return
    storage = _look(folder)
    if storage is None:
        return
    inboxes, owner = folder / (root.table("storage").text("inboxes") or "inboxes"), name_user(storage.st_uid)
    fault = _why_not_shared(inboxes, storage.st_uid, gid)
    if fault is not None:
        commands = [make_shared(inboxes, owner, group)]
        found = _look(inboxes)
        if found is not None and found.st_uid != storage.st_uid:
            commands.insert(0, f"chown -h {owner} {shlex.quote(str(find_top(inboxes)))}")
        if _inboxes_in(inboxes):
            commands.append(share_existing(inboxes, group))
        yield warn(_GROUP, f"{inboxes} {fault}: {' && '.join(commands)}")
    elif (inbox := next((path for path in _inboxes_in(inboxes) if not _is_open(path, gid)), None)) is not None:
        yield warn(_GROUP, f"{inbox} is not open to it yet: {share_existing(inboxes, group)}")
    for shut in _shut_on_the_way(inboxes, gid):
        yield warn(_GROUP, f"nobody of it gets through {shut}: chmod o+x {shlex.quote(str(shut))}")
    if storage.st_uid != 0 and gid not in find_groups(storage.st_uid, storage.st_gid):
        reason = f"{owner}, who runs the service, is not in it and can't deliver into a folder that a mail reader makes"
        yield warn(_GROUP, f"{reason}: {join_group(owner, group)}, then restart the service")


def _why_not_shared(inboxes: Path, owner: int, gid: int) -> str | None:
    found = _look(inboxes)
    if found is None:
        return "is not there, and the service would make it for itself alone"
    is_shared = found.st_gid == gid and found.st_uid == owner and found.st_mode & _SHARED == _SHARED
    return None if is_shared else "is not open to it yet"


def _inboxes_in(inboxes: Path) -> list[Path]:
    try:
        with os.scandir(inboxes) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except (OSError, ValueError):
        return []


def _is_open(inbox: Path, gid: int) -> bool:
    """Return whether the group can use an inbox. No link below the folder of all inboxes is followed."""
    found = [_look(inbox / name, follow=False) for name in _FOLDERS]
    needed = stat.S_ISGID | stat.S_IRWXG
    return all(one is None or (one.st_gid == gid and one.st_mode & needed == needed) for one in found)


def _shut_on_the_way(inboxes: Path, gid: int) -> Iterator[Path]:
    try:
        folders = Path(os.path.realpath(inboxes)).parents
    except (OSError, ValueError):
        return
    for folder in reversed(folders):
        found = _look(folder)
        if found is not None:
            needed = stat.S_IXGRP if found.st_gid == gid else stat.S_IXOTH
            if not found.st_mode & needed:
                yield folder


def _look(path: Path, *, follow: bool = True) -> os.stat_result | None:
    try:
        return path.stat(follow_symlinks=follow)
    except (OSError, ValueError):
        return None
