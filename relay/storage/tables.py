"""The tables of mails. Ids are texts of 26 characters that sort by time.

Times are integer milliseconds since 1970, UTC. The tables of accounts are in `account_tables`.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Named,
    Table,
    TypedColumns,
    text,
)

from relay.storage.columns import TEXT, metadata, one_of, partial


class _Meta(TypedColumns):
    key: Named[str] = Column(TEXT, primary_key=True)
    value: Named[str] = Column(TEXT)


meta: Final = Table("meta", metadata, _Meta)


class _Message(TypedColumns):
    id: Named[str] = Column(TEXT, primary_key=True)
    received_at: Named[int] = Column(BigInteger)
    user: Named[str | None] = Column(TEXT)
    account: Named[str] = Column(TEXT)
    rule: Named[str] = Column(TEXT)
    reverse_path: Named[str] = Column(TEXT)
    header_message_id: Named[str] = Column(TEXT)
    subject: Named[str] = Column(TEXT)
    size: Named[int] = Column(BigInteger)
    client: Named[str] = Column(TEXT)
    header: Named[bytes] = Column(LargeBinary)
    archive_header: Named[bytes | None] = Column(LargeBinary)
    eightbit: Named[bool] = Column(Boolean)
    smtputf8: Named[bool] = Column(Boolean)
    notice: Named[bool] = Column(Boolean)
    why: Named[str] = Column(TEXT)
    # What the client asked for (RFC 3461): ENVID, as xtext, and RET.
    envelope_id: Named[str] = Column(TEXT, server_default="")
    ret: Named[str] = Column(TEXT, server_default="")
    # Of a notice: the mail that it tells about.
    about: Named[str] = Column(TEXT, server_default="")


message: Final = Table(
    "message",
    metadata,
    _Message,
    # No index on received_at: the ids sort by it.
    Index("message_by_header_id", "header_message_id"),
    partial("message_by_about", "about", where="about <> ''"),
)


class _Content(TypedColumns):
    """The bodies of mails: in chunks, or one row for a body that is in a file (`bodies.py`).

    No foreign key: chunks are written ahead of their message, and belong to nobody until it is there.
    """

    message_id: Named[str] = Column(TEXT, primary_key=True)
    version: Named[int] = Column(Integer, primary_key=True)
    seq: Named[int] = Column(Integer, primary_key=True)
    data: Named[bytes] = Column(LargeBinary)
    octets: Named[int] = Column(BigInteger, server_default="0")  # of the file; 0: they are here


content: Final = Table("content", metadata, _Content)


class _Delivery(TypedColumns):
    """One transaction to come with a provider, or with an inbox: some recipients of a mail, one version of its body."""

    id: Named[str] = Column(TEXT, primary_key=True)
    message_id: Named[str] = Column(TEXT, ForeignKey("message.id", ondelete="CASCADE"))
    # As relay.model.destination writes it.
    destination: Named[str] = Column(TEXT)
    version: Named[int] = Column(Integer)
    state: Named[str] = Column(TEXT)
    due: Named[int] = Column(BigInteger)
    since: Named[int] = Column(BigInteger)
    # attempts: those that count for the retry intervals; tried: all, each has a row.
    attempts: Named[int] = Column(Integer, server_default="0")
    tried: Named[int] = Column(Integer, server_default="0")
    # uncertain: how often it may have been sent; marked: the dot of the running attempt may be out.
    uncertain: Named[int] = Column(Integer)
    marked: Named[bool] = Column(Boolean, server_default=text("false"))
    # Of a claim: its token, the node that made it, and on a shared database until when it holds without being renewed.
    # Of what is queued there: which node has it in memory, and until when the others leave it to that.
    token: Named[str] = Column(TEXT, server_default="")
    node: Named[str] = Column(TEXT)
    lease_until: Named[int | None] = Column(BigInteger)
    # Who handed it in, from where: sources of one account take turns.
    source: Named[str] = Column(TEXT, server_default="-")
    # Whether the sender has been told that it still waits.
    warned: Named[bool] = Column(Boolean, server_default=text("false"))


delivery: Final = Table(
    "delivery",
    metadata,
    _Delivery,
    one_of("state", "queued", "active", "held", "done"),
    Index("delivery_by_message", "message_id"),
    # Serves the claim, the recovery and the lists, and is empty when the queue is.
    partial("delivery_open", "state", "destination", "source", "due", "id", where="state <> 'done'"),
    sqlite_with_rowid=False,
)


class _Recipient(TypedColumns):
    message_id: Named[str] = Column(TEXT, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    n: Named[int] = Column(Integer, primary_key=True)
    delivery_id: Named[str] = Column(TEXT)
    address: Named[str] = Column(TEXT)
    # No CHECK: a kind more needs no new table.
    kind: Named[str] = Column(TEXT)
    outcome: Named[str] = Column(TEXT, server_default="pending")
    code: Named[int] = Column(Integer, server_default="0")
    enhanced: Named[str] = Column(TEXT, server_default="")
    reply: Named[str] = Column(TEXT, server_default="")
    # NOTIFY and ORCPT of RFC 3461, as they came.
    notify: Named[str] = Column(TEXT, server_default="")
    orcpt: Named[str] = Column(TEXT, server_default="")


recipient: Final = Table(
    "recipient",
    metadata,
    _Recipient,
    one_of("outcome", "pending", "delivered", "bounced"),
    sqlite_with_rowid=False,
)


class _Attempt(TypedColumns):
    delivery_id: Named[str] = Column(TEXT, ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True)
    n: Named[int] = Column(Integer, primary_key=True)
    key: Named[str] = Column(TEXT)
    at: Named[int] = Column(BigInteger)
    seconds: Named[float] = Column(Double)
    code: Named[int] = Column(Integer)
    enhanced: Named[str] = Column(TEXT)
    reply: Named[str] = Column(TEXT)


attempt: Final = Table("attempt", metadata, _Attempt, sqlite_with_rowid=False)


class _Arrival(TypedColumns):
    """A user's copy of a collected mail. The copies of one mail have ids that differ in their last three characters."""

    id: Named[str] = Column(TEXT, primary_key=True)
    at: Named[int] = Column(BigInteger)
    user: Named[str] = Column(TEXT)
    # For which of his addresses he gets it, and why.
    address: Named[str] = Column(TEXT)
    why: Named[str] = Column(TEXT)
    account: Named[str] = Column(TEXT)
    uidl: Named[str] = Column(TEXT)
    header_message_id: Named[str] = Column(TEXT)
    sender: Named[str] = Column(TEXT)
    subject: Named[str] = Column(TEXT)
    size: Named[int] = Column(BigInteger)
    # Where its file stands, as far as we know: readers move it. Of the quarantine: on which node, and why.
    place: Named[str] = Column(TEXT)
    file: Named[str] = Column(TEXT)
    node: Named[str] = Column(TEXT, server_default="")
    reason: Named[str] = Column(TEXT, server_default="")
    # When it left the quarantine, for whose inbox (none: deleted), and who said so.
    left_at: Named[int | None] = Column(BigInteger)
    given_to: Named[str] = Column(TEXT, server_default="")
    left_by: Named[str] = Column(TEXT, server_default="")
    # With `account` and `uidl` they are the key of the message in `seen`.
    folder: Named[str] = Column(TEXT, server_default="")
    validity: Named[str] = Column(TEXT, server_default="")


arrival: Final = Table(
    "arrival",
    metadata,
    _Arrival,
    one_of("place", "inbox", "quarantine", "deleted"),
    # No index on at: the ids sort by it.
    Index("arrival_by_header_id", "header_message_id"),
    Index("arrival_by_uidl", "uidl"),
    partial("arrival_quarantined", "id", where="place = 'quarantine'"),
)


class _Event(TypedColumns):
    """What happened to a mail beside its attempts: people's commands, splits, recoveries, warnings."""

    message_id: Named[str] = Column(TEXT, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    at: Named[int] = Column(BigInteger, primary_key=True)
    what: Named[str] = Column(TEXT, primary_key=True)
    detail: Named[str] = Column(TEXT, primary_key=True)


event: Final = Table("event", metadata, _Event, sqlite_with_rowid=False)
