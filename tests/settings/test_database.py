from pathlib import Path

import pytest
from sqlalchemy import make_url

from relay.settings.database import check_database, resolve_database

FOLDER = Path("/var/lib/a b?c%20d")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///relay.db", "/var/lib/a b?c%20d/relay.db"),
        ("sqlite:////srv/r.db", "/srv/r.db"),
        ("sqlite:///x%20y.db", "/var/lib/a b?c%20d/x y.db"),
    ],
)
def test_a_sqlite_file_is_absolute(url: str, name: str) -> None:
    assert make_url(resolve_database(check_database(url), FOLDER)).database == name


@pytest.mark.parametrize(
    "url", ["postgresql://relay@db/relay", "postgres://u:p%40w@[::1]:5432/r?sslmode=require", "postgresql:///relay"]
)
def test_postgresql_goes_by_psycopg_3(url: str) -> None:
    assert make_url(resolve_database(check_database(url), FOLDER)).drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "url",
    [
        "",
        5,
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://hunter2@x",
        "postgresql://u:hunter2@x@y/z w\n",
        "sqlite:///a%00b",
    ],
)
def test_anything_else_is_refused_without_showing_it(url: object) -> None:
    with pytest.raises(ValueError, match="must") as error:
        check_database(url)
    assert "hunter2" not in str(error.value)
