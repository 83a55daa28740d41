"""The shared values as rows, and back. Text is made storable: PostgreSQL takes no NUL, neither takes surrogates."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from relay.model.destination import Destination
from relay.model.mail import ClaimedDelivery, Message, Pause, Recipient, RecipientKind
from relay.storage.statement import Parameter
from relay.storage.transaction import AnyRow, Transaction

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MESSAGE: Final = (
    'id, received_at, "user", account, rule, reverse_path, header_message_id, subject, size, client, header,'
    " archive_header, eightbit, smtputf8, notice, why, envelope_id, ret, about"
)
INSERT_MESSAGE: Final = f"INSERT INTO message ({_MESSAGE}) VALUES ({', '.join('?' * 19)}) ON CONFLICT DO NOTHING"  # noqa: S608 - constants
SELECT_CLAIMED: Final = (
    "SELECT d.id, d.destination, d.version, d.attempts, d.uncertain, d.since, d.marked, d.warned, d.source,"
    ' m.id, m.received_at, m."user", m.account, m.rule, m.reverse_path, m.header_message_id, m.subject, m.size,'
    " m.client, m.header, m.archive_header, m.eightbit, m.smtputf8, m.notice, m.why,"
    " m.envelope_id, m.ret, m.about, d.tried, d.token"
    " FROM delivery d JOIN message m ON m.id = d.message_id "
)
"""The beginning of each query whose rows `read_claimed` takes."""
ACCOUNT: Final = "CASE WHEN substr(d.destination, 1, 8) = 'account:' THEN substr(d.destination, 9) ELSE '' END"
"""The name of the account of a `delivery d`; empty where that goes into an inbox."""
_PENDING: Final = (
    "SELECT delivery_id, n, address, kind, notify, orcpt FROM recipient"
    " WHERE message_id {any} AND delivery_id {any} AND outcome = 'pending' ORDER BY n"
)


def clean(text: str) -> str:
    """Make a text storable: a NUL or a lone surrogate becomes U+FFFD, a member of an enum its value."""
    return _UNSTORABLE.sub("\ufffd", str(text))


def message_row(message: Message) -> tuple[Parameter, ...]:
    """Give the parameters of INSERT_MESSAGE."""
    return (
        message.id,
        message.received_at,
        None if message.user is None else clean(message.user),
        clean(message.account),
        clean(message.rule),
        clean(message.reverse_path),
        clean(message.header_message_id),
        clean(message.subject),
        message.size,
        clean(message.client),
        message.header,
        message.archive_header,
        message.eightbit,
        message.smtputf8,
        message.notice,
        clean(message.why),
        clean(message.envelope_id),
        message.ret,
        message.about,
    )


def read_claimed(tx: Transaction, rows: Sequence[AnyRow]) -> list[ClaimedDelivery]:
    """Make deliveries, with their pending recipients, of the rows of a SELECT_CLAIMED."""
    if not rows:
        return []
    recipients: dict[str, list[Recipient]] = {row[0]: [] for row in rows}
    pending = tx.rows(_PENDING, _unique(row[9] for row in rows), list(recipients))
    for delivery_id, n, address, kind, notify, orcpt in pending:
        recipients[delivery_id].append(
            Recipient(n=n, address=address, kind=RecipientKind(kind), notify=notify, orcpt=orcpt)
        )
    return [
        ClaimedDelivery(
            id=row[0],
            destination=Destination.parse(row[1]),
            version=row[2],
            attempts=row[3],
            uncertain=row[4],
            since=row[5],
            warned=bool(row[7]),
            message=_message(row[9:], source=row[8]),
            tried=row[-2],
            token=row[-1],
            recipients=tuple(recipients[row[0]]),
        )
        for row in rows
    ]


def read_pause(row: AnyRow) -> Pause:
    """Make a pause of a row: account, since, until, reason, by_person, probes, next_probe, fingerprint."""
    account, since, until, reason, by_person, probes, next_probe, fingerprint = row
    return Pause(
        account=account,
        since=since,
        until=until,
        reason=reason,
        by_person=bool(by_person),
        probes=probes,
        next_probe=next_probe,
        fingerprint=fingerprint,
    )


def _message(row: Sequence[Any], *, source: str) -> Message:
    return Message(
        id=row[0],
        received_at=row[1],
        user=row[2],
        account=row[3],
        rule=row[4],
        reverse_path=row[5],
        header_message_id=row[6],
        subject=row[7],
        size=row[8],
        client=row[9],
        header=row[10],
        archive_header=row[11],
        eightbit=bool(row[12]),
        smtputf8=bool(row[13]),
        notice=bool(row[14]),
        why=row[15],
        envelope_id=row[16],
        ret=row[17],
        about=row[18],
        source=source,
    )


def _unique(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(ids))
