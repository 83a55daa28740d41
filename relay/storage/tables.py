"""The tables. Ids are texts of 26 characters that sort by time; times are integer milliseconds since 1970, UTC."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata: Final = MetaData()

# Bytewise order on both databases: prefixes of ids are found by ranges.
_Text = Text().with_variant(Text(collation="C"), "postgresql")


def _one_of(column: str, *values: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})")


meta: Final = Table(
    "meta",
    metadata,
    Column("key", _Text, primary_key=True),
    Column("value", _Text, nullable=False),
)

message: Final = Table(
    "message",
    metadata,
    Column("id", _Text, primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    Column("user", _Text),
    Column("account", _Text, nullable=False),
    Column("rule", _Text, nullable=False),
    Column("reverse_path", _Text, nullable=False),
    Column("header_message_id", _Text, nullable=False),
    Column("subject", _Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("client", _Text, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("archive_header", LargeBinary),
    Column("eightbit", Boolean, nullable=False),
    Column("smtputf8", Boolean, nullable=False),
    Column("notice", Boolean, nullable=False),
    Column("why", _Text, nullable=False),
    # What the client asked for (RFC 3461): ENVID, decoded, and RET.
    Column("envelope_id", _Text, nullable=False, server_default=""),
    Column("ret", _Text, nullable=False, server_default=""),
    # Of a notice: the mail that it tells about.
    Column("about", _Text, nullable=False, server_default=""),
    # No index on received_at: the ids sort by it.
    Index("message_by_header_id", "header_message_id"),
    Index("message_by_about", "about", sqlite_where=text("about <> ''"), postgresql_where=text("about <> ''")),
)

content: Final = Table(
    "content",
    metadata,
    # No foreign key: chunks are written ahead of their message, and belong to nobody until it is there.
    Column("message_id", _Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

delivery: Final = Table(
    "delivery",
    metadata,
    Column("id", _Text, primary_key=True),
    Column("message_id", ForeignKey("message.id", ondelete="CASCADE"), nullable=False),
    Column("account", _Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", _Text, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    # attempts: those that count for the retry intervals; tried: all, each has a row.
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("tried", Integer, nullable=False, server_default="0"),
    # uncertain: how often it may have been sent; marked: the dot of the running attempt may be out.
    Column("uncertain", Integer, nullable=False),
    Column("marked", Boolean, nullable=False, server_default=text("false")),
    # Of a claim: its token, the node that made it, and on a shared database until when it holds without being renewed.
    Column("token", _Text, nullable=False, server_default=""),
    Column("node", _Text, nullable=False),
    Column("lease_until", BigInteger),
    # Who handed it in, from where: sources of one account take turns.
    Column("source", _Text, nullable=False, server_default="-"),
    # Whether the sender has been told that it still waits.
    Column("warned", Boolean, nullable=False, server_default=text("false")),
    _one_of("state", "queued", "active", "held", "done"),
    Index("delivery_by_message", "message_id"),
    # Serves the claim, the recovery and the lists, and is empty when the queue is.
    Index(
        "delivery_open",
        *("state", "account", "source", "due", "id"),
        sqlite_where=text("state <> 'done'"),
        postgresql_where=text("state <> 'done'"),
    ),
    sqlite_with_rowid=False,
)

recipient: Final = Table(
    "recipient",
    metadata,
    Column("message_id", ForeignKey("message.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("delivery_id", _Text, nullable=False),
    Column("address", _Text, nullable=False),
    Column("kind", _Text, nullable=False),
    Column("outcome", _Text, nullable=False, server_default="pending"),
    Column("code", Integer, nullable=False, server_default="0"),
    Column("enhanced", _Text, nullable=False, server_default=""),
    Column("reply", _Text, nullable=False, server_default=""),
    # NOTIFY and ORCPT of RFC 3461, as they came.
    Column("notify", _Text, nullable=False, server_default=""),
    Column("orcpt", _Text, nullable=False, server_default=""),
    _one_of("kind", "to", "archive", "inbox"),
    _one_of("outcome", "pending", "delivered", "bounced"),
    sqlite_with_rowid=False,
)

attempt: Final = Table(
    "attempt",
    metadata,
    Column("delivery_id", ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("key", _Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("code", Integer, nullable=False),
    Column("enhanced", _Text, nullable=False),
    Column("reply", _Text, nullable=False),
    sqlite_with_rowid=False,
)

pause: Final = Table(
    "pause",
    metadata,
    Column("account", _Text, primary_key=True),
    Column("since", BigInteger, primary_key=True),
    Column("until", BigInteger),
    Column("reason", _Text, nullable=False),
    Column("by_person", Boolean, nullable=False),
    Column("probes", Integer, nullable=False),
    Column("next_probe", BigInteger),
    Column("fingerprint", _Text, nullable=False),
    # An account has one pause at a time.
    Index(
        "pause_lasting",
        "account",
        unique=True,
        sqlite_where=text("until IS NULL"),
        postgresql_where=text("until IS NULL"),
    ),
)

mailbox: Final = Table(
    "mailbox",
    metadata,
    Column("account", _Text, primary_key=True),
    Column("host", _Text, nullable=False),
    Column("login", _Text, nullable=False),
    Column("last_ok", BigInteger),
    Column("error", _Text, nullable=False, server_default=""),
    # Who polls it now, if anybody: one poll of one node, until its lease is over.
    Column("node", _Text, nullable=False, server_default=""),
    Column("token", _Text, nullable=False, server_default=""),
    Column("lease_until", BigInteger),
)

seen: Final = Table(
    "seen",
    metadata,
    Column("account", _Text, primary_key=True),
    Column("uidl", _Text, primary_key=True),
    Column("first_seen", BigInteger, nullable=False),
    Column("fetched", Boolean, nullable=False),
    Column("gone_at", BigInteger),
    sqlite_with_rowid=False,
)

arrival: Final = Table(
    "arrival",
    metadata,
    # A user's copy of a collected mail. The copies of one mail have ids that differ in their last three characters.
    Column("id", _Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("user", _Text, nullable=False),
    # For which of his addresses he gets it, and why.
    Column("address", _Text, nullable=False),
    Column("why", _Text, nullable=False),
    Column("account", _Text, nullable=False),
    Column("uidl", _Text, nullable=False),
    Column("header_message_id", _Text, nullable=False),
    Column("sender", _Text, nullable=False),
    Column("subject", _Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    # Where its file stands, as far as we know: readers move it. Of the quarantine: on which node, and why.
    Column("place", _Text, nullable=False),
    Column("file", _Text, nullable=False),
    Column("node", _Text, nullable=False, server_default=""),
    Column("reason", _Text, nullable=False, server_default=""),
    # When it left the quarantine, for whose inbox (none: deleted), and who said so.
    Column("left_at", BigInteger),
    Column("given_to", _Text, nullable=False, server_default=""),
    Column("left_by", _Text, nullable=False, server_default=""),
    _one_of("place", "inbox", "quarantine", "deleted"),
    # No index on at: the ids sort by it.
    Index("arrival_by_header_id", "header_message_id"),
    Index("arrival_by_uidl", "uidl"),
    Index(
        "arrival_quarantined",
        "id",
        sqlite_where=text("place = 'quarantine'"),
        postgresql_where=text("place = 'quarantine'"),
    ),
)

counter: Final = Table(
    "counter",
    metadata,
    # The recipients that an account's day has seen; the day is the office's, `2026-05-28`.
    Column("account", _Text, primary_key=True),
    Column("day", _Text, primary_key=True),
    Column("recipients", BigInteger, nullable=False),
)

event: Final = Table(
    "event",
    metadata,
    # What happened to a mail beside its attempts: people's commands, splits, recoveries, warnings.
    Column("message_id", ForeignKey("message.id", ondelete="CASCADE"), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("what", _Text, primary_key=True),
    Column("detail", _Text, primary_key=True),
    sqlite_with_rowid=False,
)
