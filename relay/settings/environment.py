"""Checks the files, folders and environment variables that the configuration names. No command is run."""

import difflib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from relay.settings.advice import shut_to_others
from relay.settings.backup_folder import check_backup
from relay.settings.blanking import is_blank
from relay.settings.document import SERVER_TABLES, Table
from relay.settings.errors import PLACEHOLDER, Finding, Place, warn
from relay.settings.folders import check_folders, check_sharing, find_mode
from relay.settings.login_sources import STRICT, Lenience, find_command, is_gone, name_empty, name_variable
from relay.settings.secrets import check_password_file

_CREDENTIALS = Path("/run/credentials")
"""Where systemd puts credentials that only the unit can read."""
_CREDENTIALS_ADVICE = (
    f"{_CREDENTIALS} is there only while the unit runs, so commands can't read it: put the password into a file such as"
    " /etc/relay/secrets/NAME (root:relay, 0640), and name that"
)
_SECRET_FILES = {"password_file": "password", "client_secret_file": "client secret"}
"""The keys of files that hold a secret in their first line, and what that is."""
_ALONE = "this account alone can't log in until it is there"
_MOST_NEIGHBOURS = 1000
"""Names in a folder that are compared with the missing one."""


def find_folder(root: Table, file: Path) -> Path:
    """Return the absolute folder that relative paths are relative to: `[storage] folder`, else that of the file."""
    return file.absolute().parent / (root.table("storage").text("folder") or "")


def check_environment(
    root: Table, file: Path, environment: Mapping[str, str], *, secrets: bool, lenience: Lenience = STRICT
) -> Iterator[Finding]:
    """Find what is missing, or can be read by others. `secrets`: check the sources of passwords as well.

    `lenience`: what accounts log in by that may be missing; that is a warning then.
    """
    folder = find_folder(root, file)
    yield from check_folders(root, folder)
    yield from check_sharing(root, folder)
    for listener in root.tables("listener"):
        yield from _check_certificate(listener, folder)
    for account in root.tables("account"):
        for server in map(account.table, SERVER_TABLES):
            yield from _check_authorities(server, folder)
            if secrets:
                yield from _check_account_file(account, server, "password_file", folder, lenience)
                yield from _check_variable(account, server, "password", environment, lenience)
                yield from _check_values(account, server, "password", lenience)
        if secrets:
            yield from _check_oauth(account, folder, environment, lenience)
    yield from check_backup(root, folder, look=secrets)
    yield from _check_eyes(root, file)


def _check_certificate(listener: Table, folder: Path) -> Iterator[Finding]:
    if listener.text("tls") in ("starttls", "implicit"):
        findings = [
            *_check_file(listener, "certificate", folder),
            *_check_file(listener, "private_key", folder, private=True),
        ]
        yield from findings
        certificate, key = listener.text("certificate"), listener.text("private_key")
        if certificate and key and all(finding.warning for finding in findings):
            yield from _check_pair(listener.place, folder / certificate, folder / key)
    else:
        for key in ("certificate", "private_key"):
            if listener.has(key):
                reason = 'is not used: tls = "starttls" or "implicit" is missing'
                yield warn((*listener.place, key), reason)


def _check_pair(place: Place, certificate: Path, key: Path) -> Iterator[Finding]:
    import ssl  # noqa: PLC0415 - costs 15 ms, and few configurations need it

    try:
        # The password keeps OpenSSL from asking for one on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError):
        reason = (
            "certificate and private_key must be PEM files that belong together, the key without a password:"
            f" {certificate}, {key}"
        )
        yield Finding(place, reason)


def _check_file(table: Table, key: str, folder: Path, *, private: bool = False) -> Iterator[Finding]:
    name, place = table.text(key), (*table.place, key)
    if not name:
        return
    file = folder / name
    if _lacks_folder(name, folder):
        # Each file in it leads to the same finding, which is shown once.
        yield Finding(("storage", "folder"), f"there is no such folder: make it ({folder}), or mend its name")
        return
    reason = _why_unusable(file) or (check_password_file(file) if key in _SECRET_FILES else None)
    if reason is not None:
        whole = "" if Path(name).is_absolute() else f" ({file})"
        yield Finding(place, f"{reason}{whole}{_advise(file, key)}")
    elif private and isinstance(mode := find_mode(file), int) and mode & stat.S_IROTH:
        reason = f"everybody on this machine can read it: {shut_to_others(file, folder)}"
        yield warn(place, reason)


def _lacks_folder(name: str, folder: Path) -> bool:
    """Return whether a relative name leads nowhere since the whole folder is not there."""
    return not Path(name).is_absolute() and not isinstance(find_mode(folder), int)


def _check_account_file(account: Table, table: Table, key: str, folder: Path, lenience: Lenience) -> Iterator[Finding]:
    """Check a file by which an account logs in; one that may be gone is a warning, with what makes it anew."""
    name = table.text(key)
    if not name or _lacks_folder(name, folder) or not (lenience.covers(str(folder / name)) and is_gone(folder / name)):
        yield from _check_file(table, key, folder, private=key != "certificate")
        return
    file, command = folder / name, find_command(account.content, key) or "put it there"
    advice = f"{_near(file)}{command}" if not file.is_relative_to(_CREDENTIALS) else _CREDENTIALS_ADVICE
    yield warn((*table.place, key), f"there is no such file ({file}): {_ALONE}: {advice}")


def _check_variable(
    account: Table, table: Table, secret: str, environment: Mapping[str, str], lenience: Lenience
) -> Iterator[Finding]:
    """Check the variable that an account's secret is in; one that may be missing is a warning, as a file is."""
    key = f"{secret}_env"
    name = table.text(key)
    if not name or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or environment.get(name):
        return
    # What does not look like a variable's usual name may be the password itself, in the wrong place.
    discreet = re.fullmatch(r"[A-Z_][A-Z0-9_]*", name) is None
    reason, may_miss = "this environment variable is not set", lenience.covers(name_variable(name))
    if may_miss:
        reason = f"{reason}: {_ALONE}: set it in /etc/relay/environment, or: {find_command(account.content, key)}"
    else:
        reason = (
            f"{reason}: the unit reads it from /etc/relay/environment, a command from where it is run; {secret}_file"
            " works for both"
        )
    yield Finding((*table.place, key), reason, discreet=discreet, warning=may_miss)


def _check_values(account: Table, table: Table, secret: str, lenience: Lenience) -> Iterator[Finding]:
    """Find a secret that is empty in the configuration, as a backup without secrets leaves it."""
    for key in (secret, f"{secret}_command"):
        if is_blank(table.content.get(key)):
            may_miss = lenience.covers(name_empty(account, table, key))
            alone = f"{_ALONE}: " if may_miss else ""
            reason = f"is empty, as after a restore without secrets: {alone}{find_command(account.content, key)}"
            yield Finding((*table.place, key), reason, warning=may_miss)


def _advise(file: Path, key: str) -> str:
    """Return what to do about a file that can't be read; empty if its content is wrong."""
    mode = find_mode(file)
    if file.is_relative_to(_CREDENTIALS) and not isinstance(mode, int):
        return f": {_CREDENTIALS_ADVICE}"
    if isinstance(mode, int):
        advice = ": run the command again with sudo before it; `relay check` then tells what lets the service read it"
        return "" if os.access(file, os.R_OK) else advice
    near = _near(file)
    if key in _SECRET_FILES:
        return f": {near}make it, with the {_SECRET_FILES[key]} in its first line, or mend the name"
    if key == "ca_file":
        return f": {near}mend the name, or put the file there; with a public provider leave ca_file away"
    return f": {near}mend the name, or put the file there"


def _near(file: Path) -> str:
    """Suggest a file of nearly the same name in the same folder."""
    try:
        names = [one.name for _, one in zip(range(_MOST_NEIGHBOURS), file.parent.iterdir(), strict=False)]
    except OSError:
        return ""
    near = difflib.get_close_matches(file.name, names, n=1, cutoff=0.8)
    return f"did you mean {json.dumps(near[0], ensure_ascii=False)}? Else " if near else ""


def _check_authorities(server: Table, folder: Path) -> Iterator[Finding]:
    findings = [*_check_file(server, "ca_file", folder)]
    yield from findings
    name = server.text("ca_file")
    if not name or findings:
        return
    import ssl  # noqa: PLC0415 - costs 15 ms, and few configurations need it

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(folder / name)
    except (OSError, ValueError):
        reason = (
            f"holds no certificate ({folder / name}): it must be a PEM file, which begins -----BEGIN CERTIFICATE-----;"
            " with a public provider leave ca_file away"
        )
        yield Finding((*server.place, "ca_file"), reason)


def _why_unusable(file: Path) -> str | None:
    mode = find_mode(file)
    if not isinstance(mode, int):
        return f"can't be read: {mode}"
    if stat.S_ISDIR(mode):
        return "is a folder"
    if not stat.S_ISREG(mode):
        return "is no plain file"
    return None if os.access(file, os.R_OK) else "can't be read: Permission denied"


def _check_oauth(account: Table, folder: Path, environment: Mapping[str, str], lenience: Lenience) -> Iterator[Finding]:
    """Find what is missing of the files and variables that an account proves itself by to get its tokens."""
    table = account.table("oauth")
    yield from _check_account_file(account, table, "client_secret_file", folder, lenience)
    yield from _check_variable(account, table, "client_secret", environment, lenience)
    yield from _check_values(account, table, "client_secret", lenience)
    findings = [
        finding
        for key in ("certificate", "private_key")
        for finding in _check_account_file(account, table, key, folder, lenience)
    ]
    yield from findings
    files = [folder / name for key in ("certificate", "private_key") if (name := table.text(key))]
    whole = len(files) == 2 and not any(map(is_gone, files))
    if whole and all(finding.warning for finding in findings):
        yield from _check_pair(table.place, *files)


def _check_eyes(root: Table, file: Path) -> Iterator[Finding]:
    """Warn of passwords in a configuration that others can read, unless they can't enter its folder."""
    servers = [account.table(kind) for account in root.tables("account") for kind in (*SERVER_TABLES, "oauth")]
    mode, parent = find_mode(file), find_mode(file.absolute().parent)
    if not (isinstance(mode, int) and isinstance(parent, int) and mode & stat.S_IROTH and parent & stat.S_IXOTH):
        return
    for server in servers:
        for key in ("password", "client_secret"):
            if server.text(key) not in (None, "", PLACEHOLDER):
                advice = shut_to_others(file.absolute(), find_folder(root, file))
                reason = f"everybody on this machine can read this file: {advice}, or use {key}_file"
                yield warn((*server.place, key), reason)
