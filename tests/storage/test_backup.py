import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine

from relay.model.errors import StorageError
from relay.model.mail import DeliveryState
from relay.storage import admin
from relay.storage.backup import copy_database, database_file, restore_database
from relay.storage.engine import open_engine
from relay.storage.queue import Queue
from relay.storage.schema import VERSION
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from tests.storage.conftest import new_mail

OPEN = admin.Selection(states=tuple(DeliveryState))


@pytest.fixture
def base(tmp_path: Path) -> Engine:
    engine = open_engine(f"sqlite:///{tmp_path}/relay.db")
    prepare_database(engine)
    return engine


async def test_a_copy_is_whole_while_others_write(base: Engine, tmp_path: Path) -> None:
    queue = Queue(base, Writer(base))
    await queue.accept(new_mail(state=DeliveryState.ACTIVE))
    await queue.accept(new_mail())
    copied = copy_database(tmp_path / "relay.db", tmp_path / "copy.db")
    await queue.accept(new_mail())
    assert copied == (tmp_path / "copy.db").stat().st_size
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    await queue.close()
    base.dispose()
    restored = restore_database(tmp_path / "copy.db", tmp_path / "relay.db", newest=VERSION)
    assert (restored.schema, restored.held) == (VERSION, 2)
    again = open_engine(f"sqlite:///{tmp_path}/relay.db")
    assert [(row.state, row.uncertain) for row in admin.list_deliveries(again, OPEN)] == [("held", 1)] * 2
    again.dispose()
    assert restored.kept is not None
    kept = open_engine(f"sqlite:///{restored.kept}")
    assert len(admin.list_deliveries(kept, OPEN)) == 3
    kept.dispose()


def test_a_copy_that_fails_leaves_nothing_behind(base: Engine, tmp_path: Path) -> None:
    (tmp_path / "junk.db").write_bytes(b"x" * 9000)
    for source in ("junk.db", "nothing.db"):
        with pytest.raises(StorageError, match="copy"):
            copy_database(tmp_path / source, tmp_path / "copy.db")
    assert not list(tmp_path.glob("*copy*"))
    assert not (tmp_path / "nothing.db").exists()
    base.dispose()


def test_what_can_not_be_taken_back_changes_nothing(base: Engine, tmp_path: Path) -> None:
    copy_database(tmp_path / "relay.db", tmp_path / "newer.db")
    with sqlite3.connect(tmp_path / "newer.db") as newer:
        newer.execute("UPDATE meta SET value = '99'")
    newer.close()
    (tmp_path / "junk.db").write_bytes(b"x" * 9000)
    sqlite3.connect(tmp_path / "other.db").close()
    before = (tmp_path / "relay.db").read_bytes()
    for name in ("newer.db", "junk.db", "other.db"):
        with pytest.raises(StorageError, match=r"newer|no copy"):
            restore_database(tmp_path / name, tmp_path / "relay.db", newest=VERSION)
    assert (tmp_path / "relay.db").read_bytes() == before
    base.dispose()


def test_postgresql_has_its_own_tools(engine: Engine) -> None:
    assert (database_file(engine) is None) is (engine.dialect.name == "postgresql")
