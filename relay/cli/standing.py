"""What commands that list and tell need to know beside the mails: what keeps accounts from sending, and whether a
service runs at all."""  # noqa: D205, D209

import shlex
from typing import TYPE_CHECKING

from relay.cli.output import clean, say, show_time
from relay.rules.states import Standstill

if TYPE_CHECKING:
    from relay.settings import Settings
    from relay.storage.engine import Database


def find_standstill(engine: "Database", settings: "Settings", now: int) -> Standstill:
    """Find what keeps accounts from sending; `now` in milliseconds."""
    from relay.rules.hours import day_of, is_open, next_day, next_open
    from relay.storage import admin

    pauses = admin.list_pauses(engine)
    counts = admin.count_of_day(engine, day_of(settings.hours, now))
    most = {account.name: account.smtp.recipients_per_day for account in settings.directory.accounts if account.smtp}
    return Standstill(
        refused=[pause.account for pause in pauses if not pause.by_person],
        paused=[pause.account for pause in pauses if pause.by_person],
        full={
            name: next_day(settings.hours, now)
            for name, limit in most.items()
            if limit is not None and counts.get(name, 0) >= limit
        },
        closed_until=None if is_open(settings.hours, now) else next_open(settings.hours, now),
        sends=[a.name for a in settings.directory.accounts if a.smtp is not None and not a.excluded],
    )


def find_blocked(engine: "Database", settings: "Settings", now: int) -> dict[str, str]:
    """Say of each account that sends nothing now, whatever is tried, why, and what lets it go on."""
    from relay.storage import admin

    full = find_standstill(engine, settings, now).full
    told = {name: f"has had its recipients of the day: it goes on at {show_time(at)}" for name, at in full.items()}
    for pause in admin.list_pauses(engine):
        told[pause.account] = (
            f"is paused since {show_time(pause.since)} ({clean(pause.reason)}):"
            f" `relay account resume {shlex.quote(pause.account)}` lets it send"
        )
    return told


def tell_if_stopped(settings: "Settings") -> None:
    """Say on standard error that no service runs here, where none does: what is listed then waits for one."""
    from relay.control import ControlError, ask

    try:
        if ask(settings.folder, "status") is not None:
            return
    except ControlError:
        return  # one runs, or this user may not ask
    start = "`systemctl start relay` or `relay serve`"
    if settings.database.startswith("sqlite"):
        text = f"The service is not running ({settings.folder}): nothing is sent or collected until {start} starts it."
    else:
        text = f"No service runs here ({settings.folder}): only other nodes send and collect, until {start} starts it."
    say(text, error=True)
