"""Lists, shows, delivers and deletes mail whose user's inbox could not be used."""

import contextlib
import difflib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from relay.admin.requests import (
    DeleteQuarantined,
    DeliverQuarantined,
    Json,
    ListQuarantine,
    Note,
    Progress,
    Question,
    ShowQuarantined,
    Told,
)
from relay.admin.room import Room
from relay.admin.words import count, show_size, show_time, unknown
from relay.clock import wall_clock
from relay.events.mailboxes import QuarantineDeleted, QuarantineDelivered
from relay.model.errors import NotFoundError, StateConflictError, StorageError
from relay.model.maildrop import Place
from relay.rules.address import parse_addr_spec
from relay.rules.moments import utc_time
from relay.storage.arrivals import find_arrivals
from relay.storage.quarantine import Held, find_held, find_trouble, give, list_held
from relay.storage.quarantine import delete as delete_held


def list_(room: Room, _request: ListQuarantine) -> Iterator[Told]:
    """List what is there, the oldest first, and what mends it."""
    house = _House(room)
    yield Told(
        json=tuple(_view(house, one) for one in house.held),
        rows=tuple(
            (one.id, show_time(one.at, room.zone)[:16], one.user or one.address or "?", one.sender, one.subject)
            for one in (held.arrival for held in house.held)
        ),
        nothing="" if house.held else "The quarantine is empty.",
        lines=("", *_notes(house)) if house.held else (),
    )


def show(room: Room, request: ShowQuarantined) -> Iterator[Told]:
    """Show one mail, why it is there, and its way out. Raises NotFoundError, StateConflictError."""
    house = _House(room)
    one = house.choose(request.id)
    yield Told(json=(_view(house, one),), facts=_facts(house, one))


def deliver(room: Room, request: DeliverQuarantined) -> Iterator[Note | Progress]:
    """Put mails into a user's inbox, one after the other; what is interrupted is ended by the same request."""
    house = _House(room)
    directory = room.settings.directory
    user = directory.user(request.to)
    if user is None:
        raise NotFoundError(unknown("user", request.to, [one.name for one in directory.users]))
    if request.ids:
        chosen = _unique(house, request.ids)
    else:
        chosen = [one for one in house.held if one.arrival.user == user.name and one.path is not None]
    for one in chosen:
        if one.path is None:
            raise StateConflictError(f"{one.arrival.id}: {_state(one)}")
    if not chosen:
        there = count(len(house.held), "mail")
        raise NotFoundError(f"nothing in the quarantine is for {user.name} ({there} in all)")
    for done, one in enumerate(chosen, 1):
        try:
            file = give(
                room.database,
                one,
                inboxes=room.settings.inboxes,
                user=user,
                shared=room.settings.group is not None,
                now=wall_clock(),
                by=room.by,
            )
        except StorageError as error:
            trouble = house.trouble(user.name)
            why = f"the inbox of {user.name} still can't be used: {trouble}" if trouble else str(error)
            raise StorageError(f"{one.arrival.id} stays in the quarantine: {why}") from None
        room.service.record(
            QuarantineDelivered(
                queue_id=one.arrival.id, account=one.arrival.account, user=user.name, file=str(file), by=room.by
            )
        )
        yield Note(text=f"{one.arrival.id} stands in the inbox of {user.name}: {file}")
        yield Progress(what=f"Delivering to {user.name}", done=done, total=len(chosen))


def delete(room: Room, request: DeleteQuarantined) -> Generator[Question | Note, bool | None]:
    """Delete mails for good."""
    house = _House(room)
    chosen = _unique(house, request.ids)
    if not request.yes:
        what = "this mail" if len(chosen) == 1 else f"these {len(chosen)} mails"
        about = tuple(Told(facts=_facts(house, one), lines=("",)) for one in chosen)
        agreed = yield Question(text=f"Delete {what} for good", about=about)
        if not agreed:
            return
    for one in chosen:
        arrival = one.arrival
        delete_held(room.database, one, now=wall_clock(), by=room.by)
        room.service.record(
            QuarantineDeleted(
                queue_id=arrival.id, account=arrival.account, user=arrival.user, file=arrival.file, by=room.by
            )
        )
        yield Note(text=f"{arrival.id} is deleted.")


def _unique(house: "_House", ids: Sequence[str]) -> list[Held]:
    return list({one.arrival.id: one for one in map(house.choose, ids)}.values())


class _House:
    """What is in the quarantine, and how it is reached."""

    def __init__(self, room: Room) -> None:
        self.room = room
        held = list_held(room.database, room.settings.folder)
        self.held = [one if one.has_row else _name_user(room, one) for one in held]
        self._troubles: dict[str, str] = {}
        """What was found to keep mail out of inboxes, by user: many mails may be for one."""

    def choose(self, text: str) -> Held:
        """Return the one mail that is meant. Raises NotFoundError with the nearest one, StateConflictError."""
        found = find_held(self.held, text)
        if len(found) == 1:
            return found[0]
        if found:
            raise StateConflictError(
                f"{text!r} is the beginning of {len(found)} ids in the quarantine: give more of it"
            )
        left = [one for one in find_arrivals(self.room.database, text) if one.place is not Place.QUARANTINE]
        for one in (one for one in left if text.strip().lower() in (one.id, one.mail, one.uidl)):
            place = f"it was put into the inbox of {one.holder}" if one.holder else "it was deleted"
            raise StateConflictError(f"{one.id} is not in the quarantine: {place}. `relay trace {one.id}` tells more")
        near = difflib.get_close_matches(text.lower(), [one.arrival.id for one in self.held], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        rest = "`relay quarantine list` shows what is there" if self.held else "it is empty"
        raise NotFoundError(f"no mail in the quarantine has the id {text!r}{hint} ({rest})")

    def trouble(self, user: str) -> str:
        """Say what keeps mail out of a user's inbox, and what mends it; empty where nothing is found."""
        if user not in self._troubles:
            settings = self.room.settings
            self._troubles[user] = find_trouble(settings.inboxes, user, settings.folder)
        return self._troubles[user]


def _name_user(room: Room, held: Held) -> Held:
    """Say for whom a file without a row is: the user whose address stands on top of it."""
    with contextlib.suppress(ValueError):
        user = room.settings.directory.user_of(parse_addr_spec(held.arrival.address))
        if user is not None:
            return replace(held, arrival=replace(held.arrival, user=user.name))
    return held


def _notes(house: _House) -> list[str]:
    """Say of each user what is to be done, and of each mail that needs another deed."""
    lines, waiting = [], [one for one in house.held if not _state(one)]
    for user in dict.fromkeys(one.arrival.user for one in waiting if one.arrival.user):
        mails = count(sum(one.arrival.user == user for one in waiting), "mail")
        if house.room.settings.directory.user(user) is None:
            lines.append(f"{mails} for {user}, who is no user any more: `relay quarantine deliver ID --to USER`.")
        elif trouble := house.trouble(user):
            lines.append(f"{mails} for {user}, whose inbox still can't be used: {trouble}")
        else:
            lines.append(
                f"{mails} for {user}, whose inbox can be used by now: `relay quarantine deliver --all --to {user}`."
            )
    if any(not one.arrival.user for one in waiting):
        lines.append("Nobody knows any more for whom the rest is: `relay quarantine deliver ID --to USER`.")
    return lines + [f"{one.arrival.id}: {text}" for one in house.held if (text := _state(one))]


def _state(one: Held) -> str:
    """Say what is special about a mail; empty: it is in the quarantine, and that is all."""
    if one.path is None:
        node = f" (the node {one.arrival.node} wrote it)" if one.arrival.node else ""
        return f"its file is not there{node}; `relay quarantine delete {one.arrival.id}` forgets it"
    if one.is_left_over and one.arrival.holder:
        return (
            f"it stands in the inbox of {one.arrival.holder} already; only its file here is left:"
            f" `relay quarantine delete {one.arrival.id}`"
        )
    return ""


def _view(house: _House, one: Held) -> Json:
    arrival = one.arrival
    return {
        "queue_id": arrival.id,
        "received": utc_time(arrival.at),
        "user": arrival.user or None,
        "address": arrival.address or None,
        "account": arrival.account or None,
        "uidl": arrival.uidl or None,
        "message_id": arrival.header_message_id or None,
        "sender": arrival.sender,
        "subject": arrival.subject,
        "size": arrival.size,
        "file": None if one.path is None else str(one.path),
        "reason": arrival.reason or None,
        "note": _state(one) or None,
        "inbox_trouble": (house.trouble(arrival.user) if arrival.user else "") or None,
    }


def _facts(house: _House, one: Held) -> tuple[tuple[str, str], ...]:
    arrival = one.arrival
    user = arrival.user if arrival.user and house.room.settings.directory.user(arrival.user) is not None else ""
    trouble = house.trouble(user) if user else ""
    return (
        ("Mail", f"{arrival.id} {arrival.header_message_id}".rstrip()),
        ("From", arrival.sender),
        ("Subject", arrival.subject),
        ("Size", show_size(arrival.size)),
        (
            "Came",
            f"{show_time(arrival.at, house.room.zone)}"
            + (f", from the mailbox of {arrival.account}" if arrival.account else ""),
        ),
        ("For", f"{arrival.user or 'nobody knows whom'}" + (f" ({arrival.address})" if arrival.address else "")),
        ("Because", arrival.why),
        ("File", "is not there" if one.path is None else str(one.path)),
        ("Reason", arrival.reason or "not known: it is older than the records, or was put there by hand"),
        ("Note", _state(one)),
        ("Now", f"the inbox of {user} still can't be used: {trouble}" if trouble else ""),
        ("Next", f"relay quarantine deliver {arrival.id} --to {user or 'USER'}" if one.path is not None else ""),
    )
