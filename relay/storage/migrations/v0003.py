"""Schema 3: which node polls a mailbox."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Lead a database of schema 2 to schema 3."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    for name in ("node", "token"):
        op.add_column("mailbox", sa.Column(name, text, nullable=False, server_default=""))
    op.add_column("mailbox", sa.Column("lease_until", sa.BigInteger()))
