"""The nightly backup."""

from dataclasses import dataclass
from typing import Annotated

from relay.events.event import Event
from relay.events.fields import Folder, Seconds, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFinished(Event):
    """The nightly backup is whole."""

    folder: Folder
    seconds: Seconds
    size: Size
    removed: Annotated[int, "how many older backups were removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFailed(Event, level="error"):
    """No backup was made: it is tried again an hour later, mail goes on. Look at the disk and the folder's rights."""

    folder: Folder
    reason: Annotated[str, "why not"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupPostponed(BackupFailed, level="warning"):
    """Another process makes a backup just now: there will be one, and nothing is to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupIncomplete(Event, level="warning"):
    """The backup is whole but for a file that could not be read, such as one with a password. Keep a copy elsewhere."""

    folder: Folder
    missing: Annotated[str, "the file, and why it could not be read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupNotRemoved(Event, level="error"):
    """The backup is whole; older ones could not be removed. Remove them yourself before they fill the disk."""

    folder: Folder
    reason: Annotated[str, "why not"]
