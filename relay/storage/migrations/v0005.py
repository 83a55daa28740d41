"""Schema 5: a delivery has a destination in place of an account; any kind of recipient may be stored."""

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
