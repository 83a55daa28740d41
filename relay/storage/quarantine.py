"""The quarantine: a Maildir in the storage folder, for mail whose user's inbox can't be used at all.

Guarantee: a mail leaves it only once it stands in an inbox, durably, or when a person deletes it. Whatever a process
dies of in between, the same command ends what was begun, and adds nothing that is there. The files are the truth: what
has no row, since it is older than the rows or put there by hand, is listed too, and so is a row without its file.
Everything here blocks, and raises StorageError where the disk or the database does not do its part.
"""

import contextlib
import hashlib
import os
import re
import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

from relay.model.account import User
from relay.model.errors import StorageError
from relay.model.ids import make_copy_ids
from relay.model.maildrop import Arrival, Place
from relay.rules.headers import find_values
from relay.rules.summary import summarise
from relay.settings.advice import name_user
from relay.settings.folders import find_top
from relay.storage import arrivals
from relay.storage.engine import Database
from relay.storage.maildir import FOLDERS, Maildir, MailFile, is_name, list_files, open_regular, plain_name
from relay.storage.syncing import sync

QUARANTINE: Final = "quarantine"
_HEADER: Final = 65_536
"""Octets in which the header of a file without a row is looked for."""
_PIECE: Final = 1 << 18
_ENDS: Final = ("", "-2", "-3")
_PATTERN: Final = re.compile(r"[\\*?\[\]]")
"""What has a meaning of its own in a pattern of find."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """One mail in the quarantine."""

    arrival: Arrival
    """What is known of it. Of a file without a row: what the file itself tells, and an id made of its name and time."""
    path: Path | None
    """None: its file is not there."""
    has_row: bool

    @property
    def is_left_over(self) -> bool:
        """Whether it has left the quarantine already, but for the file: the process died before it could remove it."""
        return self.arrival.place is not Place.QUARANTINE


def list_held(engine: Database, folder: Path) -> list[Held]:
    """Return all that is in the quarantine of a storage folder, the oldest first."""
    files = {plain_name(path.name): path for path in _list_files(folder)}
    rows = arrivals.list_quarantined(engine)
    missing = files.keys() - {one.file for one in rows}
    # The newest of each file: a server may give again what has left the quarantine.
    left = {one.file: one for one in arrivals.find_by_file(engine, sorted(missing))}
    newest = {one.file: one.id for one in rows}
    held = [
        Held(arrival=one, path=files.get(one.file) if newest[one.file] == one.id else None, has_row=True)
        for one in rows
    ]
    held += [Held(arrival=one, path=files[name], has_row=True) for name, one in left.items()]
    for name in missing - left.keys():
        held += [Held(arrival=one, path=files[name], has_row=False) for one in _read(files[name])]
    return sorted(held, key=lambda one: one.arrival.id)


def list_times(engine: Database, folder: Path) -> list[int]:
    """Return when each mail came that `list_held` gives, in milliseconds; no file is read.

    Of a folder that can't be read the rows are counted alone.
    """
    files: dict[str, Path] = {}
    with contextlib.suppress(StorageError):
        files = {plain_name(path.name): path for path in _list_files(folder)}
    rows = arrivals.list_quarantined_files(engine)
    times = [at for _, at in rows]
    for name in files.keys() - {file for file, _ in rows}:
        with contextlib.suppress(OSError):
            times.append(files[name].lstat().st_mtime_ns // 1_000_000)
    return times


def find_held(held: Sequence[Held], text: str) -> list[Held]:
    """Find mails by an id, or the beginning of one or of a file's name; one that fits as a whole is found alone."""
    wanted = text.strip()
    whole = [one for one in held if wanted.lower() == one.arrival.id or wanted == one.arrival.file]
    return whole or [
        one for one in held if one.arrival.id.startswith(wanted.lower()) or one.arrival.file.startswith(wanted)
    ]


def give(engine: Database, held: Held, *, inboxes: Path, user: User, shared: bool, now: int, by: str) -> Path:
    """Put a mail into a user's inbox, durably, and take it out of the quarantine; return its file.

    Whoever else than the one who was to get it finds his own address on top, in Delivered-To.
    Raises StorageError; the mail is in the quarantine then, and maybe in the inbox, where a repetition finds it.
    """
    assert held.path is not None
    with os.fdopen(open_regular(held.path), "rb") as stream, Maildir(inboxes, user.name, shared=shared) as inbox:
        name, path = _place_for(inbox, held, stream)
        if path is None:
            with MailFile(inbox) as file:
                if user.name != held.arrival.user:
                    file.write_as_is(f"Delivered-To: {user.address.wire}\n".encode())
                while piece := stream.read(_PIECE):
                    file.write_as_is(piece)
                path = file.publish(name)
        inbox.sync()
    arrivals.note_left(engine, held.arrival, given_to=user.name, file=name, at=now, by=by)
    _remove(held.path)
    return path


def delete(engine: Database, held: Held, *, now: int, by: str) -> None:
    """Remove a mail for good. Raises StorageError."""
    if held.path is not None:
        _remove(held.path)
    arrivals.note_left(engine, held.arrival, at=now, by=by)


def read_header(path: Path) -> bytes:
    """Return the header of a mail's file, each line with CRLF, without what it may have beyond 64 KiB."""
    with os.fdopen(open_regular(path), "rb") as stream:
        top = stream.read(_HEADER)
    return (top.partition(b"\n\n")[0].rstrip(b"\n") + b"\n").replace(b"\n", b"\r\n")


def _list_files(folder: Path) -> Iterator[Path]:
    for path in list_files(folder / QUARANTINE):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def _read(path: Path) -> list[Arrival]:
    """Tell what a file without a row tells; nothing where it is gone."""
    try:
        found = path.lstat()
        header = read_header(path)
    except (OSError, StorageError):
        return []
    at = found.st_mtime_ns // 1_000_000
    random = hashlib.sha256(os.fsencode(plain_name(path.name))).digest()[:10]
    delivered_to = find_values(header, "delivered-to")
    return [
        Arrival(
            id=make_copy_ids(at, random, 1)[0],
            at=at,
            user="",
            address=delivered_to[0].decode("utf-8", "replace")[:320] if delivered_to else "",
            why="",
            account="",
            uidl="",
            **summarise(header)._asdict(),
            size=found.st_size,
            place=Place.QUARANTINE,
            file=plain_name(path.name),
        )
    ]


def _place_for(inbox: Maildir, held: Held, source: BufferedReader) -> tuple[str, Path | None]:
    """Choose the name that a mail gets in an inbox; return its file there, too, where it stands there already.

    The name of another mail is left alone: ours are made of account and unique id, and a provider may use one again.
    """
    digest = hashlib.file_digest(source, "sha256").hexdigest()[:40]
    names = [name for name in (held.arrival.file, *(f"Q{digest}{end}" for end in _ENDS)) if is_name(name)]
    for name in names:
        path = inbox.find(name)
        if path is None or _holds(path, source):
            source.seek(0)
            return name, path
    raise StorageError(f"inbox {inbox.path}: other files have taken all the names that the mail could get")


def _holds(path: Path, source: BufferedReader) -> bool:
    """Return whether a file is the mail that is read from the quarantine, maybe with another address on top."""
    try:
        stream = os.fdopen(open_regular(path), "rb")
    except StorageError:
        return False
    with stream:
        source.seek(0)
        top, first = stream.readline(_PIECE), source.readline(_PIECE)
        if top != first and top.startswith(b"Delivered-To:"):
            top = stream.readline(_PIECE)
        while top == first and first:
            top, first = stream.read(_PIECE), source.read(_PIECE)
        return top == first


def _remove(path: Path) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        sync(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error


def find_trouble(inboxes: Path, user: str, folder: Path) -> str:
    """Say what keeps mail out of a user's inbox, and the command that mends it; empty where nothing is found.

    `folder`: the storage folder, whose owner runs the service.
    """
    owner = None
    with contextlib.suppress(OSError):
        owner = folder.stat().st_uid
    for path in (inboxes, inboxes / user, *(inboxes / user / name for name in FOLDERS)):
        try:
            found = path.stat() if path == inboxes else path.lstat()
        except FileNotFoundError:
            continue  # it is made where it is missing
        except OSError as error:
            reason = error.strerror or str(error)
            return f"{path}: {reason}. Let the service through: chmod o+x {_quote(path.parent)}"
        if trouble := _look_at(path, found, owner, inboxes):
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
    """Return the command by which root gives away a folder of an inbox, and all in it.

    It reaches each file from its own folder: whoever may write there could put a link in a folder's place meanwhile.
    """
    top = find_top(inboxes)
    find, give = f"find {_quote(top)}", f"-execdir chown -h {name_user(owner)} {{}} +"
    if path == inboxes:
        return f"{find} {give}"
    name = _PATTERN.sub(r"\\\g<0>", str(top / path.relative_to(inboxes)))
    return f"{find} '(' -path {shlex.quote(name)} -o -path {shlex.quote(f'{name}/*')} ')' {give}"


def _quote(path: Path) -> str:
    return shlex.quote(str(path))
