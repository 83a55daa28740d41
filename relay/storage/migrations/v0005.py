"""Schema 5: a delivery has a destination in place of an account; any kind of recipient may be stored.

What was seen of a mailbox is keyed by folder, validity and unique id; the rows that are there are those of POP3.
"""

import sqlalchemy as sa
from alembic import op

_OPEN = sa.text("state <> 'done'")
_RECIPIENT = "message_id, n, delivery_id, address, kind, outcome, code, enhanced, reply, notify, orcpt"


def upgrade() -> None:
    """Lead a database of schema 4 to schema 5."""
    op.drop_index("delivery_open", "delivery")
    # Not a new table: dropping the old one would delete the attempts that refer to it.
    op.execute("ALTER TABLE delivery RENAME COLUMN account TO destination")
    op.execute(
        "UPDATE delivery SET destination = CASE WHEN destination <> '' THEN 'account:' || destination"
        " ELSE 'inbox:' || coalesce((SELECT min(r.address) FROM recipient r WHERE r.message_id = delivery.message_id"
        " AND r.delivery_id = delivery.id), '') END"
    )
    op.create_index(
        "delivery_open",
        "delivery",
        ["state", "destination", "source", "due", "id"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE recipient DROP CONSTRAINT recipient_kind_check")
    else:
        _rebuild_recipient()
    _name_messages_by_folder()


def _name_messages_by_folder() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    # Copied, not renamed: the primary key's index keeps its name, and SQLite can't change a primary key.
    op.execute("CREATE TEMPORARY TABLE seen_4 AS SELECT account, uidl, first_seen, fetched, gone_at FROM seen")
    op.drop_table("seen")
    op.create_table(
        "seen",
        *(sa.Column(name, text, primary_key=True) for name in ("account", "folder", "validity", "uid")),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("fetched", sa.Boolean(), nullable=False),
        sa.Column("gone_at", sa.BigInteger()),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO seen (account, folder, validity, uid, first_seen, fetched, gone_at)"
        " SELECT account, '', '', uidl, first_seen, fetched, gone_at FROM seen_4"
    )
    op.execute("DROP TABLE seen_4")
    op.add_column("mailbox", sa.Column("folders", text, nullable=False, server_default="{}"))
    # A mailbox of POP3 is one folder without a name; where no poll came so far, it is still to be met.
    op.execute("""UPDATE mailbox SET folders = '{"": ""}' WHERE host <> ''""")
    for name in ("folder", "validity"):
        op.add_column("arrival", sa.Column(name, text, nullable=False, server_default=""))


def _rebuild_recipient() -> None:
    """Copy the recipients into a table without the CHECK on `kind`; SQLite can't drop one. Nothing refers to them."""

    def words(name: str, default: str | None = "") -> sa.Column[str]:
        return sa.Column(name, sa.Text(), nullable=False, server_default=default)

    op.create_table(
        "recipient_5",
        sa.Column("message_id", sa.Text(), sa.ForeignKey("message.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("n", sa.Integer(), primary_key=True),
        *(words(name, None) for name in ("delivery_id", "address", "kind")),
        words("outcome", "pending"),
        sa.Column("code", sa.Integer(), nullable=False, server_default="0"),
        *(words(name) for name in ("enhanced", "reply", "notify", "orcpt")),
        sa.CheckConstraint("outcome IN ('pending', 'delivered', 'bounced')"),
        sqlite_with_rowid=False,
    )
    op.execute(f"INSERT INTO recipient_5 ({_RECIPIENT}) SELECT {_RECIPIENT} FROM recipient")  # noqa: S608 - constants
    op.drop_table("recipient")
    op.rename_table("recipient_5", "recipient")
