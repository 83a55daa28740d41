"""Whether a service runs, as its socket says: a command that asks only this loads nothing of the database."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from relay.control.client import ControlError, ask

PATIENCE: Final = 2.0
"""Seconds within which a service tells how it does: it is asked for nothing that takes time."""


class Running(StrEnum):
    """What the control socket says of the service."""

    YES = "yes"
    NO = "no"
    SILENT = "silent"
    """Something holds the socket, and gives no answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """What the service says of itself."""

    running: Running
    silence: str = ""
    digest: str = ""
    """Of the configuration that is in force; empty where it is not known."""


def ask_service(folder: Path) -> Service:
    """Ask the service of a storage folder how it does."""
    try:
        answer = ask(folder, "status", patience=PATIENCE)
    except ControlError as error:
        return Service(running=Running.SILENT, silence=str(error))
    if answer is None:
        return Service(running=Running.NO)
    return Service(running=Running.YES, digest=str(answer.get("configuration", "")))
