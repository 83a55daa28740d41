"""A claim has a token, which whoever settles the delivery must present."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Change the tables of schema 2."""
    op.add_column("delivery", sa.Column("token", sa.Text(), nullable=False, server_default=""))
