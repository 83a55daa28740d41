"""Mails as JSON: one name for one thing, and those of the log; times in ISO 8601, UTC (decision 28)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from relay.rules.moments import utc_time
from relay.rules.state_words import say_cause
from relay.rules.states import Standing, Standstill, find_standing, state_of, state_of_recipient

if TYPE_CHECKING:
    from relay.storage.admin import DeliveryRow, MessageDetail, RecipientRow
    from relay.storage.listing import MailDelivery, MailRecipient, MailRow

Json = dict[str, Any]


def list_json(mail: "MailRow", standing: Standing) -> Json:
    """Give one mail of a list."""
    return {
        **_head(mail, standing, mail.deliveries),
        "sender": mail.sender,
        "deliveries": [{**_delivery(way), "attempts": way.tried} for way in mail.deliveries],
    }


def trace_json(
    mail: "MessageDetail", now: int, standstill: Standstill, accounts: "Sequence[Sequence[str | None]]"
) -> Json:
    """Give one mail with its history; `accounts`: by which account each attempt of each delivery was made."""
    return {
        **_head(mail, find_standing(mail.deliveries, now=now, standstill=standstill), mail.deliveries),
        "sender": mail.reverse_path,
        "rule": mail.rule,
        "client": mail.client,
        "why": mail.why.splitlines(),
        "about": mail.about or None,
        "deliveries": [
            {
                **_delivery(way),
                "attempts": [
                    {
                        "at": utc_time(one.at), "seconds": one.seconds, "account": account, "code": one.code,
                        "enhanced": one.enhanced, "reply": one.reply,
                    }
                    for one, account in zip(way.tries, by, strict=True)
                ],
            }
            for way, by in zip(mail.deliveries, accounts, strict=True)
        ],
        "events": [{"at": utc_time(one.at), "what": one.what, "detail": one.detail} for one in mail.events],
        "pauses": [
            {"account": one.account, "since": utc_time(one.since), "until": utc_time(one.until), "reason": one.reason}
            for one in mail.pauses
        ],
        "notices": list(mail.notices),
    }  # fmt: skip


def _head(
    mail: "MailRow | MessageDetail", standing: Standing, deliveries: "Sequence[MailDelivery | DeliveryRow]"
) -> Json:
    return {
        "queue_id": mail.id,
        "state": standing.state,
        "situation": standing.situation,
        "blind_copy": standing.copy_state,
        "next_attempt": utc_time(standing.when),
        "cause": None if (said := standing.cause) is None else say_cause(said, "en", is_over=bool(standing.lost)),
        "received": utc_time(mail.received_at),
        "user": mail.user,
        "account": account_of(mail.account, deliveries),
        "message_id": mail.header_message_id,
        "subject": mail.subject,
        "size": mail.size,
        "notice": mail.notice,
        "recipients": [_recipient(way, one) for way in deliveries for one in way.recipients],
    }


def _recipient(way: "MailDelivery | DeliveryRow", one: "MailRecipient | RecipientRow") -> Json:
    return {
        "address": one.address, "kind": one.kind, "state": state_of_recipient(way, one), "code": one.code,
        "enhanced": one.enhanced, "reply": one.reply, "delivery_id": way.id,
    }  # fmt: skip


def _delivery(way: "MailDelivery | DeliveryRow") -> Json:
    return {
        "delivery_id": way.id, "account": way.account, "state": state_of([way]),
        "next_attempt": utc_time(way.due) if way.state == "queued" and way.due else None,
        "uncertain": way.uncertain,
    }  # fmt: skip


def account_of(first: str, deliveries: "Sequence[MailDelivery | DeliveryRow]") -> str:
    """Give the account by which a mail leaves, or left last: not the first one, where it was moved."""
    real = [way for way in deliveries if any(one.kind != "archive" for one in way.recipients)] or list(deliveries)
    return next((way.account for way in real if way.state != "done"), real[-1].account if real else first)
