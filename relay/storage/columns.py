"""What the tables are made of: their list, the type of texts, conditions, and indexes of a part of the rows."""

from typing import Final

from sqlalchemy import CheckConstraint, Index, MetaData, Text, text

metadata: Final = MetaData()
"""All tables; complete once `tables` and `account_tables` are imported, as `upgrade` does."""

TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""In bytewise order on both databases: prefixes of ids are found by ranges."""


def one_of(column: str, *values: str) -> CheckConstraint:
    """Make the condition that a column has one of these values."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})")


def partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Make an index of the rows that a condition is true of; a query must name it with literals to use the index."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where))  # to PostgreSQL `upgrade` tells it
