"""Schema 6: the logins by OAuth 2, sealed, and the lease by which one node at a time refreshes one; files of bodies."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Lead a database of schema 5 to schema 6."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "login",
        sa.Column("account", text, primary_key=True),
        *(sa.Column(name, text, nullable=False) for name in ("binding", "sealed")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("begun_at", "got_at", "ends_at")),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
            for name in ("renewal_at", "renewal_ends_at")
        ),
        *(sa.Column(name, text, nullable=False, server_default="") for name in ("ended", "node", "token")),
        sa.Column("lease_until", sa.BigInteger()),
    )
    op.add_column("content", sa.Column("octets", sa.BigInteger(), nullable=False, server_default="0"))
