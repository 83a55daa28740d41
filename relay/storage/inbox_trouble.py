"""Why a user's inbox can't be used, seen with the rights of this process, and the command that mends it."""

import os
import re
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.settings.advice import name_user
from relay.settings.sharing import find_top
from relay.storage.maildir import FOLDERS

_PATTERN: Final = re.compile(r"[\\*?\[\]]")
"""What has a meaning of its own in a pattern of find."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """What is in the way of an inbox."""

    path: Path
    reason: str
    cure: str
    """A command, or what else is to be done."""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}. {self.cure}"


def find_trouble(inboxes: Path, user: str, folder: Path) -> Trouble | None:
    """Look for what keeps mail out of a user's inbox; None where nothing is found.

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
            return Trouble(path=path, reason=reason, cure=f"Let the service through: chmod o+x {_quote(path.parent)}")
        trouble = _look_at(path, found, owner, inboxes)
        if trouble is not None:
            return trouble
    return None


def _look_at(path: Path, found: os.stat_result, owner: int | None, inboxes: Path) -> Trouble | None:
    if stat.S_ISLNK(found.st_mode):
        cure = f"Remove the link: rm {_quote(path)}"
        return Trouble(path=path, reason="it is a link, and mail is written through none", cure=cure)
    if not stat.S_ISDIR(found.st_mode):
        aside = path.with_name(f"{path.name}.aside")
        return Trouble(path=path, reason="it is no folder", cure=f"Put it aside: mv {_quote(path)} {_quote(aside)}")
    if os.access(path, os.W_OK | os.X_OK, effective_ids=True):
        return None
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return Trouble(path=path, reason="its file system is read-only", cure="Mount it so that it can be written")
    if owner is None or found.st_uid == owner:
        cure = f"Let its owner write there: chmod u+rwx {_quote(path)}"
    else:
        cure = f"Give it to the user who runs the service: {_give(path, owner, inboxes)}"
    return Trouble(path=path, reason=f"it is of {name_user(found.st_uid)}, and can't be written into", cure=cure)


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
