"""`relay status`: is all well, and if not, what is to be done? For people, and for monitoring (Nagios and its kin).

Its exit status is theirs: 0 fine, 1 watch, 2 needs you, 3 can't be told. It reads only, without secrets, lock or
service, and never waits for long.
"""

import signal
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from relay.cli.configuration import config_option, enter, json_option, require_own_hand
from relay.cli.output import print_json, say, show_span, show_time, use_zone
from relay.rules.moments import utc_time

if TYPE_CHECKING:
    from relay.rules.states import Grade
    from relay.settings import Settings
    from relay.storage.engine import Database
    from relay.watching.findings import Finding
    from relay.watching.snapshot import Snapshot

UNKNOWN: Final = 3
LONGEST: Final = 8
"""Seconds after which it gives up: monitoring waits for 10."""
_DATABASE_PATIENCE: Final = 4.0
_CLEAR: Final = "|"


class _MisuseError(click.UsageError):
    """Wrong usage of this command."""

    exit_code = UNKNOWN


class _Plugin(click.Command):
    """A command whose wrong usage is status 3, as monitoring wants it: 2 would say that the mail service is ill."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401 - whatever click passes
        """Parse the command's arguments."""
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise _MisuseError(error.format_message(), error.ctx) from None


@click.command("status", cls=_Plugin)
@config_option
@json_option
@click.option("-v", "--verbose", is_flag=True, help="Show each finding with what to do; on a terminal it does so.")
def command(config: str | None, *, as_json: bool, verbose: bool) -> None:
    """Say in one line whether all is well, or what needs you and why.

    Exit status: 0 fine, 1 watch, 2 needs you, 3 can't be told. The first line is what a plugin of Nagios, Icinga,
    Checkmk or Zabbix shows, with figures behind its bar; docs/monitoring.md has an example of each.
    """
    try:
        with _in_time():
            now, snapshot, findings = _look(config)
    except Exception as error:  # noqa: BLE001 - a traceback would end with 1, which says "watch"
        _unknown(error, as_json=as_json)
    from relay.watching.findings import GRADES, worst

    grade = worst(findings)
    if as_json:
        print_json(_as_json(now, grade, snapshot, findings))
    else:
        say(_first_line(now, grade, snapshot, findings))
        if verbose or sys.stdout.isatty():
            for finding in findings:
                _show(finding)
    sys.exit(GRADES.index(grade))


def _look(config: str | None) -> "tuple[int, Snapshot, Sequence[Finding]]":
    """Take a snapshot and judge it. Raises ConfigurationError, StorageError, OSError, TimeoutError."""
    from relay.settings import find_configuration, load_settings
    from relay.watching.findings import find
    from relay.watching.snapshot import Running
    from relay.watching.taking import ask_service, look_at_files, take_snapshot

    settings = load_settings(find_configuration(config), secrets=False)
    require_own_hand(config, settings)
    use_zone(settings.hours.timezone)
    files = look_at_files(settings)  # what root alone may read
    if settings.folder.exists():
        enter(settings)
    service = ask_service(settings.folder)
    database = _open(settings)
    if database is None and service.running is Running.YES:
        database = _open(settings)  # it was just about to be made
        if database is None:
            _require_file(settings)
    now = time.time_ns() // 1_000_000
    try:
        snapshot = take_snapshot(settings, database, now=now, service=service, files=files)
    finally:
        if database is not None:
            database.dispose()
    return now, snapshot, find(snapshot, now)


def _require_file(settings: "Settings") -> None:
    """Raise StorageError where the service works in a file that somebody has deleted: all would seem to be well."""
    from relay.model.errors import StorageError
    from relay.storage.engine import file_of, open_engine
    from relay.storage.version import GONE

    if (file := file_of(open_engine(settings.database, create=False))) is not None:
        raise StorageError(f"{file}: {GONE}")


def _open(settings: "Settings") -> "Database | None":
    """Open the database; None where no service has made one yet. Raises StorageError."""
    from relay.storage.backup import follow_links
    from relay.storage.engine import file_of, open_engine, transaction
    from relay.storage.version import require_database, schema_of

    prepared = settings.prepared_statements
    database = open_engine(settings.database, create=False, prepared_statements=prepared, patience=_DATABASE_PATIENCE)
    if (file := file_of(database)) is not None and not follow_links(file).exists():
        return None
    with transaction(database, write=False) as tx:
        found = schema_of(tx)
    if found is None:
        database.dispose()
        return None
    require_database(database)
    return database


@contextmanager
def _in_time() -> Generator[None]:
    """Raise TimeoutError after `LONGEST` seconds, whatever it hangs at."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"no answer within {LONGEST} s: the disk or the database hangs")

    before = signal.signal(signal.SIGALRM, end)
    timer = signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)


def _unknown(error: Exception, *, as_json: bool) -> NoReturn:
    """End with status 3 and the reason on standard output, where monitoring looks for it."""
    from relay.model.errors import RelayError
    from relay.settings import ConfigurationError

    if isinstance(error, ConfigurationError):
        reasons = list(error.errors)
    elif isinstance(error, OSError) and error.filename:
        reasons = [f"{error.filename}: {error.strerror}"]
    elif isinstance(error, (RelayError, OSError)):
        reasons = [str(error)]
    else:
        reasons = [f"a fault inside of the relay: {type(error).__name__}"]
    if as_json:
        print_json({"grade": "unknown", "reasons": reasons})
    else:
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        say(f"can't be told: {_plain(reasons[0])}{more}")
        for reason in reasons[1:]:
            say(reason)
    sys.exit(UNKNOWN)


def _first_line(now: int, grade: "Grade", snapshot: "Snapshot", findings: "Sequence[Finding]") -> str:
    if findings:
        worst = findings[0]
        about = [f"{label.lower()}: {value}" for label, value in _words(worst).facts]
        more = f" - and {len(findings) - 1} more" if len(findings) > 1 else ""
        text = _words(worst).title + (f" ({'; '.join(about)})" if about else "") + more
    else:
        waiting = snapshot.waiting
        text = f"{waiting} {'mail waits' if waiting == 1 else 'mails wait'}"
        if snapshot.oldest is not None:
            text += f", the oldest for {show_span(now - snapshot.oldest)}"
    return f"{grade}: {_plain(text)} {_CLEAR} {_figures(now, snapshot)}"


def _plain(text: str) -> str:
    """Keep the bar, behind which figures stand, out of a text."""
    return text.replace(_CLEAR, "/").replace("\n", " ")


def _figures(now: int, snapshot: "Snapshot") -> str:
    """Write what monitoring draws (`label=value[unit];warn;crit;min`): thresholds where there are some."""
    oldest = 0 if snapshot.oldest is None else max(0, now - snapshot.oldest) // 1000
    figures = [
        f"waiting={snapshot.waiting};;;0",
        f"oldest={oldest}s;;;0",
        f"held={snapshot.held};;0;0",
        f"quarantined={snapshot.quarantined};;0;0",
    ]
    if snapshot.disk_free is not None:
        from relay.watching.findings import disk_limits

        watch, needs = disk_limits(snapshot)
        figures.append(f"disk_free={snapshot.disk_free}B;{watch}:;{needs}:;0")
    return " ".join(figures)


def _show(finding: "Finding") -> None:
    words = _words(finding)
    say()
    say(f"{finding.grade}: {_plain(words.title)}")
    for label, value in words.facts:
        say(f"  {label}: {_plain(value)}")
    say(f"  {_plain(words.what)}")
    say(f"  What to do: {_plain(words.action)}")


def _words(finding: "Finding") -> Any:  # noqa: ANN401 - its type is imported when it is used
    from relay.watching.texts import describe

    return describe(finding, "en", show_time)


def _as_json(now: int, grade: "Grade", snapshot: "Snapshot", findings: "Sequence[Finding]") -> dict[str, Any]:
    return {
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
                "name": account.name,
                "waiting": account.queue.waiting,
                "active": account.queue.active,
                "held": account.queue.held,
                "oldest": utc_time(account.queue.oldest),
                "paused_since": None if account.pause is None else utc_time(account.pause.since),
                "last_poll": None if account.mailbox is None else utc_time(account.mailbox.last_ok),
            }
            for account in snapshot.accounts
        ],
        "findings": [
            {
                "kind": str(finding.kind),
                "subject": finding.subject,
                "grade": finding.grade.name.lower(),
                "since": utc_time(finding.since),
                "mails": finding.mails,
                "detail": finding.detail,
                "title": _words(finding).title,
                "what": _words(finding).what,
                "action": _words(finding).action,
            }
            for finding in findings
        ],
    }
