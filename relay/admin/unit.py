"""Whether the systemd unit lets the service write its backups: asked of systemd itself, where it runs."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from relay.settings import Settings
from relay.settings.backup_folder import drop_in, give
from relay.storage.owner import find_owner, find_shut

_PROPERTIES: Final = ("LoadState", "ProtectSystem", "ProtectHome", "ReadWritePaths", "StateDirectory")
_PATIENCE: Final = 5.0
HOMES: Final = ("/home", "/root", "/run/user")
"""What ProtectHome=yes shuts."""


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
