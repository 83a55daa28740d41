"""Checks the URL of the database: SQLite or PostgreSQL. It may hold a password, so no reason quotes it."""

import re
from pathlib import Path
from urllib.parse import quote, unquote

_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?:///([^?]+)(\?.*)?", re.DOTALL)
_POSTGRESQL = re.compile(
    r"postgres(?:ql)?(?:\+psycopg)?://"
    r"((?:[^:/@?]*(?::[^@]*)?@)?"
    r"(?:\[[0-9A-Fa-f:.%]+\]|[^:/@?\[\]]*)(?::[0-9]{1,5})?"
    r"(?:/[^?]*)?(?:\?.*)?)"
)


def check_database(value: object) -> str:
    """Check the URL of a database. Raises ValueError with a reason that does not quote it."""
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")  # noqa: TRY004 - an error of the file, not of the code
    if not value.isprintable():
        raise ValueError("must not hold control characters")
    scheme = value.partition(":")[0].lower()
    if scheme.startswith("sqlite"):
        _check_sqlite(value)
    elif not scheme.startswith("postgres"):
        raise ValueError('must begin with "sqlite:///" (a file: "sqlite:///relay.db") or "postgresql://"')
    elif _POSTGRESQL.fullmatch(value) is None:
        raise ValueError(
            'must be like "postgresql://user:password@host/database"; '
            "an @ : / ? within user or password is written %40 %3A %2F %3F"
        )
    return value


def resolve_database(url: str, folder: Path) -> str:
    """Return SQLAlchemy's form of a checked URL: an absolute path for SQLite, psycopg 3 for PostgreSQL."""
    sqlite = _SQLITE.fullmatch(url)
    if sqlite is not None:
        # SQLAlchemy unquotes the path of a URL, so ours is unquoted and quoted again.
        return f"sqlite:///{quote(str(folder / unquote(sqlite[1])))}{sqlite[2] or ''}"
    postgresql = _POSTGRESQL.fullmatch(url)
    assert postgresql is not None
    return f"postgresql+psycopg://{postgresql[1]}"


def sqlite_path(url: str, folder: Path) -> Path | None:
    """Return the file of an SQLite database; None for any other text."""
    sqlite = _SQLITE.fullmatch(url)
    if sqlite is None or "\0" in (name := unquote(sqlite[1])):
        return None
    return folder / name


def _check_sqlite(url: str) -> None:
    match = _SQLITE.fullmatch(url)
    if match is None or match[1] in (":memory:", "/") or match[1].startswith("file:"):
        raise ValueError('must name a file, such as "sqlite:///relay.db": the queue must outlive the process')
    if "\0" in unquote(match[1]):
        raise ValueError("must not hold control characters")
