"""What keeps accounts from sending, whatever the mail."""

import shlex

from relay.admin.room import Room
from relay.admin.words import show_time
from relay.escaping import printable
from relay.rules.hours import day_of, is_open, next_day, next_open
from relay.rules.states import Standstill
from relay.storage import admin


def find_standstill(room: Room) -> Standstill:
    """Find what keeps accounts from sending."""
    hours, accounts = room.settings.hours, room.settings.directory.accounts
    pauses = admin.list_pauses(room.database)
    return Standstill(
        refused=[pause.account for pause in pauses if not pause.by_person],
        paused=[pause.account for pause in pauses if pause.by_person],
        full=_find_full(room),
        closed_until=None if is_open(hours, room.now) else next_open(hours, room.now),
        sends=[account.name for account in accounts if account.sends],
    )


def find_blocked(room: Room) -> dict[str, str]:
    """Say of each account that sends nothing now, whatever is tried, why, and what lets it go on."""
    told = {
        name: f"has had its recipients of the day: it goes on at {show_time(again, room.zone)}"
        for name, again in _find_full(room).items()
    }
    for pause in admin.list_pauses(room.database):
        told[pause.account] = (
            f"is paused since {show_time(pause.since, room.zone)} ({printable(pause.reason)}):"
            f" `relay account resume {shlex.quote(pause.account)}` lets it send"
        )
    return told


def say_standstill(room: Room, found: Standstill) -> tuple[str, ...]:
    """Say which accounts' mail waits for more than its time."""
    lines = [
        f"Account {pause.account} is paused since {show_time(pause.since, room.zone)}: {printable(pause.reason)}"
        for pause in admin.list_pauses(room.database)
    ]
    for name, again in found.full.items():
        lines.append(f"Account {name} has had its recipients of the day: it goes on at {show_time(again, room.zone)}")
    if found.closed_until is not None:
        lines.append(f"The office is closed: mail goes on at {show_time(found.closed_until, room.zone)}")
    return tuple(lines)


def _find_full(room: Room) -> dict[str, int]:
    """Return the accounts that have had their recipients of the day, each with when it goes on."""
    hours = room.settings.hours
    counts = admin.count_of_day(room.database, day_of(hours, room.now))
    return {
        account.name: next_day(hours, room.now)
        for account in room.settings.directory.accounts
        if (most := account.recipients_per_day) is not None and counts.get(account.name, 0) >= most
    }
