"""Builds settings from validated tables: with defaults, absolute paths, times in milliseconds, sources of secrets."""

from pathlib import Path
from typing import Any

from relay.model.account import Account, Device, Directory, Pop3Server, Secret, Security, SmtpServer, User
from relay.model.policy import ArchivePolicy, RetryPolicy
from relay.rules.hours import parse_hours
from relay.settings.database import resolve_database
from relay.settings.schema import AccountTable, BackupTable, Document, ListenerTable, LogTable, Pop3Table, SmtpTable
from relay.settings.values import BackupSettings, Limits, Listener, LogSettings, Settings

_SMTP_PORTS = {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}
_POP3_PORTS = {Security.TLS: 995, Security.STARTTLS: 110, Security.NONE: 110}


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
        listeners=tuple(_listener(listener, folder) for listener in document.get("listener", ())) or (Listener(),),
        directory=directory,
        archive=ArchivePolicy(**document.get("archive", {})),
        hours=parse_hours(schedule.get("active", ("Mon-Sun 00:00-24:00",)), schedule.get("timezone", "Europe/Berlin")),
        retry=RetryPolicy(**document.get("retry", {})),
        limits=Limits(**document.get("limits", {})),
        log=_log(document.get("log", {}), folder),
        backup=_backup(document["backup"], folder) if "backup" in document else None,
    )


def _listener(table: ListenerTable, folder: Path) -> Listener:
    given: dict[str, Any] = {**table}
    for key in ("certificate", "private_key"):
        if key in given:
            given[key] = folder / given[key]
    return Listener(**given)


def _account(table: AccountTable, folder: Path) -> Account:
    given: dict[str, Any] = {**table}
    if "smtp" in table:
        given["smtp"] = _smtp(table["smtp"], folder)
    if "pop3" in table:
        given["pop3"] = _pop3(table["pop3"], folder)
    return Account(**given)


def _smtp(table: SmtpTable, folder: Path) -> SmtpServer:
    security = table.get("security", Security.STARTTLS)
    rest: dict[str, Any] = {"security": security, "port": _SMTP_PORTS[security], **_login(table, folder)}
    return SmtpServer(**rest)


def _pop3(table: Pop3Table, folder: Path) -> Pop3Server:
    security = table.get("security", Security.TLS)
    rest: dict[str, Any] = {"security": security, "port": _POP3_PORTS[security], **_login(table, folder)}
    return Pop3Server(**rest)


def _login(table: SmtpTable | Pop3Table, folder: Path) -> dict[str, Any]:
    """Return a server's keys, with absolute paths, and one `Secret` in place of the four password keys."""
    rest: dict[str, Any] = {key: value for key, value in table.items() if not key.startswith("password")}
    if "ca_file" in rest:
        rest["ca_file"] = str(folder / rest["ca_file"])
    file = table.get("password_file")
    rest["password"] = Secret(
        value=table.get("password"),
        file=None if file is None else str(folder / file),
        env=table.get("password_env"),
        command=table.get("password_command"),
    )
    return rest


def _backup(table: BackupTable, folder: Path) -> BackupSettings:
    given: dict[str, Any] = {**table, "folder": folder / table["folder"]}
    return BackupSettings(**given)


def _log(table: LogTable, folder: Path) -> LogSettings:
    given: dict[str, Any] = {**table}
    if "file" in given:
        given["file"] = folder / given["file"]
    return LogSettings(**given)
