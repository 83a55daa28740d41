"""Mails as answers: one name for one thing, and those of the log (decision 28)."""

from collections.abc import Sequence
from typing import Any

from relay.admin.attempt_accounts import accounts_of_attempts
from relay.admin.mail_answers import (
    Attempt,
    Event,
    ListedDelivery,
    ListedMail,
    Pause,
    Recipient,
    TracedDelivery,
    TracedMail,
)
from relay.admin.wire import Moment, to_moment
from relay.rules.state_words import say_cause
from relay.rules.states import MailDelivery, Standing, state_of, state_of_recipient
from relay.storage.admin import DeliveryRow, MessageDetail
from relay.storage.listing import MailRow


def view_listed(mail: MailRow, standing: Standing) -> ListedMail:
    """Return one mail of a list."""
    return ListedMail(
        **_head(mail, standing),
        deliveries=tuple(ListedDelivery(**_delivery(way), attempts=way.tried) for way in mail.deliveries),
    )


def view_traced(mail: MessageDetail, standing: Standing) -> TracedMail:
    """Return one mail with its history."""
    return TracedMail(
        **_head(mail, standing),
        rule=mail.rule,
        client=mail.client,
        why=tuple(mail.why.splitlines()),
        about=mail.about or None,
        deliveries=tuple(
            TracedDelivery(**_delivery(way), attempts=_attempts(way, accounts_of_attempts(mail, way)))
            for way in mail.deliveries
        ),
        events=tuple(Event(at=Moment(one.at), what=one.what, detail=one.detail) for one in mail.events),
        pauses=tuple(
            Pause(account=one.account, since=Moment(one.since), until=to_moment(one.until), reason=one.reason)
            for one in mail.pauses
        ),
        notices=mail.notices,
    )


def _attempts(way: DeliveryRow, accounts: Sequence[str | None]) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            at=Moment(one.at),
            seconds=one.seconds,
            account=account,
            code=one.code,
            enhanced=one.enhanced,
            reply=one.reply,
        )
        for one, account in zip(way.tries, accounts, strict=True)
    )


def _head(mail: MailRow, standing: Standing) -> dict[str, Any]:
    return {
        "queue_id": mail.id,
        "state": standing.state,
        "situation": standing.situation,
        "blind_copy": standing.copy_state,
        "next_attempt": to_moment(standing.when),
        "cause": None if (said := standing.cause) is None else say_cause(said, "en", is_over=bool(standing.lost)),
        "received": Moment(mail.received_at),
        "user": mail.user,
        "account": account_of(mail.account, mail.deliveries),
        "message_id": mail.header_message_id,
        "subject": mail.subject,
        "size": mail.size,
        "notice": mail.notice,
        "sender": mail.sender,
        "recipients": tuple(
            Recipient(
                address=one.address,
                kind=one.kind,
                state=state_of_recipient(way, one),
                code=one.code,
                enhanced=one.enhanced,
                reply=one.reply,
                delivery_id=way.id,
            )
            for way in mail.deliveries
            for one in way.recipients
        ),
    }


def _delivery(way: MailDelivery) -> dict[str, Any]:
    return {
        "delivery_id": way.id,
        "account": way.account,
        "state": state_of([way]),
        "next_attempt": Moment(way.due) if way.state == "queued" and way.due else None,
        "uncertain": way.uncertain,
    }


def account_of(first: str, deliveries: Sequence[MailDelivery]) -> str:
    """Return the account by which a mail leaves, or left last: not the first one, where it was moved."""
    real = [way for way in deliveries if any(one.kind != "archive" for one in way.recipients)] or list(deliveries)
    return next((way.account for way in real if way.state != "done"), real[-1].account if real else first)
