"""Where a file lies that a command changes, held open, so that nobody leads root to another one meanwhile.

Guarantee: what root changes lies where root alone could exchange it, or else file and folder are of the one user who
could: then root makes nothing there that he could not have made himself, whatever he exchanges, and when.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from relay.editing import EditError
from relay.storage.owner import Owner, open_to_others, strangers
from relay.storage.syncing import FOLDER, open_plain


@dataclass(frozen=True, slots=True)
class Place:
    """A name in a folder that is held open; links to it were followed."""

    path: Path
    folder: int
    """The folder's descriptor."""
    uid: int | None
    """Who could exchange the file, and must own it and its folder; None where that is nobody but root and this user."""
    refusal: str
    """What is said where he does not."""

    def open_file(self) -> int:
        """Open the file for reading. Raises EditError where it is not of who could exchange it, and OSError."""
        descriptor = open_plain(self.path.name, self.folder)
        try:
            self.require(descriptor)
        except EditError:
            os.close(descriptor)
            raise
        return descriptor

    def has(self, descriptor: int) -> bool:
        """Return whether the name still leads to the file that is open. Raises OSError."""
        named = os.stat(self.path.name, dir_fd=self.folder, follow_symlinks=False)
        return os.path.samestat(os.fstat(descriptor), named)

    def require(self, descriptor: int) -> None:
        """Raise EditError where what is open is not of who could exchange the file."""
        if self.uid is not None and os.fstat(descriptor).st_uid != self.uid:
            raise EditError(self.refusal)


@contextlib.contextmanager
def open_place(path: Path) -> Iterator[Place]:
    """Hold the folder open in which a file lies, or is to lie, when links to it are followed.

    Raises EditError where root could be led to what is not of who could exchange the file, and OSError.
    """
    target = Path(os.path.realpath(path))
    hand = _find_hand(path, target)
    folder = os.open(target.parent, FOLDER)
    try:
        place = Place(target, folder, *hand)
        place.require(folder)
        yield place
    finally:
        os.close(folder)


def require_place(path: Path) -> None:
    """Raise EditError where root is not to change a file: see `open_place`. Raises OSError."""
    if os.geteuid() != 0:
        return
    with open_place(path) as place, contextlib.suppress(FileNotFoundError):
        os.close(place.open_file())


def _find_hand(path: Path, target: Path) -> tuple[int | None, str]:
    """Return who could exchange a file, beside root and this user, and what is said where he does not own it."""
    if os.geteuid() != 0:
        return None, ""
    others = {uid: part for part, uid in strangers(path) if part != target}
    if target.parent.stat().st_mode & stat.S_ISVTX:
        # There a file's owner can put another one in its place; in any other folder of root's he can't.
        others |= {uid: part for part, uid in strangers(path)}
    if not others:
        for part in open_to_others(path):
            raise EditError(
                f"{path}: others than root may write to {part}, and could lead root to another file: shut it to them"
                f" (chmod go-w {part})"
            )
        return None, ""
    (uid, part), *more = others.items()
    owner = Owner(uid, uid)
    # Not said whereto: he has chosen that, and root looks at it.
    refusal = (
        f"{path}: {part} is of {owner}, who could lead root to another file by it, and not all is his that root would"
        f" change there: give file and folder to {owner}, or all of the way to root (chown -h), or make the change as"
        f" {owner}"
    )
    if more:
        raise EditError(refusal)
    return uid, refusal
