"""Mails as programs and lists read them: one name for one thing, and those of the log (decision 28)."""

from collections.abc import Sequence

from relay.admin.requests import Json
from relay.admin.words import show_age, show_size
from relay.model.state import State
from relay.rules.moments import utc_time
from relay.rules.state_words import say_cause
from relay.rules.states import MailDelivery, Standing, state_of, state_of_recipient
from relay.storage.admin import DeliveryRow, EventRow, MessageDetail
from relay.storage.listing import MailRow

_Move = tuple[int, str | None, str]
"""When a mail went from one account to another; the first may not be known, an empty second one is the inbox."""


def view_listed(mail: MailRow, standing: Standing) -> Json:
    """Return one mail of a list, as JSON."""
    deliveries = [{**_delivery(way), "attempts": way.tried} for way in mail.deliveries]
    return {**_head(mail, standing), "deliveries": deliveries}


def view_traced(mail: MessageDetail, standing: Standing) -> Json:
    """Return one mail with its history, as JSON."""
    return {
        **_head(mail, standing),
        "rule": mail.rule,
        "client": mail.client,
        "why": mail.why.splitlines(),
        "about": mail.about or None,
        "deliveries": [{**_delivery(way), "attempts": _attempts(mail, way)} for way in mail.deliveries],
        "events": [{"at": utc_time(one.at), "what": one.what, "detail": one.detail} for one in mail.events],
        "pauses": [
            {
                "account": one.account,
                "since": utc_time(one.since),
                "until": utc_time(one.until),
                "reason": one.reason,
            }
            for one in mail.pauses
        ],
        "notices": mail.notices,
    }


def row_of(mail: MailRow, told: str, now: int) -> tuple[Json, ...]:
    """Return the cells of one mail in a table: id, age, to whom, how it stands, account, user, subject, size."""
    return (
        mail.id,
        show_age(now - mail.received_at),
        _people(mail),
        told,
        account_of(mail.account, mail.deliveries) or "inbox",
        mail.user or "",
        mail.subject,
        show_size(mail.size),
    )


def _people(mail: MailRow) -> tuple[str, str]:
    """Give the first of those who have not got it, else of all, and how many there are beside."""
    everybody = [(way, one) for way in mail.deliveries for one in way.recipients]
    people = [(way, one) for way, one in everybody if one.kind != "archive"] or everybody
    if not people:
        return "", ""
    states = [state_of_recipient(way, one) for way, one in people]
    failed = states.index(State.FAILED) if State.FAILED in states else 0
    first = next((n for n, state in enumerate(states) if state.is_open), failed)
    return people[first][1].address, f" +{len(people) - 1}" if len(people) > 1 else ""


def _attempts(mail: MessageDetail, way: DeliveryRow) -> Json:
    return [
        {
            "at": utc_time(one.at),
            "seconds": one.seconds,
            "account": account,
            "code": one.code,
            "enhanced": one.enhanced,
            "reply": one.reply,
        }
        for one, account in zip(way.tries, accounts_of_attempts(mail, way), strict=True)
    ]


def _head(mail: MailRow, standing: Standing) -> dict[str, Json]:
    return {
        "queue_id": mail.id,
        "state": standing.state,
        "situation": standing.situation,
        "blind_copy": standing.copy_state,
        "next_attempt": utc_time(standing.when),
        "cause": None if (said := standing.cause) is None else say_cause(said, "en", is_over=bool(standing.lost)),
        "received": utc_time(mail.received_at),
        "user": mail.user,
        "account": account_of(mail.account, mail.deliveries),
        "message_id": mail.header_message_id,
        "subject": mail.subject,
        "size": mail.size,
        "notice": mail.notice,
        "recipients": [
            {
                "address": one.address,
                "kind": one.kind,
                "state": state_of_recipient(way, one),
                "code": one.code,
                "enhanced": one.enhanced,
                "reply": one.reply,
                "delivery_id": way.id,
            }
            for way in mail.deliveries
            for one in way.recipients
        ],
        "sender": mail.sender,
    }


def _delivery(way: MailDelivery) -> dict[str, Json]:
    return {
        "delivery_id": way.id,
        "account": way.account,
        "state": state_of([way]),
        "next_attempt": utc_time(way.due) if way.state == "queued" else None,
        "uncertain": way.uncertain,
    }


def account_of(first: str, deliveries: Sequence[MailDelivery]) -> str:
    """Return the account by which a mail leaves, or left last: not the first one, where it was moved."""
    real = [way for way in deliveries if any(one.kind != "archive" for one in way.recipients)] or list(deliveries)
    return next((way.account for way in real if way.state != "done"), real[-1].account if real else first)


def accounts_of_attempts(mail: MessageDetail, delivery: DeliveryRow) -> list[str | None]:
    """Give by which account each attempt of a delivery was made; None where nothing tells."""
    moves = sorted(filter(None, map(_read_move, mail.events)), key=lambda move: move[0])
    if not delivery.account and all(after for _, _, after in moves):  # what goes into an inbox is not moved
        return [delivery.account for _ in delivery.tries]
    return [_account_at(one.at, moves, mail.account, delivery.account) for one in delivery.tries]


def _account_at(at: int, moves: list[_Move], first: str, last: str) -> str | None:
    before: str | None = first or None
    for moved_at, known, after in moves:
        if moved_at > at:
            return known or before
        before = after
    return last


def _read_move(event: EventRow) -> _Move | None:
    if event.what == "moved":
        _, found, after = event.detail.partition(" to the account ")
        return (event.at, None, after) if found else None
    if event.what == "notice_moved":
        before, _, way = event.detail.rpartition(" fails: ")
        return event.at, before, "" if way == "into the inbox" else way.removeprefix("through ")
    return None
