from pathlib import Path

import pytest

from relay.model.errors import StorageError
from relay.storage.engine import open_engine, transaction
from relay.storage.upgrade import prepare_database
from relay.storage.version import VERSION, require_database, schema_of


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'relay.db'}"
    engine = open_engine(url)
    prepare_database(engine)
    engine.dispose()
    return url


def test_a_database_of_this_program_can_be_used(url: str) -> None:
    database = open_engine(url, create=False)
    require_database(database)
    with transaction(database, write=False) as tx:
        assert schema_of(tx) == VERSION


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("DROP TABLE meta", "no database yet"),
        ("DELETE FROM meta", "no database yet"),
        ("UPDATE meta SET value = '1'", "older release"),
        ("UPDATE meta SET value = '99'", "schema 99, this program knows"),
    ],
)
def test_any_other_is_refused_and_left_alone(url: str, change: str, text: str) -> None:
    database = open_engine(url, create=False)
    with transaction(database, write=True) as tx:
        tx.raw(change)
    with pytest.raises(StorageError, match=text):
        require_database(database)
