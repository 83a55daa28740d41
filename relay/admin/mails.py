"""Which mails a request means, the mails listed and shown, and what keeps accounts from sending, whatever the mail."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from relay.admin.incoming import trace_incoming
from relay.admin.mail_views import row_of, view_listed
from relay.admin.mail_words import MailWords, say_in_short
from relay.admin.requests import Filter, ListMails, MisuseError, ShowMails, Told
from relay.admin.room import Room
from relay.admin.words import count, show_time, unknown
from relay.escaping import printable
from relay.model.errors import NotFoundError
from relay.model.state import State
from relay.rules.hours import day_of, is_open, next_day, next_open
from relay.rules.moments import parse_moment
from relay.rules.states import Standstill, find_standing
from relay.storage import admin, listing
from relay.storage.listing import OPEN, MailFilter, MailRow, count_mails, list_mails

PAGE: Final = 200
"""Mails of one answer."""
CHOSEN_PAGE: Final = 10_000
"""Mails that a filter chooses, read at a time."""
_SHOWN: Final = 10
"""Mails of a question."""
_COUNTED: Final = {
    State.WAITING: ("waits", "wait"),
    State.ACTIVE: ("is being sent", "are being sent"),
    State.HELD: ("is stopped", "are stopped"),
}


def require_known(room: Room, chosen: Filter) -> None:
    """Raise NotFoundError where an account or a user is named that neither the configuration nor a mail knows."""
    directory = room.settings.directory
    for what, name, known in (
        ("account", chosen.account, [account.name for account in directory.accounts]),
        ("user", chosen.user, [user.name for user in directory.users]),
    ):
        if name is not None and name not in known and not listing.is_known(room.database, what, name):
            raise NotFoundError(unknown(what, name, known))


def wanted_of(room: Room, chosen: Filter) -> MailFilter:
    """Return a filter as the storage understands it. Raises MisuseError."""
    since = _moment(room, "--since", chosen.since, end=False)
    until = _moment(room, "--until", chosen.until, end=True)
    if since is not None and until is not None and since >= until:
        raise MisuseError(
            f"--since {chosen.since!r} ({show_time(since, room.zone)}) is not before --until {chosen.until!r}"
            f" ({show_time(until, room.zone)})"
        )
    older = None if chosen.older is None else room.now - chosen.older
    return MailFilter(
        states=tuple(State) if chosen.lists and chosen.everything else chosen.states or chosen.default or OPEN,
        account=chosen.account,
        user=chosen.user,
        since=since,
        until=min([one for one in (until, older) if one is not None], default=None),
        recipient=chosen.to,
    )


def _moment(room: Room, option: str, text: str | None, *, end: bool) -> int | None:
    if text is None:
        return None
    try:
        return parse_moment(text, now=room.now, zone=room.zone, end=end)
    except ValueError as error:
        raise MisuseError(f"Invalid value for '{option}': {text!r}: {error}") from None


def nothing_matches(room: Room, chosen: Filter) -> str:
    """Say that a filter matches no mail, and how many there are without it."""
    if not chosen.is_narrow:  # nor is a state given
        looks_back = chosen.lists and chosen.everything
        return "No mail is known yet." if looks_back else "The queue is empty: nothing waits."
    finished = any(not state.is_open for state in chosen.states) or (
        chosen.everything and State.DELIVERED not in chosen.default
    )
    numbers = count_mails(room.database, finished=finished)
    total = numbers.pop("all", None)
    told = [
        f"{number:,} {text if number == 1 else texts}"
        for state, (text, texts) in _COUNTED.items()
        if (number := numbers.get(state, 0))
    ]
    if total is not None:
        told.append(f"{count(total, 'mail')} {'is' if total == 1 else 'are'} known in all")
    more = " `--all` looks among what is done, too." if chosen.lists and not finished and not chosen.states else ""
    return f"No mail matches; {', '.join(told) or 'nothing waits'}.{more}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The mails that a request is about."""

    count: int
    first: Sequence[str]
    pages: Callable[[], Iterable[Sequence[str]]]
    """Returns all of them: each page is read when the one before is done, and has left the selection or not."""


def find(room: Room, named: Sequence[str], chosen: Filter) -> Found:
    """Find the mails that are named, or that a filter chooses. Raises RelayError where that is none or not clear."""
    require_known(room, chosen)
    database = room.database
    if named:
        ids = list(dict.fromkeys(one for text in named for one in admin.find_messages(database, text)))
        return Found(count=len(ids), first=ids[:_SHOWN], pages=lambda: [ids])
    wanted = wanted_of(room, chosen)
    # What comes in from now on is behind the last one, and stays as it is.
    total, last = listing.count_messages(database, wanted)

    def pages() -> Iterator[list[str]]:
        after = ""
        while page := listing.select_messages(database, wanted, after=after, upto=last, limit=CHOSEN_PAGE):
            yield page
            after = page[-1]

    first = listing.select_messages(database, wanted, upto=last, limit=_SHOWN)
    return Found(count=total, first=first, pages=pages)


def being_sent_of(room: Room, chosen: Filter) -> list[str]:
    """Return the mails that a filter would choose, too, were they not being delivered: few, one a connection."""
    if not chosen.is_given or chosen.states:
        return []
    active = find_active(room, chosen, None)
    chosen_too = {*listing.select_messages(room.database, wanted_of(room, chosen), among=active)}
    return [one for one in active if one not in chosen_too]


def find_active(room: Room, chosen: Filter, among: Sequence[str] | None) -> list[str]:
    """Return those of some mails (None: of all) that a filter chooses but for their state, and that are being sent."""
    wanted = replace(wanted_of(room, chosen), states=(State.ACTIVE,))
    return listing.select_messages(room.database, wanted, among=among)


def list_(room: Room, request: ListMails) -> Iterator[Told]:
    """List mails, the newest first, page by page: each is one short look at the database."""
    require_known(room, request.filter)
    wanted, standstill = wanted_of(room, request.filter), find_standstill(room)
    left, before = request.limit, ""
    while left > 0:
        mails = list_mails(room.database, wanted, limit=min(left, PAGE), before=before)
        left -= len(mails)
        if mails:
            before = mails[-1].id
            yield tell_mails(room, mails, standstill)
        if len(mails) < PAGE:
            break
    more = () if left else (f"(the newest {request.limit:,}; --limit shows more)",)
    nothing = "" if before else nothing_matches(room, request.filter)
    lines = (*more, *say_standstill(room, standstill))
    yield Told(nothing=nothing, nothing_matters=request.filter.is_narrow, lines=lines)


def tell_mails(room: Room, mails: Sequence[MailRow], standstill: Standstill, lines: Sequence[str] = ()) -> Told:
    """Tell of some mails, with the words for each, and lines below them."""
    told = [(mail, find_standing(mail.deliveries, now=room.now, standstill=standstill)) for mail in mails]
    return Told(
        json=tuple(view_listed(mail, standing) for mail, standing in told),
        rows=tuple(row_of(mail, say_in_short(standing, room), room.now) for mail, standing in told),
        lines=tuple(lines),
    )


def show(room: Room, request: ShowMails) -> Iterator[Told]:
    """Show the mails of an id; `whole`: those that came in as well. Raises NotFoundError, StateConflictError."""
    incoming = trace_incoming(room, request.id) if request.whole else []
    try:
        found = admin.find_messages(room.database, request.id)
    except NotFoundError:
        if not incoming:
            raise
        found = []
    standstill = find_standstill(room)
    for message_id in found:
        mail = admin.show_message(room.database, message_id)
        words = MailWords(mail, room, standstill)
        yield words.trace() if request.whole else words.show()
    yield from incoming


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
