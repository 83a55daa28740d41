"""What `relay restore` puts back where: found and judged before anything is changed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.admin.words import show_time
from relay.cli.configuration import fail, require_own_hand
from relay.places import name_page

if TYPE_CHECKING:
    from relay.settings import Settings
    from relay.storage.manifest import Entry, Manifest
    from relay.storage.owner import Owner


def configured_folder(config: str | None) -> Path:
    """Give `[backup] folder`, also where secrets must still be put in again; ends the command where there is none."""
    from relay.settings import find_configuration
    from relay.settings.load import read_places

    path = find_configuration(config)
    settings = read_places(path.read_bytes(), path.absolute())
    require_own_hand(config, settings)
    if settings.backup is None:
        raise click.UsageError("name the backup: there is no [backup] folder to look for it in")
    return settings.backup.folder


def find_whole(folder: Path) -> Path:
    """Give the backup that a folder is, or the newest one in it; ends the command where there is none."""
    from relay.storage.manifest import find_backups, is_backup

    if is_backup(folder):
        return folder
    found = find_backups(folder)
    return found[-1] if found else fail(f"{folder}: neither a backup nor a folder with backups (relay-...Z) in it")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is put back where."""

    backup: Path
    manifest: "Manifest"
    path: Path
    """Of the configuration."""
    content: bytes | None
    """The configuration to be written; None: the one that is there stays."""
    replaces: bool
    """Whether one is there that is to be replaced."""
    settings: "Settings"
    database: Path
    owner: "Owner | None"
    other_installation: bool

    @property
    def question(self) -> str:
        """What the person is asked."""
        text = f"Put the state of {show_time(self.manifest.at, None)} ({self.backup}) back into {self.database}"
        if self.replaces:
            newer = self.path.stat().st_mtime * 1000 > self.manifest.at
            text += f", and replace {self.path}" + (", which is newer than the backup" if newer else "")
        return text

    @property
    def files_within(self) -> "Sequence[Entry]":
        """The files that belong into the storage folder."""
        folder = self.settings.folder
        return [
            entry
            for entry in self.manifest.files
            if entry.origin and Path(os.path.normpath(folder / entry.origin)).is_relative_to(os.path.normpath(folder))
        ]


def make_plan(
    config: str | None, backup: Path, manifest: "Manifest", *, configuration: bool, other_installation: bool
) -> Plan:
    """Find what is put back where; ends the command where that can't be."""
    from relay.settings.load import read_places
    from relay.storage.lock import database_file
    from relay.storage.manifest import CONFIGURATION, read_entry
    from relay.storage.named_files import OWN, find_names
    from relay.storage.owner import find_owner, require_same_hand

    path = _find_configuration(config, backup, manifest)
    if path.absolute().parent.resolve() == backup.resolve():
        fail(
            f"{path}: is the backup's own configuration: name the one of the service (-c FILE), or go to another folder"
        )
    present = path.read_bytes() if path.exists() else None
    entry = manifest.find(CONFIGURATION)
    saved = None if entry is None else read_entry(backup, entry)
    wanted = saved if saved is not None and saved != present and (present is None or configuration) else None
    content = present if wanted is None else wanted
    if content is None:
        fail(f"{backup}: has no configuration, and {path} is not there: write that first, then restore again")
    settings = read_places(content, path.absolute())
    if content is present:
        require_own_hand(config, settings)
    database = database_file(settings.database)
    if database is None:
        fail(f"{path}: the database is PostgreSQL: take its copy back with pg_restore ({name_page('backup.md')})")
    if not settings.folder.is_dir() and os.geteuid() == 0:
        fail(
            f"{settings.folder}: there is no such storage folder: install the package, or make it for the user who runs"
            f' the service: "install -d -o relay -g relay -m 0711 {settings.folder}"'
        )
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner, named = find_owner(settings.folder), find_names(content) | {*OWN}
    if wanted is not None:
        require_same_hand(backup / CONFIGURATION, settings.folder, owner)
    return Plan(
        backup=backup,
        # Nobody but the configuration says where a file belongs.
        manifest=replace(manifest, files=tuple(one for one in manifest.files if not one.origin or one.origin in named)),
        path=path,
        content=wanted,
        replaces=wanted is not None and present is not None,
        settings=settings,
        database=database,
        owner=owner,
        other_installation=other_installation,
    )


def _find_configuration(config: str | None, backup: Path, manifest: "Manifest") -> Path:
    """Give where the configuration is, or belongs: where a command looks for it, else where it was."""
    from relay.settings import ConfigurationError, find_configuration
    from relay.storage.manifest import MANIFEST
    from relay.storage.owner import strangers

    try:
        return find_configuration(config)
    except ConfigurationError:
        path = Path(manifest.configuration)
    if os.geteuid() == 0 and any(strangers(backup / MANIFEST)):
        fail(
            f"{backup}: somebody else than root could have written where the configuration was: name the place, -c FILE"
        )
    if not path.parent.is_dir():
        fail(f"{path.parent}: there is no such folder; the configuration was there: make it, or name a place (-c FILE)")
    return path
