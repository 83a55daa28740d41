"""Builds settings from validated tables: with defaults, absolute paths, times in milliseconds, sources of secrets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relay.model.account import Account, ArchivePolicy, Device, Directory, RetryPolicy, Secret, User
from relay.rules.hours import parse_hours
from relay.settings.database import resolve_database
from relay.settings.document import SERVER_TABLES, Protocol
from relay.settings.schema import Document
from relay.settings.values import BackupSettings, Limits, Listener, LogSettings, Settings

_PATHS = ("certificate", "private_key", "file", "folder")
_LOGIN_FILES = ("ca_file", "password_file")
_SOURCES = {"value": "password", "file": "password_file", "env": "password_env", "command": "password_command"}


def build_settings(document: Document, *, path: Path, folder: Path) -> Settings:
    """Build the settings of a document without errors. `folder` is what relative paths are relative to."""
    server, storage = document["server"], document.get("storage", {})
    schedule = document.get("schedule", {})
    directory = Directory(
        users=tuple(User(**user) for user in document["user"]),
        devices=tuple(Device(**device) for device in document.get("device", ())),
        accounts=tuple(_account(account, folder) for account in document.get("account", ())),
        postmaster=server["postmaster"],
    )
    return Settings(
        path=path.absolute(),
        language=document.get("language", "en"),
        hostname=server["hostname"],
        folder=folder,
        database=resolve_database(storage.get("database", "sqlite:///relay.db"), folder),
        inboxes=folder / storage.get("inboxes", "inboxes"),
        group=storage.get("group"),
        lease=storage.get("lease", 60_000),
        prepared_statements=storage.get("prepared_statements", True),
        listeners=tuple(Listener(**_absolute(one, folder)) for one in document.get("listener", ())) or (Listener(),),
        directory=directory,
        archive=ArchivePolicy(**document.get("archive", {})),
        hours=parse_hours(schedule.get("active", ("Mon-Sun 00:00-24:00",)), schedule.get("timezone", "Europe/Berlin")),
        retry=RetryPolicy(**document.get("retry", {})),
        limits=Limits(**document.get("limits", {})),
        log=LogSettings(**_absolute(document.get("log", {}), folder)),
        backup=BackupSettings(**_absolute(document["backup"], folder)) if "backup" in document else None,
    )


def _account(table: Mapping[str, Any], folder: Path) -> Account:
    given: dict[str, Any] = {**table}
    for kind, protocol in SERVER_TABLES.items():
        if kind in table:
            given[kind] = protocol.settings(**_login(table[kind], protocol, folder))
    return Account(**given)


def _login(table: Mapping[str, Any], protocol: Protocol, folder: Path) -> dict[str, Any]:
    """Return a server's keys, with absolute paths, and one `Secret` in place of the four password keys."""
    given: dict[str, Any] = {**table, **{key: str(folder / table[key]) for key in _LOGIN_FILES if key in table}}
    security = given.setdefault("security", protocol.security)
    given.setdefault("port", protocol.ports[security])
    secret = Secret(**{field: given.pop(key, None) for field, key in _SOURCES.items()})
    return {**given, "password": secret}


def _absolute(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a table in which paths are absolute."""
    return {key: folder / value if key in _PATHS else value for key, value in table.items()}
