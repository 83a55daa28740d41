"""Builds settings from validated tables: with defaults, absolute paths, times in milliseconds, sources of secrets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relay.model.account import Account, Device, Directory, Pop3Server, Secret, Security, SmtpServer, User
from relay.model.policy import ArchivePolicy, RetryPolicy
from relay.rules.hours import parse_hours
from relay.settings.database import resolve_database
from relay.settings.schema import Document
from relay.settings.values import BackupSettings, Limits, Listener, LogSettings, Settings

_SMTP_PORTS = {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}
_POP3_PORTS = {Security.TLS: 995, Security.STARTTLS: 110, Security.NONE: 110}
_FILES = ("certificate", "private_key")
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
        listeners=tuple(Listener(**_absolute(one, folder, *_FILES)) for one in document.get("listener", ()))
        or (Listener(),),
        directory=directory,
        archive=ArchivePolicy(**document.get("archive", {})),
        hours=parse_hours(schedule.get("active", ("Mon-Sun 00:00-24:00",)), schedule.get("timezone", "Europe/Berlin")),
        retry=RetryPolicy(**document.get("retry", {})),
        limits=Limits(**document.get("limits", {})),
        log=LogSettings(**_absolute(document.get("log", {}), folder, "file")),
        backup=BackupSettings(**_absolute(document["backup"], folder, "folder")) if "backup" in document else None,
    )


def _account(table: Mapping[str, Any], folder: Path) -> Account:
    given: dict[str, Any] = {**table}
    if "smtp" in table:
        given["smtp"] = SmtpServer(**_login(table["smtp"], Security.STARTTLS, _SMTP_PORTS, folder))
    if "pop3" in table:
        given["pop3"] = Pop3Server(**_login(table["pop3"], Security.TLS, _POP3_PORTS, folder))
    return Account(**given)


def _login(table: Mapping[str, Any], security: Security, ports: dict[Security, int], folder: Path) -> dict[str, Any]:
    """Return a server's keys, with absolute paths, and one `Secret` in place of the four password keys."""
    given: dict[str, Any] = {**table, **{key: str(folder / table[key]) for key in _LOGIN_FILES if key in table}}
    security = given.setdefault("security", security)
    given.setdefault("port", ports[security])
    secret = Secret(**{field: given.pop(key, None) for field, key in _SOURCES.items()})
    return {**given, "password": secret}


def _absolute(table: Mapping[str, Any], folder: Path, *keys: str) -> dict[str, Any]:
    """Return a table in which the paths of these keys are absolute."""
    return {key: folder / value if key in keys else value for key, value in table.items()}
