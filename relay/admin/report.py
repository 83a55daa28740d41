"""`relay report`: what somebody needs to know who helps from afar, without a secret, an address, a subject or a mail.

Guarantee: of the configuration no comment and no value of a secret is taken; of an event no field that may hold a
subject or a piece of a mail. In all the rest, addresses become hashes, and each secret and each subject that is known
here goes, whoever repeats it.
"""

import email.parser  # noqa: F401 - importlib.metadata imports it late, when it may be out of reach
import importlib.metadata
import json
import os
import platform
import secrets
import sqlite3
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from relay import __version__
from relay.admin.entering import find_database
from relay.admin.requests import Json, Told
from relay.admin.status import look
from relay.model.errors import RelayError
from relay.model.state import State
from relay.places import is_the_services_own
from relay.rules.moments import utc_time
from relay.rules.redaction import HIDDEN, Redactor
from relay.rules.url_secrets import find_url_secrets, shorten_url
from relay.settings import Settings
from relay.settings.blanking import blank_secrets, is_secret
from relay.storage.listing import MailFilter, list_mails
from relay.storage.syncing import open_plain

EVENTS: Final = 500
_TAIL: Final = 2 << 20
"""Octets at the end of the log that are read."""
_PATIENCE: Final = 20.0
"""Seconds for the journal."""
_SUBJECTS: Final = 2000
"""Mails whose subjects are looked for, the newest."""
_DROPPED: Final = ("subject", "exception")
"""Fields of events that may hold a subject, or what a mail says."""
_LIKE_A_SECRET: Final = ("passw", "pwd", "secret", "token", "credential")
_HARMLESS: Final = ("_file", "_env", "_expires")
"""Ends of keys that only say where a secret is, or until when."""
_LONGEST_SECRET: Final = 64 * 1024
"""Octets of a file that are read."""
_BY_HAND: Final = (
    'as root "journalctl -u relay" shows it, if the unit runs the service; else it is where `relay serve` was started'
)
_LIBRARIES: Final = ("aiosmtpd", "aiosmtplib", "sqlalchemy", "structlog", "pydantic", "click", "uvloop", "cryptography")


def read_journal(settings: Settings) -> bytes | None:
    """Return the end of what systemd's journal has of the service; None where that is not its log, or can't be read.

    The unit knows one configuration: another one's service has another log. Root reads it before it becomes somebody
    else.
    """
    if settings.log.file is not None or not is_the_services_own(settings.path):
        return None
    command = ["journalctl", "--unit=relay", "--output=cat", "--no-pager", "--quiet", f"--lines={2 * EVENTS}"]
    try:
        done = subprocess.run(  # noqa: S603 - always the same
            command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=_PATIENCE
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout[-_TAIL:]


def gather(
    settings: Settings,
    written: bytes,
    *,
    now: int,
    journal: bytes | None = None,
    tests: Iterable[Json] | None = None,
) -> Json:
    """Put the report together, with whatever fails in it as a text.

    `written`: what the configuration's file holds, which root alone may be able to read; so is `journal`. `tests`: the
    steps of the account doctor, if it was asked for. The caller has become the owner of the storage folder before.
    """
    document = _parse(written)
    database_says, subjects = _read_subjects(settings)
    redactor = Redactor(secrets.token_bytes(16), private=[*_find_secrets(document, settings.path.parent), *subjects])
    events, log_says = _read_events(settings.log.file, journal)
    return redactor.clean(
        {
            "at": utc_time(now),
            "versions": _versions(),
            "configuration": _without_secrets(written),
            "status": _status(settings, now),
            "database": database_says,
            "tests": None if tests is None else list(tests),
            "log": log_says,
            "events": events,
        }
    )


def _versions() -> dict[str, str]:
    return {
        "relay": __version__,
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "openssl": ssl.OPENSSL_VERSION,
        "sqlite": sqlite3.sqlite_version,
        **{name: _version(name) for name in _LIBRARIES},
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, OSError):
        return "not known"


def _parse(content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except ValueError:
        return {}


def _without_secrets(content: bytes) -> Json:
    """Return the configuration as JSON: its comments may hold anything, so that they stay here."""
    try:
        return _blank(_parse(blank_secrets(content).content))
    except ValueError as error:
        return str(error)


def _blank(value: Any) -> Any:  # noqa: ANN401 - a TOML value
    """Blank what only looks as if it were a secret, too: a key that is mistyped is none that is known.

    Of a URL, such as the database's, scheme, host and path remain.
    """
    if isinstance(value, dict):
        return {key: HIDDEN if _seems_secret(key) else _blank(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_blank(one) for one in value]
    if isinstance(value, str):
        return shorten_url(value)
    return value if isinstance(value, int | float | bool) else str(value)


def _seems_secret(key: str) -> bool:
    like = any(word in key.lower() for word in _LIKE_A_SECRET)
    return is_secret(key) or (like and not key.endswith(_HARMLESS))


def _find_secrets(value: Any, folder: Path, key: str = "") -> Iterator[str]:  # noqa: ANN401 - a TOML value
    """Yield the texts that are secrets, or those of a URL, to be looked for where they should not be.

    What a file or a variable holds is one where it can be read; relative files are beside the configuration, in
    `folder`. Of a command none is, and it is not run.
    """
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _find_secrets(one, folder, name)
    elif isinstance(value, list):
        for one in value:
            yield from _find_secrets(one, folder, "" if isinstance(one, str) else key)
    elif isinstance(value, str):
        yield from find_url_secrets(value)
        if _seems_secret(key):
            yield value
        elif is_secret(key.removesuffix("_file").removesuffix("_env")):
            yield from _look_up(value, folder, key)


def _look_up(name: str, folder: Path, key: str) -> Iterator[str]:
    """Yield the secret of a file or a variable: the first line, as the service takes it."""
    try:
        if key.endswith("_env"):
            content = os.environ.get(name, "")
        else:
            with open(open_plain(folder / name, links=True), "rb") as stream:  # noqa: PTH123 - it is open
                content = stream.read(_LONGEST_SECRET).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):  # the service can't read it either, or it is root's alone
        return
    yield from filter(None, map(str.strip, content.splitlines()[:1]))


def _read_subjects(settings: Settings) -> tuple[str, list[str]]:
    """Return whether the database could be read, and the subjects of the newest mails."""
    try:
        database = find_database(settings)
        if database is None:
            return "none yet", []
        try:
            mails = list_mails(database, MailFilter(states=tuple(State)), limit=_SUBJECTS)
        finally:
            database.dispose()
    except (RelayError, OSError) as error:
        return str(error), []
    return "can be read", [mail.subject for mail in mails]


def _status(settings: Settings, now: int) -> Json:
    try:
        told: Told = look(settings, now)
    except (RelayError, OSError) as error:
        return str(error)
    return told.json[0]


def _read_events(file: Path | None, journal: bytes | None) -> tuple[list[Json], str]:
    """Return the last events of a log, and where it is, or why it can't be read."""
    if file is None:
        if journal is None:
            return [], f"standard output, and the journal of systemd can't be read here: {_BY_HAND}"
        events = _events(journal)
        none = "" if events else "; it has no event: the service has not run yet, or its log is not JSON"
        return events, f"standard output: journalctl -u relay{none}"
    try:
        with open(open_plain(file, links=True), "rb") as stream:  # noqa: PTH123 - it is open
            begin = max(0, stream.seek(0, 2) - _TAIL)
            stream.seek(begin)
            events = _events(stream.read(_TAIL))
            none = "" if events else ": has no event yet, or is not JSON ([log] format)"
            return events, f"{file}{none}"
    except FileNotFoundError:
        return [], f"{file}: is not there yet: the service makes it when it starts"
    except OSError as error:
        return [], f"{file}: {error.strerror}"


def _events(log: bytes) -> list[Json]:
    """Return the last events; what is no event, as the lines of a log for people, may hold anything and is left out."""
    events: list[Json] = []
    for line in reversed(log.splitlines()):
        if len(events) == EVENTS:
            break
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            events.append({key: one for key, one in event.items() if key not in _DROPPED})
    return events[::-1]


def write(report: Json) -> bytes:
    """Write a report as a text that one can look through before it is sent."""
    return json.dumps(report, indent=1, ensure_ascii=True).encode() + b"\n"


def store(file: Path, descriptor: int, report: Json) -> None:
    """Write a report into a file that is open. Raises OSError, which names it."""
    with open(descriptor, "wb", closefd=True) as stream:
        try:
            stream.write(write(report))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(file)) from None
