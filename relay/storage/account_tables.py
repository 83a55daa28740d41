"""The tables of accounts: pauses, logins, mailboxes and what was seen in them, the day's recipients.

Times are integer milliseconds since 1970, UTC.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Integer, Named, Table, TypedColumns

from relay.storage.columns import TEXT, metadata, partial


class _Pause(TypedColumns):
    account: Named[str] = Column(TEXT, primary_key=True)
    since: Named[int] = Column(BigInteger, primary_key=True)
    until: Named[int | None] = Column(BigInteger)
    reason: Named[str] = Column(TEXT)
    by_person: Named[bool] = Column(Boolean)
    probes: Named[int] = Column(Integer)
    next_probe: Named[int | None] = Column(BigInteger)
    fingerprint: Named[str] = Column(TEXT)


pause: Final = Table(
    "pause",
    metadata,
    _Pause,
    # An account has one pause at a time.
    partial("pause_lasting", "account", where="until IS NULL", unique=True),
)


class _Mailbox(TypedColumns):
    account: Named[str] = Column(TEXT, primary_key=True)
    # Names of its host, with spaces between them.
    host: Named[str] = Column(TEXT)
    login: Named[str] = Column(TEXT)
    last_ok: Named[int | None] = Column(BigInteger)
    error: Named[str] = Column(TEXT, server_default="")
    # Who polls it now, if anybody: one poll of one node, until its lease is over.
    node: Named[str] = Column(TEXT, server_default="")
    token: Named[str] = Column(TEXT, server_default="")
    lease_until: Named[int | None] = Column(BigInteger)
    # JSON: the folders of the last listing, each with its validity.
    folders: Named[str] = Column(TEXT, server_default="{}")


mailbox: Final = Table("mailbox", metadata, _Mailbox)


class _Login(TypedColumns):
    """An account's login by OAuth 2. What is secret in it is sealed by a key that is not in the database."""

    account: Named[str] = Column(TEXT, primary_key=True)
    # What the login is bound to: another registration or person is another login.
    binding: Named[str] = Column(TEXT)
    # JSON with the tokens, as relay.accounts.sealing seals it; empty where the first is still to be got.
    sealed: Named[str] = Column(TEXT)
    # When somebody signed in, when the tokens came, and until when the access token holds.
    begun_at: Named[int] = Column(BigInteger)
    got_at: Named[int] = Column(BigInteger)
    ends_at: Named[int] = Column(BigInteger)
    # When what renews the tokens was given, and until when it holds; 0 where the issuer has not said it.
    renewal_at: Named[int] = Column(BigInteger, server_default="0")
    renewal_ends_at: Named[int] = Column(BigInteger, server_default="0")
    # Why it is over, in the issuer's words; empty while it is not.
    ended: Named[str] = Column(TEXT, server_default="")
    # Who refreshes it now, if anybody: one refresh of one node, until its lease is over.
    node: Named[str] = Column(TEXT, server_default="")
    token: Named[str] = Column(TEXT, server_default="")
    lease_until: Named[int | None] = Column(BigInteger)


login: Final = Table("login", metadata, _Login)


class _Seen(TypedColumns):
    """The messages in a mailbox that a poll has seen. POP3 has neither folders nor validities."""

    account: Named[str] = Column(TEXT, primary_key=True)
    folder: Named[str] = Column(TEXT, primary_key=True)
    validity: Named[str] = Column(TEXT, primary_key=True)
    uid: Named[str] = Column(TEXT, primary_key=True)
    first_seen: Named[int] = Column(BigInteger)
    fetched: Named[bool] = Column(Boolean)
    gone_at: Named[int | None] = Column(BigInteger)


seen: Final = Table("seen", metadata, _Seen, sqlite_with_rowid=False)


class _Counter(TypedColumns):
    """The recipients that an account's day has seen; the day is the office's, `2026-05-28`."""

    account: Named[str] = Column(TEXT, primary_key=True)
    day: Named[str] = Column(TEXT, primary_key=True)
    recipients: Named[int] = Column(BigInteger)


counter: Final = Table("counter", metadata, _Counter)
