"""Schema 2: wishes of RFC 3461, what a notice is about, turns of the sources, warnings, daily counters, events."""

import sqlalchemy as sa
from alembic import op

_OPEN = sa.text("state <> 'done'")
_ABOUT = sa.text("about <> ''")


def upgrade() -> None:
    """Lead a database of schema 1 to schema 2."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

    def words(name: str) -> sa.Column[str]:
        return sa.Column(name, text, nullable=False, server_default="-" if name == "source" else "")

    for table, names in (
        ("message", ("envelope_id", "ret", "about")),
        ("delivery", ("source",)),
        ("recipient", ("notify", "orcpt")),
    ):
        for name in names:
            op.add_column(table, words(name))
    op.add_column("delivery", sa.Column("warned", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.execute(
        "UPDATE delivery SET source = (SELECT coalesce(m.\"user\", '') || ' ' || m.client FROM message m"
        " WHERE m.id = delivery.message_id) WHERE state <> 'done'"
    )
    op.create_index("message_by_about", "message", ["about"], sqlite_where=_ABOUT, postgresql_where=_ABOUT)
    op.drop_index("delivery_open", "delivery")
    op.create_index(
        "delivery_open",
        "delivery",
        ["state", "account", "source", "due", "id"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_table(
        "counter",
        sa.Column("account", text, primary_key=True),
        sa.Column("day", text, primary_key=True),
        sa.Column("recipients", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("message_id", text, sa.ForeignKey("message.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("at", sa.BigInteger(), primary_key=True),
        sa.Column("what", text, primary_key=True),
        sa.Column("detail", text, primary_key=True),
        sqlite_with_rowid=False,
    )
