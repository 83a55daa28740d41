"""Schema 3: a claim has a token, which whoever settles the delivery must present; one node polls a mailbox."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Lead a database of schema 2 to schema 3."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("delivery", sa.Column("token", text, nullable=False, server_default=""))
    for name in ("node", "token"):
        op.add_column("mailbox", sa.Column(name, text, nullable=False, server_default=""))
    op.add_column("mailbox", sa.Column("lease_until", sa.BigInteger()))
