"""What the service's user can't use of what the configuration names, by rights or by the unit, and what mends it."""

import os
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from relay.model.account import Account
from relay.settings import Settings
from relay.settings.advice import let_read
from relay.settings.backup_folder import drop_in, give
from relay.settings.login_sources import is_gone
from relay.storage.lock import database_file
from relay.storage.owner import Owner, find_owner, find_shut

_PROPERTIES: Final = ("LoadState", "ProtectSystem", "ProtectHome", "ReadWritePaths", "StateDirectory")
_PATIENCE: Final = 5.0
HOMES: Final = ("/home", "/root", "/run/user")
"""What ProtectHome=yes shuts."""
UNITS = (Path("/etc/systemd/system/relay.service"), Path("/usr/lib/systemd/system/relay.service"))
DROP_INS = Path("/etc/systemd/system/relay.service.d")
FOLDER_OF_UNIT = "/var/lib/relay"
"""The unit's StateDirectory=."""
LOGS_OF_UNIT = "/var/log/relay"
"""The unit's LogsDirectory=."""


def find_backup_trouble(settings: Settings) -> list[str]:
    """Give what keeps the service from the folder of its backups, a line each; for root, who is kept from nothing.

    Raises StorageError as `find_owner` does.
    """
    backup, owner = settings.backup, find_owner(settings.folder)
    if backup is None or owner is None or not backup.folder.is_dir():
        return []
    place = f"{settings.path.name}: backup.folder: {backup.folder}"
    who = str(owner) if owner.has_name else str(owner.uid)
    lines = []
    for shut in find_shut(owner, [(backup.folder, os.R_OK | os.W_OK | os.X_OK)]).values():
        advice = give(backup.folder, who) if shut == backup.folder else f"chmod o+x {shut}"
        lines.append(f"{place}: {owner}, who runs the service, can't write it: {advice}")
    unit = _ask_systemd()
    if unit and not is_open_to(unit, backup.folder, settings.folder):
        advice = drop_in(backup.folder)
        if unit.get("ProtectHome") == "yes" and is_below(backup.folder, HOMES):
            advice = "name another place: the unit shuts the homes of people to it"
        lines.append(f"{place}: the systemd unit does not let the service write there: {advice}")
    return lines


def is_open_to(unit: dict[str, str], folder: Path, storage: Path) -> bool:
    """Tell whether a unit with these properties may write in a folder."""
    if unit.get("ProtectHome") == "yes" and is_below(folder, HOMES):
        return False
    if unit.get("ProtectSystem") != "strict":
        return True
    paths = [path.lstrip("-+") for path in words_of(unit.get("ReadWritePaths", ""))]
    paths += [f"/var/lib/{name}" for name in words_of(unit.get("StateDirectory", ""))]
    return is_below(folder, paths) or (is_below(storage, paths) and is_below(folder, [str(storage)]))


def is_below(folder: Path, paths: Iterable[str | Path]) -> bool:
    """Tell whether a path is one of these or below one, links followed."""
    whole = Path(os.path.realpath(folder))
    return any(whole.is_relative_to(os.path.realpath(path)) for path in paths)


def words_of(text: str) -> list[str]:
    """Split the value of a setting as systemd does; at spaces alone where a quote is not closed."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _ask_systemd() -> dict[str, str]:
    """Give the properties of the unit as it is loaded; nothing where there is none, or no systemd."""
    program = shutil.which("systemctl")
    if program is None:
        return {}
    command = [program, "show", "relay.service", f"--property={','.join(_PROPERTIES)}"]
    try:
        said = subprocess.run(  # noqa: S603 - the system's own program, by its whole path
            command, capture_output=True, text=True, errors="replace", check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found = dict(line.split("=", 1) for line in said.stdout.splitlines() if "=" in line)
    return found if said.returncode == 0 and found.get("LoadState") == "loaded" else {}


def warn_of_owner(settings: Settings) -> Settings:
    """Add a warning for each file that root can read, and the user whom the service becomes can't use.

    The service reads these again while it runs, without root's rights. Raises StorageError as `find_owner` does.
    """
    owner = find_owner(settings.folder)
    if owner is None:
        return settings
    reasons = {path: why for path, (why, _) in _files_to_read(settings).items()}
    warnings = [
        f"{settings.path.name}: {path}: {_name(owner)}, whom the service becomes, can't {verb} it:"
        f" {reasons.get(path, 'nothing can be logged there')}. Let him {verb} it: {advice}"
        for path, verb, advice in _find_shut(settings, owner)
    ]
    return replace(settings, warnings=(*settings.warnings, *warnings))


def find_unusable(settings: Settings) -> tuple[list[str], list[str]]:
    """Give what keeps a service from its start that its own user starts, not root; and what may do so.

    The unit config/relay.service runs as the user who owns the storage folder, and lets him write there and
    in its folder for logs only. Empty where another user than root asks. Raises StorageError as `find_owner` does.
    """
    owner = find_owner(settings.folder)
    if owner is None:
        return [], []
    log = settings.log.file
    outside = "" if log is None else _why_outside(settings.folder, log)
    at_home = _find_at_home(settings)
    mistakes = [
        f"{settings.path.name}: {path}: the unit relay.service shuts the homes of people to the service, which will not"
        " start: put the file elsewhere, such as into /etc/relay/secrets, and name that"
        for path in at_home
    ]
    for path, verb, advice in _find_shut(settings, owner):
        if path in at_home:  # to open a home would help nobody
            continue
        line = (
            f"{settings.path.name}: {path}: {_name(owner)}, who owns the storage folder and runs the service,"
            f" can't {verb} it: the service will not start. Let him {verb} it: {advice}"
        )
        if path == log and outside:
            line, outside = f"{line}. Besides, {outside}", ""
        mistakes.append(line)
    warnings = [f"{settings.path.name}: log.file: {log}: {outside}"] if outside else []
    return mistakes, [*warnings, *_find_far_folders(settings)]


def _find_at_home(settings: Settings) -> list[Path]:
    """Give the files that an installed unit can't reach, whatever their rights; a file at home is tried by hand."""
    if not any(unit.exists() for unit in UNITS) or is_below(settings.path, HOMES):
        return []
    return [path for path in _files_to_read(settings) if is_below(path, HOMES)]


def _find_far_folders(settings: Settings) -> list[str]:
    """Give what an installed unit does not let the service write in, of the folders that it must."""
    if not any(unit.exists() for unit in UNITS):
        return []
    allowed = [FOLDER_OF_UNIT, *_opened()]
    database = database_file(settings.database)
    folders = {"storage.folder": settings.folder, "storage.inboxes": settings.inboxes}
    folders |= {} if database is None else {"storage.database": database.parent}
    lines = []
    for key, folder in folders.items():
        if not is_below(folder, allowed):
            allowed.append(str(folder))
            lines.append(
                f"{settings.path.name}: {key}: {folder}: the unit relay.service lets the service write in"
                f" {FOLDER_OF_UNIT} only: {drop_in(Path(os.path.realpath(folder)))}"
            )
    return lines


def _opened() -> list[str]:
    """Give the folders that drop-ins of the unit open."""
    found: list[str] = []
    for path in DROP_INS.glob("*.conf"):
        for line in path.read_text(errors="replace").splitlines():
            key, _, value = line.partition("=")
            if key.strip() in ("ReadWritePaths", "StateDirectory"):
                found += [word.lstrip("-+").replace("%%", "%") for word in words_of(value)]
    return [word for word in found if word.startswith("/")]


def _why_outside(folder: Path, log: Path) -> str:
    if is_below(log, (folder, LOGS_OF_UNIT, "/dev")):
        return ""
    return (
        f"the unit config/relay.service lets the service write in its storage folder and {LOGS_OF_UNIT} only: where it"
        f' runs the service, log there ([log] file = "{LOGS_OF_UNIT}/{log.name}"), or add'
        f" ReadWritePaths={shlex.quote(f'-{log.parent}')} to its [Service]"
    )


def _find_shut(settings: Settings, owner: Owner) -> Iterator[tuple[Path, str, str]]:
    """Yield each file that the owner can't use, the verb of what he can't do with it, and the commands that mend it."""
    log = settings.log.file
    # One by which an account logs in may be gone, which no right mends.
    lost = {one.path for one in settings.login_sources if one.path is not None and is_gone(one.path)}
    read = {path: why for path, why in _files_to_read(settings).items() if path not in lost}
    files = [(path, os.R_OK) for path in read] + ([] if log is None else [(log, os.W_OK)])
    for path, shut in find_shut(owner, files).items():
        if path == log:
            yield path, "write", _let_write(path, shut, owner)
        else:
            yield path, "read", _let_read(path, shut, owner, public=read[path][1])


def _let_read(path: Path, shut: Path, owner: Owner, *, public: bool) -> str:
    """Give the commands. A secret is never opened to others: a folder that is shut may be all that keeps them out."""
    file = f"chmod o+r {shlex.quote(str(path))}" if public else let_read(path, owner.uid, owner.gid)
    if shut == path:
        return file
    folder = f"chmod o+x {shlex.quote(str(shut))}"
    return folder if public and path.stat().st_mode & stat.S_IROTH else f"{folder} && {file}"


def _let_write(path: Path, shut: Path, owner: Owner) -> str:
    if shut != path:
        return f"chmod o+x {shlex.quote(str(shut))}, then look again"
    who, file = str(owner) if owner.has_name else owner.uid, shlex.quote(str(path))
    return f"chown {who} {file}" if os.path.lexists(path) else f"install -o {who} -m 0640 /dev/null {file}"


def _name(owner: Owner) -> str:
    return f"uid {owner.uid}" + (f" ({owner})" if owner.has_name else "")


def _files_to_read(settings: Settings) -> dict[Path, tuple[str, bool]]:
    """Give the files that a running service reads, each with what fails without it, and whether it holds no secret."""
    files = {settings.path: ("a reload will fail", False)}
    keys = {listener.private_key for listener in settings.listeners}
    for account in settings.directory.accounts:
        for name, is_public in _files_of_login(account):
            if name is not None:
                files.setdefault(Path(name), (f"{account.name} can't log in", is_public))
    for listener in settings.listeners:
        for path in (listener.certificate, listener.private_key):
            if path is not None:
                files.setdefault(path, (f"port {listener.port} can't be opened", path not in keys))
    return files


def _files_of_login(account: Account) -> Iterator[tuple[str | None, bool]]:
    """Give the files that an account's logins need, each with whether it holds no secret."""
    for server in account.servers:
        yield from ((server.password.file, False), (server.ca_file, True))
    if (oauth := account.oauth) is not None:
        yield from ((oauth.client_secret.file, False), (oauth.private_key, False), (oauth.certificate, True))
