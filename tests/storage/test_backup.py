import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine

from relay.model.errors import StorageError
from relay.model.mail import DeliveryState
from relay.storage import admin, backup
from relay.storage.backup import back_up, copy_database, restore_database
from relay.storage.engine import open_engine
from relay.storage.queue import Queue
from relay.storage.upgrade import VERSION, prepare_database
from relay.storage.writer import Writer
from tests.peers.deliveries import Selection, list_deliveries
from tests.storage.conftest import new_mail

OPEN = Selection(states=tuple(DeliveryState))


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
    assert [(row.state, row.uncertain) for row in list_deliveries(again, OPEN)] == [("held", 1)] * 2
    again.dispose()
    assert restored.kept is not None
    kept = open_engine(f"sqlite:///{restored.kept}")
    assert len(list_deliveries(kept, OPEN)) == 3
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


def test_a_database_that_is_damaged_is_replaced_and_kept_as_it_is(base: Engine, tmp_path: Path) -> None:
    base.dispose()
    copy_database(tmp_path / "relay.db", tmp_path / "copy.db")
    (tmp_path / "relay.db").write_bytes(b"junk" * 4096)
    (tmp_path / "relay.db-wal").write_bytes(b"the rest")
    (tmp_path / "relay.db.bodies").mkdir()
    (tmp_path / "relay.db.bodies" / "x.0").write_bytes(b"a body")
    restored = restore_database(tmp_path / "copy.db", tmp_path / "relay.db", newest=VERSION)
    assert restored.damaged
    assert restored.kept == tmp_path / "relay.db.before-restore-1"
    assert restored.kept.read_bytes() == b"junk" * 4096
    assert (tmp_path / "relay.db.before-restore-1-wal").read_bytes() == b"the rest"
    assert (tmp_path / "relay.db.before-restore-1.bodies" / "x.0").read_bytes() == b"a body"
    assert not (tmp_path / "relay.db-wal").exists()
    assert not list(tmp_path.glob("*.restoring*"))
    again = open_engine(f"sqlite:///{tmp_path}/relay.db")
    assert list_deliveries(again, OPEN) == []
    again.dispose()


def test_a_database_that_somebody_holds_is_not_replaced(base: Engine, tmp_path: Path) -> None:
    base.dispose()
    copy_database(tmp_path / "relay.db", tmp_path / "copy.db")
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY

    def refuse(source: Path, target: Path, step: backup.Step | None) -> None:
        if source == tmp_path / "relay.db":
            raise error
        copy_pages(source, target, step)

    copy_pages = backup._copy_pages
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup, "_copy_pages", refuse)
        with pytest.raises(StorageError, match=r"in use by another program: try again"):
            restore_database(tmp_path / "copy.db", tmp_path / "relay.db", newest=VERSION)
    assert {path.name for path in tmp_path.iterdir()} == {"relay.db", "copy.db"}


def test_where_no_database_was_nothing_is_kept(base: Engine, tmp_path: Path) -> None:
    base.dispose()
    copy_database(tmp_path / "relay.db", tmp_path / "copy.db")
    (tmp_path / "empty.db").touch()
    for name in ("empty.db", "missing.db"):
        restored = restore_database(tmp_path / "copy.db", tmp_path / name, newest=VERSION)
        assert (restored.kept, restored.damaged) == (None, False)
        assert (tmp_path / name).stat().st_size > 0
    assert not list(tmp_path.glob("*.before-restore-*"))


def test_a_database_is_not_taken_back_onto_itself(base: Engine, tmp_path: Path) -> None:
    base.dispose()
    (tmp_path / "link.db").symlink_to(tmp_path / "relay.db")
    for name in ("relay.db", "link.db"):
        with pytest.raises(StorageError, match="the database itself"):
            restore_database(tmp_path / name, tmp_path / "relay.db", newest=VERSION)
    assert {path.name for path in tmp_path.iterdir()} == {"relay.db", "link.db"}


def test_a_copy_replaces_a_copy_and_nothing_else(base: Engine, tmp_path: Path) -> None:
    source = tmp_path / "relay.db"
    (tmp_path / "relay.toml").write_text("[server]")
    sqlite3.connect(tmp_path / "foreign.db").execute("CREATE TABLE meta (key, value)").connection.close()
    other = open_engine(f"sqlite:///{tmp_path}/other.db")
    prepare_database(other)
    other.dispose()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("relay.toml", "foreign.db", "other.db", "folder", "pipe", "relay.db"):
        with pytest.raises(StorageError, match=r"is not replaced|the database itself"):
            back_up(source, tmp_path / name)
    assert (tmp_path / "relay.toml").read_text() == "[server]"
    (tmp_path / "empty.db").touch()
    (tmp_path / "link.db").symlink_to(tmp_path / "copy.db")
    for name in ("copy.db", "copy.db", "link.db", "empty.db"):
        assert back_up(source, tmp_path / name) > 0
    assert (tmp_path / "link.db").is_symlink()
    base.dispose()


async def test_what_is_taken_back_says_in_its_life_why_it_is_held(base: Engine, tmp_path: Path) -> None:
    queue = Queue(base, Writer(base))
    mail = new_mail()
    await queue.accept(mail)
    await queue.close()
    base.dispose()
    copy_database(tmp_path / "relay.db", tmp_path / "copy.db")
    restore_database(tmp_path / "copy.db", tmp_path / "relay.db", newest=VERSION)
    again = open_engine(f"sqlite:///{tmp_path}/relay.db")
    (event,) = admin.show_message(again, mail.message.id).events
    assert (event.what, event.detail) == ("held", "restored from a copy: it may have been sent since")
    again.dispose()


def test_a_copy_of_an_older_release_is_taken_back_too(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "old.db")
    old.executescript((Path(__file__).parent / "released" / "1.sqlite.sql").read_text())
    old.close()
    restored = restore_database(tmp_path / "old.db", tmp_path / "relay.db", newest=VERSION)
    assert (restored.schema, restored.held > 0) == (1, True)
