"""Schema 4: what came into the inboxes and the quarantine is kept, as what leaves is."""

import sqlalchemy as sa
from alembic import op

_QUARANTINED = sa.text("place = 'quarantine'")


def upgrade() -> None:
    """Lead a database of schema 3 to schema 4."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

    def words(*names: str) -> list[sa.Column[str]]:
        return [sa.Column(name, text, nullable=False) for name in names]

    def late(name: str) -> sa.Column[str]:
        return sa.Column(name, text, nullable=False, server_default="")

    op.create_table(
        "arrival",
        sa.Column("id", text, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *words("user", "address", "why", "account", "uidl", "header_message_id", "sender", "subject"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        *words("place", "file"),
        late("node"),
        late("reason"),
        sa.Column("left_at", sa.BigInteger()),
        late("given_to"),
        late("left_by"),
        sa.CheckConstraint("place IN ('inbox', 'quarantine', 'deleted')"),
    )
    op.create_index("arrival_by_header_id", "arrival", ["header_message_id"])
    op.create_index("arrival_by_uidl", "arrival", ["uidl"])
    op.create_index("arrival_quarantined", "arrival", ["id"], sqlite_where=_QUARANTINED, postgresql_where=_QUARANTINED)
