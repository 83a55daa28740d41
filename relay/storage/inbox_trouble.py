"""Why a user's inbox can't be used, seen with the rights of this process, and the command that mends it."""

import os
import re
import shlex
import stat
from pathlib import Path
from typing import Final

from relay.settings.advice import name_user
from relay.settings.sharing import find_top
from relay.storage.maildir import FOLDERS

_PATTERN: Final = re.compile(r"[\\*?\[\]]")
"""What has a meaning of its own in a pattern of find."""


def find_trouble(inboxes: Path, user: str, folder: Path) -> str:
    """Say what keeps mail out of a user's inbox, and the command that mends it; empty where nothing is found.

    `folder`: the storage folder, whose owner runs the service. Nothing is made or changed.
    """
    owner = _owner_of(folder)
    for path in (inboxes, inboxes / user, *(inboxes / user / name for name in FOLDERS)):
        try:
            found = path.stat() if path == inboxes else path.lstat()
        except FileNotFoundError:
            continue  # it is made where it is missing
        except OSError as error:
            reason = error.strerror or str(error)
            return f"{path}: {reason}. Let the service through: chmod o+x {_quote(path.parent)}"
        trouble = _look_at(path, found, owner, inboxes)
        if trouble:
            return f"{path}: {trouble}"
    return ""


def _look_at(path: Path, found: os.stat_result, owner: int | None, inboxes: Path) -> str:
    if stat.S_ISLNK(found.st_mode):
        return f"it is a link, and mail is written through none. Remove the link: rm {_quote(path)}"
    if not stat.S_ISDIR(found.st_mode):
        aside = path.with_name(f"{path.name}.aside")
        return f"it is no folder. Put it aside: mv {_quote(path)} {_quote(aside)}"
    if os.access(path, os.W_OK | os.X_OK, effective_ids=True):
        return ""
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "its file system is read-only. Mount it so that it can be written"
    if owner is None or found.st_uid == owner:
        cure = f"Let its owner write there: chmod u+rwx {_quote(path)}"
    else:
        cure = f"Give it to the user who runs the service: {_give(path, owner, inboxes)}"
    return f"it is of {name_user(found.st_uid)}, and can't be written into. {cure}"


def _give(path: Path, owner: int, inboxes: Path) -> str:
    """Return the command by which root gives away a folder of an inbox, and all in it, but nothing that lies elsewhere.

    It begins at the folder of all inboxes, and reaches each file from its own folder: whoever may write into an inbox
    could put a link in a folder's place meanwhile.
    """
    top = find_top(inboxes)
    find, give = f"find {_quote(top)}", f"-execdir chown -h {name_user(owner)} {{}} +"
    if path == inboxes:
        return f"{find} {give}"
    name = _PATTERN.sub(r"\\\g<0>", str(top / path.relative_to(inboxes)))
    return f"{find} '(' -path {shlex.quote(name)} -o -path {shlex.quote(f'{name}/*')} ')' {give}"


def _owner_of(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except OSError:
        return None


def _quote(path: Path) -> str:
    return shlex.quote(str(path))
