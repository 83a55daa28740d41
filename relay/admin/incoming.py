"""Mails that came in: from whom a mail came, for whom, why, and where its copies stand."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from relay.admin.requests import Told
from relay.admin.room import Room
from relay.admin.words import show_size, show_time
from relay.model.errors import StateConflictError, StorageError
from relay.model.ids import is_id
from relay.model.maildrop import Arrival, Place
from relay.rules.moments import utc_time
from relay.storage.arrivals import find_arrivals, find_by_file
from relay.storage.mailboxes import find_seen
from relay.storage.maildir import locate
from relay.storage.quarantine import QUARANTINE, Held, find_held, list_held

_Copy = tuple[Arrival, Path | None, str]
"""Of a mail for one of its users: its file, if that is where it was put, and where it is in words."""


def trace_incoming(room: Room, text: str) -> list[Told]:
    """Tell the whole life of the mails that came in of an id, its beginning, a Message-ID, a unique id, a file's name.

    Raises StateConflictError where the beginning of an id fits several.
    """
    engine = room.database
    found, held, shut = find_arrivals(engine, text), list[Held](), ""
    if not found or any(one.place is Place.QUARANTINE for one in found):
        try:
            held = list_held(engine, room.settings.folder)
        except StorageError as error:  # of a mail that went out it says nothing
            shut = str(error)
    if not found and text.strip():
        found = [one.arrival for one in find_held(held, text)]
    if not found and (file := _file_name(text)):
        found = find_by_file(engine, [file])
    mails = [list(copies) for _, copies in groupby(found, key=lambda one: one.mail)]
    wanted = text.strip().lower()
    if len(mails) > 1 and not is_id(wanted) and all(one.id.startswith(wanted) for one in found):
        raise StateConflictError(f"{text!r} is the beginning of several ids of mail that came in: give more of it")
    paths = {one.arrival.id: one.path for one in held}
    return [
        _trace(room, [(one, *_find_file(room, one, paths.get(one.id), shut)) for one in copies]) for copies in mails
    ]


def _file_name(text: str) -> str:
    """Give the name of a Maildir's file without its flags; empty where it is another kind of id: all rows are read."""
    name = Path(text.strip()).name.partition(":")[0]
    return "" if "@" in name or is_id(name.lower()) else name


def _find_file(room: Room, one: Arrival, quarantined: Path | None, shut: str) -> tuple[Path | None, str]:
    """Give the file of a copy, and where it is in words; `shut`: why the quarantine can't be looked at."""
    if one.place is Place.INBOX:
        return _find_in_inbox(room.settings.inboxes / one.holder, one)
    if one.place is Place.DELETED:
        return None, "deleted from the quarantine"
    if quarantined is not None:
        return quarantined, f"in the quarantine: {quarantined}"
    if shut:
        return None, f"in the quarantine, which can't be looked at: {shut}"
    node = f" (the node {one.node} wrote it)" if one.node else ""
    return None, f"was in the quarantine, but is not in {room.settings.folder / QUARANTINE} any more{node}"


def _find_in_inbox(inbox: Path, one: Arrival) -> tuple[Path | None, str]:
    try:
        path = locate(inbox, one.file)
    except StorageError as error:
        return None, f"in the inbox of {one.holder}, which can't be looked at: {error}"
    if path is None:
        return None, f"was put into the inbox of {one.holder}, who has moved or deleted it: {inbox / 'new' / one.file}"
    return path, f"in the inbox of {one.holder}: {path}"


def _at_provider(room: Room, one: Arrival) -> str:
    """Say whether a mail is still at the provider; empty where it came from none that is known."""
    if not one.account:
        return ""
    seen = find_seen(room.database, one)
    if seen is not None and seen.gone_at is not None:
        return f"not there any more since {show_time(seen.gone_at, room.zone)}"
    if one.uidl.startswith("sha256-"):
        return "deleted there once the poll had ended well: the server has no unique ids"
    return "still there at the last poll" if seen is not None else "not known any more"


def _trace(room: Room, copies: Sequence[_Copy]) -> Told:
    first = copies[0][0]
    account, provider = room.settings.directory.account(first.account), _at_provider(room, first)
    mailbox = None if account is None else account.mailbox
    json = {
        "direction": "incoming",
        "queue_id": first.id,
        "message_id": first.header_message_id or None,
        "received": utc_time(first.at),
        "sender": first.sender,
        "subject": first.subject,
        "size": first.size,
        "account": first.account or None,
        "uidl": first.uidl or None,
        "at_provider": provider or None,
        "copies": [
            {
                "queue_id": one.id,
                "user": one.user or None,
                "address": one.address or None,
                "why": one.why.splitlines(),
                "place": one.place.value,
                "holder": one.holder or None,
                "file": None if file is None else str(file),
                "reason": one.reason or None,
                "left_at": utc_time(one.left_at),
                "left_by": one.left_by or None,
            }
            for one, file, _ in copies
        ],
    }
    facts = (
        ("Mail", f"{first.id} {first.header_message_id}".rstrip()),
        ("From", first.sender),
        ("Subject", first.subject),
        ("Size", show_size(first.size)),
        ("Came by", first.account + ("" if mailbox is None else f" ({mailbox.username} at {mailbox.host})")),
        ("Unique id", first.uidl),
        ("At provider", provider),
    )
    lines = ["", *(f"{show_time(at, room.zone)}  {text}" for at, text in sorted(_life(copies), key=itemgetter(0)))]
    for one, _, place in copies:
        lines += ["", f"For {one.user or 'nobody known'}" + (f" <{one.address}>" if one.address else "") + f", {place}"]
        lines += [f"  - {step}" for step in one.why.splitlines()]
        if one.place is Place.QUARANTINE:
            lines.append(f"  What to do: `relay quarantine show {one.id}`")
    return Told(json=(json,), facts=facts, lines=tuple(lines))


def _life(copies: Sequence[_Copy]) -> list[tuple[int, str]]:
    first = copies[0][0]
    events = [(first.at, f"collected from the mailbox of {first.account}")] if first.account else []
    for one, *_ in copies:
        if one.reason or one.place is Place.QUARANTINE:
            events.append((one.at, f"{_whose(one)} is put into the quarantine: {one.reason or 'nobody knows why'}"))
        if one.left_at is not None:
            deed = f"delivered into the inbox of {one.given_to}" if one.given_to else "deleted"
            by = f" by {one.left_by}" if one.left_by else ""
            events.append((one.left_at, f"{_whose(one)} is {deed} from the quarantine{by}"))
    return events


def _whose(one: Arrival) -> str:
    return f"the copy of {one.user}" if one.user else "the mail"
