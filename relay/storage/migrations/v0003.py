"""Schema 3: a claim has a token, which whoever settles the delivery must present."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Lead a database of schema 2 to schema 3."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("delivery", sa.Column("token", text, nullable=False, server_default=""))
