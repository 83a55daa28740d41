"""Lists and shows mails."""

from collections.abc import Iterator, Sequence
from typing import Final

from relay.admin.answers import ListEnd, MailPage, ToldMail
from relay.admin.choosing import mails_of, nothing_matches, require_known
from relay.admin.incoming import find_incoming, trace_incoming, view_incoming
from relay.admin.mail_views import view_listed, view_traced
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


def list_(room: Room, request: ListMails) -> Iterator[MailPage | ListEnd]:
    """List mails, the newest first, page by page: each is one short look at the database."""
    require_known(room, request.filter)
    wanted, standstill = mails_of(room, request.filter), find_standstill(room)
    left, before, found = request.limit, "", False
    while left > 0:
        mails = list_mails(room.database, wanted, limit=min(left, PAGE), before=before)
        if mails:
            found, before = True, mails[-1].id
            yield view_page(room, mails, standstill)
        left = left - len(mails) if len(mails) == PAGE else 0
    nothing = "" if found else nothing_matches(room, request.filter)
    yield ListEnd(nothing=nothing, notes=say_standstill(room, standstill))


def view_page(room: Room, mails: Sequence[MailRow], standstill: Standstill) -> MailPage:
    """Return some mails with the words for each."""
    told = [(mail, find_standing(mail.deliveries, now=room.now, standstill=standstill)) for mail in mails]
    return MailPage(
        now=room.now,
        mails=tuple(view_listed(mail, standing) for mail, standing in told),
        words=tuple(say_in_short(standing, room) for _, standing in told),
    )


def show(room: Room, request: ShowMails) -> Iterator[ToldMail]:
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
        yield ToldMail(mail=view, incoming=None, sheet=words.trace() if request.whole else words.show())
    for one in incoming:
        yield ToldMail(mail=None, incoming=view_incoming(one), sheet=trace_incoming(one, room))
