"""The shared values as rows, and back. Text is made storable: PostgreSQL takes no NUL, neither takes surrogates."""

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Select, select

from relay.model.destination import Destination
from relay.model.mail import ClaimedDelivery, Message, Recipient, RecipientKind
from relay.storage.statement import Many, Parameters, Statement, insert, is_in
from relay.storage.tables import delivery, message, recipient
from relay.storage.transaction import AnyRow, Transaction

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MESSAGE: Final = tuple(message.c.keys())
INSERT_MESSAGES: Final = Many.insert(insert(message).on_conflict_do_nothing())
_DELIVERY: Final = (
    *(delivery.c.id, delivery.c.token, delivery.c.marked, delivery.c.destination, delivery.c.version),
    *(delivery.c.attempts, delivery.c.tried, delivery.c.uncertain, delivery.c.since, delivery.c.warned),
    *(delivery.c.source, delivery.c.due),
)
SELECT_CLAIMED: Final[Select[*tuple[Any, ...]]] = select(*_DELIVERY, *message.c).join_from(delivery, message)
"""The beginning of each query whose rows `read_claimed` takes; they begin with id, token and mark of the delivery."""
_PENDING: Final = Statement(
    select(
        recipient.c.delivery_id,
        recipient.c.n,
        recipient.c.address,
        recipient.c.kind,
        recipient.c.notify,
        recipient.c.orcpt,
    )
    .where(
        is_in(recipient.c.message_id, "messages"),
        is_in(recipient.c.delivery_id, "deliveries"),
        recipient.c.outcome == "pending",
    )
    .order_by(recipient.c.n)
)


def clean(text: str) -> str:
    """Make a text storable: a NUL or a lone surrogate becomes U+FFFD, a member of an enum its value."""
    if type(text) is str and text.isprintable():  # what is unstorable is not printable; 13 texts of each mail come by
        return text
    return _UNSTORABLE.sub("\ufffd", str(text))


def row_of(value: object, names: Sequence[str]) -> Parameters:
    """Return the fields of a value that are the columns of its table, its texts made storable."""
    found = attrgetter(*names)(value)
    return {name: clean(one) if isinstance(one, str) else one for name, one in zip(names, found, strict=True)}


def message_row(mail: Message) -> Parameters:
    """Return the parameters of INSERT_MESSAGES."""
    return row_of(mail, _MESSAGE)


def read_claimed(tx: Transaction, rows: Sequence[AnyRow]) -> list[ClaimedDelivery]:
    """Make deliveries, with their pending recipients, of the rows of a SELECT_CLAIMED."""
    if not rows:
        return []
    recipients: dict[str, list[Recipient]] = {row[0]: [] for row in rows}
    pending = tx.rows(
        _PENDING, messages=list(dict.fromkeys(row[len(_DELIVERY)] for row in rows)), deliveries=list(recipients)
    )
    for delivery_id, n, address, kind, notify, orcpt in pending:
        recipients[delivery_id].append(
            Recipient(n=n, address=address, kind=RecipientKind(kind), notify=notify, orcpt=orcpt)
        )
    return [
        ClaimedDelivery(
            id=row[0],
            token=row[1],
            destination=Destination.parse(row[3]),
            version=row[4],
            attempts=row[5],
            tried=row[6],
            uncertain=row[7],
            since=row[8],
            warned=row[9],
            message=Message(**dict(zip(_MESSAGE, row[len(_DELIVERY) :], strict=True)), source=row[10]),
            due=row[11],
            recipients=tuple(recipients[row[0]]),
        )
        for row in rows
    ]
