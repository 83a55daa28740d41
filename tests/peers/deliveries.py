"""The deliveries of a database, one by one: the product shows mails."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from sqlalchemy import Engine

from relay.model.state import State
from relay.rules.states import MailDelivery
from relay.storage.listing import OPEN, MailFilter, MailRow, list_mails


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which deliveries are wanted: in one of these states, and of an account or user where one is named."""

    states: Sequence[str] = ("queued", "active", "held")
    account: str | None = None
    user: str | None = None


ANY: Final = Selection()


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryRow(MailDelivery):
    """One delivery, with some of what is known of its mail."""

    message_id: str
    sender: str
    received_at: int


def list_deliveries(engine: Engine, selection: Selection = ANY, *, limit: int = 200) -> list[DeliveryRow]:
    """Give the deliveries that are selected, the oldest first."""
    states = tuple(State) if "done" in selection.states else OPEN
    wanted = MailFilter(states=states, account=selection.account, user=selection.user)
    mails = list_mails(engine, wanted, limit=1_000_000)
    found = [
        _row(mail, way)
        for mail in mails
        for way in mail.deliveries
        if way.state in selection.states and selection.account in (None, way.account)
    ]
    return sorted(found, key=lambda row: row.id)[:limit]


def count_open(engine: Engine) -> dict[tuple[str, str], int]:
    """Count the mails of which anything is open, for each account and state of a delivery."""
    rows = list_deliveries(engine)
    return Counter((account, state) for account, state, _ in {(row.account, row.state, row.message_id) for row in rows})


def _row(mail: MailRow, way: MailDelivery) -> DeliveryRow:
    known = {field.name: getattr(way, field.name) for field in fields(way)}
    return DeliveryRow(**known, message_id=mail.id, sender=mail.sender, received_at=mail.received_at)
