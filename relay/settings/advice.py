"""Makes the commands, shown in findings about files, that let the service's user read a file and nobody else."""

import grp
import os
import pwd
import shlex
import stat
from pathlib import Path

SERVICE_USER = "relay"
"""The user that the package creates for the service."""


def let_read(path: Path, uid: int, gid: int) -> str:
    """Return the commands that let a user read a file through his group; its owner stays.

    `gid`: the group of a folder of his, which is used if he has no entry in passwd.
    """
    file = shlex.quote(str(path))
    return f"chgrp {_name_group(group_of(uid, gid))} {file} && chmod 0640 {file}"


def shut_to_others(path: Path, folder: Path) -> str:
    """Return the commands that stop others from reading a file, while the folder's owner still can."""
    shut = f"chmod o= {shlex.quote(str(path))}"
    try:
        file = path.stat()
    except OSError:
        return shut
    try:
        owner = folder.stat()
    except OSError:  # the package's user will own it
        try:
            service = pwd.getpwnam(SERVICE_USER)
        except KeyError:
            return shut
        return shut if file.st_uid else let_read(path, service.pw_uid, service.pw_gid)
    reads = owner.st_uid == 0 or (owner.st_uid == file.st_uid and file.st_mode & stat.S_IRUSR)
    if reads or (file.st_mode & stat.S_IRGRP and file.st_gid in find_groups(owner.st_uid, owner.st_gid)):
        return shut
    return let_read(path, owner.st_uid, owner.st_gid)


def group_of(uid: int, gid: int) -> int:
    """Return a user's own group; if he has no entry in passwd, the group of his folder, but never root's."""
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return gid or uid


def name_user(uid: int) -> str:
    """Return a user's name, or his number if he has no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def find_groups(uid: int, gid: int) -> list[int]:
    """Return the groups of a user; see `group_of`."""
    group = group_of(uid, gid)
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, group)
    except KeyError:
        return [group]


def _name_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
