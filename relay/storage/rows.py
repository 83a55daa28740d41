"""What the statements of the queue share: conditions, and values as rows and back.

Text is made storable: PostgreSQL takes no NUL, neither takes surrogates.
"""

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, literal, select

from relay.model.destination import Destination
from relay.model.mail import ClaimedDelivery, Message, Recipient, RecipientKind
from relay.storage.statement import Parameters, Statement, is_in
from relay.storage.tables import delivery, message, recipient
from relay.storage.transaction import AnyRow, Transaction

IS_OPEN: Final = delivery.c.state != literal("done", literal_execute=True)
"""That something of a delivery waits; beside a state it lets SQLite use the index of what is open."""
IS_QUEUED: Final = and_(delivery.c.state == literal("queued", literal_execute=True), IS_OPEN)
TO_LANE: Final = delivery.c.destination == bindparam("lane")
"""That a delivery goes to the destination `lane`."""
IN_LANE: Final = and_(IS_QUEUED, TO_LANE)
MAILS: Final = func.count(delivery.c.message_id.distinct())
"""How many mails some deliveries are of."""
ACCOUNT: Final = case(
    (func.substr(delivery.c.destination, 1, 8) == "account:", func.substr(delivery.c.destination, 9)), else_=""
).label("account")
"""The name of a delivery's account; empty where it goes into an inbox."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
MESSAGE: Final = tuple(message.c.keys())
_DELIVERY: Final = (
    *delivery.c["id", "token", "marked", "destination", "version", "attempts"],
    *delivery.c["tried", "uncertain", "since", "warned", "source", "due"],
)
SELECT_CLAIMED: Final[Select[*tuple[Any, ...]]] = select(*_DELIVERY, *message.c).join_from(delivery, message)
"""The beginning of each query whose rows `read_claimed` takes; they begin with id, token and mark of the delivery."""
_PENDING: Final = Statement(
    select(*recipient.c["delivery_id", "n", "address", "kind", "notify", "orcpt"])
    .where(
        is_in(recipient.c.message_id, "messages"),
        is_in(recipient.c.delivery_id, "deliveries"),
        recipient.c.outcome == "pending",
    )
    .order_by(recipient.c.n)
)


def is_recent(ids: ColumnElement[str]) -> ColumnElement[bool]:
    """Make the condition that an id is not below the parameter `oldest`: ids sort by time.

    The upper bound is behind all ids: PostgreSQL, which plans before it knows `oldest`, takes a range with one end for
    a third of the table, and reads all of it.
    """
    return and_(ids >= bindparam("oldest"), ids < "~")


def is_like(column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """Make the condition that a column matches a pattern with `*` and `?`, without regard to case."""
    escaped = re.sub(r"([\\\\%_])", r"\\\1", pattern.lower())
    return func.lower(column).like(escaped.replace("*", "%").replace("?", "_"), escape="\\")


def clean(text: str) -> str:
    """Make a text storable: a NUL or a lone surrogate becomes U+FFFD, a member of an enum its value."""
    if type(text) is str and text.isprintable():  # what is unstorable is not printable; 13 texts of each mail come by
        return text
    return _UNSTORABLE.sub("\ufffd", str(text))


def row_of(value: object, names: Sequence[str]) -> Parameters:
    """Return the fields of a value that are the columns of its table, its texts made storable."""
    found = attrgetter(*names)(value)
    return {name: clean(one) if isinstance(one, str) else one for name, one in zip(names, found, strict=True)}


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
            message=Message(**dict(zip(MESSAGE, row[len(_DELIVERY) :], strict=True)), source=row[10]),
            due=row[11],
            recipients=tuple(recipients[row[0]]),
        )
        for row in rows
    ]
