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
    Named,
    Table,
    Text,
    TypedColumns,
    text,
)

metadata: Final = MetaData()

# Bytewise order on both databases: prefixes of ids are found by ranges.
_Text = Text().with_variant(Text(collation="C"), "postgresql")


def _one_of(column: str, *values: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})")


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Make an index of the rows that a condition is true of; a query must name it with literals to use the index."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where))  # to PostgreSQL `upgrade` tells it


class _Meta(TypedColumns):
    key: Named[str] = Column(_Text, primary_key=True)
    value: Named[str] = Column(_Text)


meta: Final = Table("meta", metadata, _Meta)


class _Message(TypedColumns):
    id: Named[str] = Column(_Text, primary_key=True)
    received_at: Named[int] = Column(BigInteger)
    user: Named[str | None] = Column(_Text)
    account: Named[str] = Column(_Text)
    rule: Named[str] = Column(_Text)
    reverse_path: Named[str] = Column(_Text)
    header_message_id: Named[str] = Column(_Text)
    subject: Named[str] = Column(_Text)
    size: Named[int] = Column(BigInteger)
    client: Named[str] = Column(_Text)
    header: Named[bytes] = Column(LargeBinary)
    archive_header: Named[bytes | None] = Column(LargeBinary)
    eightbit: Named[bool] = Column(Boolean)
    smtputf8: Named[bool] = Column(Boolean)
    notice: Named[bool] = Column(Boolean)
    why: Named[str] = Column(_Text)
    # What the client asked for (RFC 3461): ENVID, as xtext, and RET.
    envelope_id: Named[str] = Column(_Text, server_default="")
    ret: Named[str] = Column(_Text, server_default="")
    # Of a notice: the mail that it tells about.
    about: Named[str] = Column(_Text, server_default="")


message: Final = Table(
    "message",
    metadata,
    _Message,
    # No index on received_at: the ids sort by it.
    Index("message_by_header_id", "header_message_id"),
    _partial("message_by_about", "about", where="about <> ''"),
)


class _Content(TypedColumns):
    """The bodies of mails, in chunks.

    No foreign key: chunks are written ahead of their message, and belong to nobody until it is there.
    """

    message_id: Named[str] = Column(_Text, primary_key=True)
    version: Named[int] = Column(Integer, primary_key=True)
    seq: Named[int] = Column(Integer, primary_key=True)
    data: Named[bytes] = Column(LargeBinary)


content: Final = Table("content", metadata, _Content)


class _Delivery(TypedColumns):
    """One transaction to come with a provider, or with an inbox: some recipients of a mail, one version of its body."""

    id: Named[str] = Column(_Text, primary_key=True)
    message_id: Named[str] = Column(_Text, ForeignKey("message.id", ondelete="CASCADE"))
    # As relay.model.destination writes it.
    destination: Named[str] = Column(_Text)
    version: Named[int] = Column(Integer)
    state: Named[str] = Column(_Text)
    due: Named[int] = Column(BigInteger)
    since: Named[int] = Column(BigInteger)
    # attempts: those that count for the retry intervals; tried: all, each has a row.
    attempts: Named[int] = Column(Integer, server_default="0")
    tried: Named[int] = Column(Integer, server_default="0")
    # uncertain: how often it may have been sent; marked: the dot of the running attempt may be out.
    uncertain: Named[int] = Column(Integer)
    marked: Named[bool] = Column(Boolean, server_default=text("false"))
    # Of a claim: its token, the node that made it, and on a shared database until when it holds without being renewed.
    token: Named[str] = Column(_Text, server_default="")
    node: Named[str] = Column(_Text)
    lease_until: Named[int | None] = Column(BigInteger)
    # Who handed it in, from where: sources of one account take turns.
    source: Named[str] = Column(_Text, server_default="-")
    # Whether the sender has been told that it still waits.
    warned: Named[bool] = Column(Boolean, server_default=text("false"))


delivery: Final = Table(
    "delivery",
    metadata,
    _Delivery,
    _one_of("state", "queued", "active", "held", "done"),
    Index("delivery_by_message", "message_id"),
    # Serves the claim, the recovery and the lists, and is empty when the queue is.
    _partial("delivery_open", "state", "destination", "source", "due", "id", where="state <> 'done'"),
    sqlite_with_rowid=False,
)


class _Recipient(TypedColumns):
    message_id: Named[str] = Column(_Text, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    n: Named[int] = Column(Integer, primary_key=True)
    delivery_id: Named[str] = Column(_Text)
    address: Named[str] = Column(_Text)
    # No CHECK: a kind more needs no new table.
    kind: Named[str] = Column(_Text)
    outcome: Named[str] = Column(_Text, server_default="pending")
    code: Named[int] = Column(Integer, server_default="0")
    enhanced: Named[str] = Column(_Text, server_default="")
    reply: Named[str] = Column(_Text, server_default="")
    # NOTIFY and ORCPT of RFC 3461, as they came.
    notify: Named[str] = Column(_Text, server_default="")
    orcpt: Named[str] = Column(_Text, server_default="")


recipient: Final = Table(
    "recipient",
    metadata,
    _Recipient,
    _one_of("outcome", "pending", "delivered", "bounced"),
    sqlite_with_rowid=False,
)


class _Attempt(TypedColumns):
    delivery_id: Named[str] = Column(_Text, ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True)
    n: Named[int] = Column(Integer, primary_key=True)
    key: Named[str] = Column(_Text)
    at: Named[int] = Column(BigInteger)
    seconds: Named[float] = Column(Double)
    code: Named[int] = Column(Integer)
    enhanced: Named[str] = Column(_Text)
    reply: Named[str] = Column(_Text)


attempt: Final = Table("attempt", metadata, _Attempt, sqlite_with_rowid=False)


class _Pause(TypedColumns):
    account: Named[str] = Column(_Text, primary_key=True)
    since: Named[int] = Column(BigInteger, primary_key=True)
    until: Named[int | None] = Column(BigInteger)
    reason: Named[str] = Column(_Text)
    by_person: Named[bool] = Column(Boolean)
    probes: Named[int] = Column(Integer)
    next_probe: Named[int | None] = Column(BigInteger)
    fingerprint: Named[str] = Column(_Text)


pause: Final = Table(
    "pause",
    metadata,
    _Pause,
    # An account has one pause at a time.
    _partial("pause_lasting", "account", where="until IS NULL", unique=True),
)


class _Mailbox(TypedColumns):
    account: Named[str] = Column(_Text, primary_key=True)
    # Names of its host, with spaces between them.
    host: Named[str] = Column(_Text)
    login: Named[str] = Column(_Text)
    last_ok: Named[int | None] = Column(BigInteger)
    error: Named[str] = Column(_Text, server_default="")
    # Who polls it now, if anybody: one poll of one node, until its lease is over.
    node: Named[str] = Column(_Text, server_default="")
    token: Named[str] = Column(_Text, server_default="")
    lease_until: Named[int | None] = Column(BigInteger)
    # JSON: the folders of the last listing, each with its validity.
    folders: Named[str] = Column(_Text, server_default="{}")


mailbox: Final = Table("mailbox", metadata, _Mailbox)


class _Login(TypedColumns):
    """An account's login by OAuth 2. What is secret in it is sealed by a key that is not in the database."""

    account: Named[str] = Column(_Text, primary_key=True)
    # What the login is bound to: another registration or person is another login.
    binding: Named[str] = Column(_Text)
    # JSON with the tokens, as relay.accounts.sealing seals it; empty where the first is still to be got.
    sealed: Named[str] = Column(_Text)
    # When somebody signed in, when the tokens came, and until when the access token holds.
    begun_at: Named[int] = Column(BigInteger)
    got_at: Named[int] = Column(BigInteger)
    ends_at: Named[int] = Column(BigInteger)
    # When what renews the tokens was given, and until when it holds; 0 where the issuer has not said it.
    renewal_at: Named[int] = Column(BigInteger, server_default="0")
    renewal_ends_at: Named[int] = Column(BigInteger, server_default="0")
    # Why it is over, in the issuer's words; empty while it is not.
    ended: Named[str] = Column(_Text, server_default="")
    # Who refreshes it now, if anybody: one refresh of one node, until its lease is over.
    node: Named[str] = Column(_Text, server_default="")
    token: Named[str] = Column(_Text, server_default="")
    lease_until: Named[int | None] = Column(BigInteger)


login: Final = Table("login", metadata, _Login)


class _Seen(TypedColumns):
    """The messages in a mailbox that a poll has seen. POP3 has neither folders nor validities."""

    account: Named[str] = Column(_Text, primary_key=True)
    folder: Named[str] = Column(_Text, primary_key=True)
    validity: Named[str] = Column(_Text, primary_key=True)
    uid: Named[str] = Column(_Text, primary_key=True)
    first_seen: Named[int] = Column(BigInteger)
    fetched: Named[bool] = Column(Boolean)
    gone_at: Named[int | None] = Column(BigInteger)


seen: Final = Table("seen", metadata, _Seen, sqlite_with_rowid=False)


class _Arrival(TypedColumns):
    """A user's copy of a collected mail. The copies of one mail have ids that differ in their last three characters."""

    id: Named[str] = Column(_Text, primary_key=True)
    at: Named[int] = Column(BigInteger)
    user: Named[str] = Column(_Text)
    # For which of his addresses he gets it, and why.
    address: Named[str] = Column(_Text)
    why: Named[str] = Column(_Text)
    account: Named[str] = Column(_Text)
    uidl: Named[str] = Column(_Text)
    header_message_id: Named[str] = Column(_Text)
    sender: Named[str] = Column(_Text)
    subject: Named[str] = Column(_Text)
    size: Named[int] = Column(BigInteger)
    # Where its file stands, as far as we know: readers move it. Of the quarantine: on which node, and why.
    place: Named[str] = Column(_Text)
    file: Named[str] = Column(_Text)
    node: Named[str] = Column(_Text, server_default="")
    reason: Named[str] = Column(_Text, server_default="")
    # When it left the quarantine, for whose inbox (none: deleted), and who said so.
    left_at: Named[int | None] = Column(BigInteger)
    given_to: Named[str] = Column(_Text, server_default="")
    left_by: Named[str] = Column(_Text, server_default="")
    # With `account` and `uidl` they are the key of the message in `seen`.
    folder: Named[str] = Column(_Text, server_default="")
    validity: Named[str] = Column(_Text, server_default="")


arrival: Final = Table(
    "arrival",
    metadata,
    _Arrival,
    _one_of("place", "inbox", "quarantine", "deleted"),
    # No index on at: the ids sort by it.
    Index("arrival_by_header_id", "header_message_id"),
    Index("arrival_by_uidl", "uidl"),
    _partial("arrival_quarantined", "id", where="place = 'quarantine'"),
)


class _Counter(TypedColumns):
    """The recipients that an account's day has seen; the day is the office's, `2026-05-28`."""

    account: Named[str] = Column(_Text, primary_key=True)
    day: Named[str] = Column(_Text, primary_key=True)
    recipients: Named[int] = Column(BigInteger)


counter: Final = Table("counter", metadata, _Counter)


class _Event(TypedColumns):
    """What happened to a mail beside its attempts: people's commands, splits, recoveries, warnings."""

    message_id: Named[str] = Column(_Text, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    at: Named[int] = Column(BigInteger, primary_key=True)
    what: Named[str] = Column(_Text, primary_key=True)
    detail: Named[str] = Column(_Text, primary_key=True)


event: Final = Table("event", metadata, _Event, sqlite_with_rowid=False)
