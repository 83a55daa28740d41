"""Lists and shows mails."""

from collections.abc import Iterator, Sequence
from typing import Final

from relay.admin.answers import Told
from relay.admin.choosing import nothing_matches, require_known, wanted_of
from relay.admin.incoming import find_incoming, trace_incoming, view_incoming
from relay.admin.mail_views import row_of, view_listed, view_traced
from relay.admin.mail_words import MailWords, say_in_short
from relay.admin.requests import ListMails, ShowMails
from relay.admin.room import Room
from relay.admin.standstill import find_standstill, say_standstill
from relay.model.errors import NotFoundError
from relay.rules.states import Standstill, find_standing
from relay.storage import admin
from relay.storage.listing import MailRow, list_mails

PAGE: Final = 200
"""Mails of one answer."""


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
    incoming = find_incoming(room, request.id) if request.whole else []
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
        view = view_traced(mail, words.standing)
        if request.whole:
            yield Told(json=({"direction": "outgoing", **view},), sheet=words.trace())
        else:
            yield Told(json=(view,), sheet=words.show())
    for one in incoming:
        yield Told(json=(view_incoming(one),), sheet=trace_incoming(one, room))
