"""The nightly backup."""

from typing import Annotated

from relay.events.event import Event
from relay.events.fields import Folder, Seconds, Size


class BackupFinished(Event):
    """The nightly backup is whole."""

    folder: Folder
    seconds: Seconds
    size: Size
    removed: Annotated[int, "how many older backups were removed"]


class BackupFailed(Event, level="error"):
    """No backup was made: it is tried again an hour later, mail goes on. Look at the disk and the folder's rights."""

    folder: Folder
    reason: Annotated[str, "why not"]


class BackupPostponed(BackupFailed, level="warning"):
    """Another process makes a backup just now: there will be one, and nothing is to be done."""


class BackupIncomplete(Event, level="warning"):
    """The backup is whole but for a file that could not be read, such as one with a password. Keep a copy elsewhere."""

    folder: Folder
    missing: Annotated[str, "the file, and why it could not be read"]


class BackupNotRemoved(Event, level="error"):
    """The backup is whole; older ones could not be removed. Remove them yourself before they fill the disk."""

    folder: Folder
    reason: Annotated[str, "why not"]
