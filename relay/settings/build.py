"""Builds settings from validated tables: with defaults, absolute paths, times in milliseconds, sources of secrets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relay.model.account import Account, ArchivePolicy, Device, Directory, RetryPolicy, User
from relay.model.oauth import OAuth
from relay.model.secret import Secret
from relay.rules.hours import parse_hours
from relay.settings.database import resolve_database
from relay.settings.document import SERVER_TABLES, Protocol
from relay.settings.schema import Document
from relay.settings.values import BackupSettings, Limits, Listener, LogSettings, Settings

_PATHS = ("certificate", "private_key", "file", "folder")
_LOGIN_FILES = ("ca_file", "password_file")
_OAUTH_FILES = ("client_secret_file", "certificate", "private_key")


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
    if "oauth" in table:
        given["oauth"] = _oauth(table, folder)
    for kind, protocol in SERVER_TABLES.items():
        if kind in table:
            given[kind] = protocol.settings(**_login(table[kind], protocol, folder), oauth=given.get("oauth"))
    return Account(**given)


def _login(table: Mapping[str, Any], protocol: Protocol, folder: Path) -> dict[str, Any]:
    """Return a server's keys, with absolute paths, and one `Secret` in place of the four password keys."""
    given = _with_paths(table, _LOGIN_FILES, folder)
    security = given.setdefault("security", protocol.security)
    given.setdefault("port", protocol.ports[security])
    given["password"] = _secret(given, "password")
    return given


def _oauth(account: Mapping[str, Any], folder: Path) -> OAuth:
    """Return how an account logs in by a token: `user` is its address where nothing else is said."""
    given = _with_paths(account["oauth"], _OAUTH_FILES, folder)
    given["client_secret"] = _secret(given, "client_secret")
    given.setdefault("user", str(account["address"]))
    return OAuth(**given, account=account["name"], protocols=tuple(kind for kind in SERVER_TABLES if kind in account))


def _secret(given: dict[str, Any], key: str) -> Secret:
    """Take the four keys of a secret out of a table, and return their `Secret`."""
    keys = {"value": key, "file": f"{key}_file", "env": f"{key}_env", "command": f"{key}_command"}
    return Secret(**{field: given.pop(name, None) for field, name in keys.items()}, key=key)


def _with_paths(table: Mapping[str, Any], names: tuple[str, ...], folder: Path) -> dict[str, Any]:
    return {**table, **{key: str(folder / table[key]) for key in names if key in table}}


def _absolute(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a table in which paths are absolute."""
    return {key: folder / value if key in _PATHS else value for key, value in table.items()}
