"""Is all well, and if not, what is to be done? The running service is asked; a command can look without it."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from relay.admin.entering import enter, find_database
from relay.admin.requests import ShowStatus, Told
from relay.admin.room import Room
from relay.admin.words import show_moment, show_span
from relay.model.errors import StorageError
from relay.rules.moments import utc_time
from relay.settings import Settings
from relay.storage.backup import follow_links
from relay.storage.engine import Database, open_engine
from relay.storage.lock import database_name
from relay.storage.upgrade import GONE
from relay.watching.asking import Running, Service, ask_service
from relay.watching.findings import GRADES, disk_limits, find, worst
from relay.watching.snapshot import Snapshot, look_at_files, take_snapshot
from relay.watching.texts import Description, describe

_DATABASE_PATIENCE: Final = 4.0
"""Seconds for a database that somebody else has locked: monitoring waits for 10."""
_CLEAR: Final = "|"


def status(room: Room, request: ShowStatus) -> Iterator[Told]:
    """Tell how things stand, as the running service. Raises StorageError."""
    _require_file(room.database)
    files = look_at_files(room.settings, digest=request.digest)
    service = Service(running=Running.YES, digest=room.settings.digest)
    snapshot = take_snapshot(room.settings, room.database, now=room.now, service=service, files=files)
    yield _tell(room.settings, snapshot, room.now)


def look(settings: Settings, now: int, *, silence: str = "") -> Told:
    """Tell how things stand without the service, whose `silence` has a reason where it is known to run.

    It reads only, without secrets or lock. `now` in milliseconds since 1970. Raises StorageError and OSError.
    """
    files = look_at_files(settings)  # what root alone may read
    if settings.folder.exists():
        enter(settings)
    service = Service(running=Running.SILENT, silence=silence) if silence else ask_service(settings.folder)
    database = find_database(settings, patience=_DATABASE_PATIENCE)
    if database is None and service.running is Running.YES:
        database = find_database(settings, patience=_DATABASE_PATIENCE)  # it was just about to be made
        if database is None:
            _require_file(open_engine(settings.database, create=False))
    try:
        return _tell(settings, take_snapshot(settings, database, now=now, service=service, files=files), now)
    finally:
        if database is not None:
            database.dispose()


def _require_file(database: Database) -> None:
    """Raise StorageError where the service works in a file that somebody has deleted: all would seem to be well."""
    if (file := database_name(database.url)) is not None and not follow_links(file).exists():
        raise StorageError(f"{file}: {GONE}")


def _tell(settings: Settings, snapshot: Snapshot, now: int) -> Told:
    findings = find(snapshot, now)
    show = partial(show_moment, zone=settings.hours.timezone)
    told = [(finding, describe(finding, "en", show)) for finding in findings]
    grade, first = worst(findings), _first(now, snapshot, [words for _, words in told])
    status = {
        "grade": grade.name.lower(),
        "at": utc_time(now),
        "running": str(snapshot.running),
        "waiting": snapshot.waiting,
        "active": snapshot.active,
        "held": snapshot.held,
        "oldest": utc_time(snapshot.oldest),
        "quarantined": snapshot.quarantined,
        "disk_free": snapshot.disk_free,
        "backup": None if snapshot.backup is None else utc_time(snapshot.backup.at),
        "accounts": [
            {
                "name": one.account.name,
                "waiting": one.queue.waiting,
                "active": one.queue.active,
                "held": one.queue.held,
                "oldest": utc_time(one.queue.oldest),
                "paused_since": None if one.pause is None else utc_time(one.pause.since),
                "last_poll": None if one.mailbox is None else utc_time(one.mailbox.last_ok),
            }
            for one in snapshot.accounts
        ],
        "findings": [
            {
                "kind": str(finding.kind),
                "subject": finding.subject,
                "grade": finding.grade.name.lower(),
                "since": utc_time(finding.since),
                "mails": finding.mails,
                "detail": finding.detail,
                "title": words.title,
                "what": words.what,
                "action": words.action,
            }
            for finding, words in told
        ],
    }
    more = []
    for finding, words in told:
        more += ["", f"{finding.grade}: {_plain(words.title)}"]
        more += [f"  {label}: {_plain(value)}" for label, value in words.facts]
        more += [f"  {_plain(words.what)}", f"  What to do: {_plain(words.action)}"]
    line = f"{grade}: {_plain(first)} {_CLEAR} {_figures(now, snapshot)}"
    return Told(json=(status,), lines=(line, *more), exit_status=GRADES.index(grade))


def _first(now: int, snapshot: Snapshot, findings: Sequence[Description]) -> str:
    if findings:
        about = "; ".join(f"{label.lower()}: {value}" for label, value in findings[0].facts)
        more = f" - and {len(findings) - 1} more" if len(findings) > 1 else ""
        return findings[0].title + (f" ({about})" if about else "") + more
    text = f"{snapshot.waiting} {'mail waits' if snapshot.waiting == 1 else 'mails wait'}"
    return text if snapshot.oldest is None else f"{text}, the oldest for {show_span(now - snapshot.oldest)}"


def _plain(text: str) -> str:
    """Keep the bar, behind which figures stand, out of a text."""
    return text.replace(_CLEAR, "/").replace("\n", " ")


def _figures(now: int, snapshot: Snapshot) -> str:
    """Write what monitoring draws (`label=value[unit];warn;crit;min`): thresholds where there are some."""
    oldest = 0 if snapshot.oldest is None else max(0, now - snapshot.oldest) // 1000
    figures = [
        f"waiting={snapshot.waiting};;;0",
        f"oldest={oldest}s;;;0",
        f"held={snapshot.held};;0;0",
        f"quarantined={snapshot.quarantined};;0;0",
    ]
    if snapshot.disk_free is not None:
        watch, needs = disk_limits(snapshot)
        figures.append(f"disk_free={snapshot.disk_free}B;{watch}:;{needs}:;0")
    return " ".join(figures)
