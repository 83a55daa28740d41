from collections.abc import Generator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from relay.rules.nightly import BackupState
from relay.storage.backups import note_begun, note_done, note_failed
from relay.storage.engine import open_engine, transaction
from relay.storage.upgrade import prepare_database
from tests.peers.backups import last_backup


@pytest.fixture
def base(tmp_path: Path) -> Generator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/relay.db")
    prepare_database(engine)
    yield engine
    engine.dispose()


def test_a_new_database_knows_of_no_backup(base: Engine) -> None:
    assert last_backup(base) == BackupState()


def test_what_was_begun_done_and_failed_is_remembered(base: Engine, tmp_path: Path) -> None:
    with transaction(base, write=True) as tx:
        first = note_begun(tx, 1000)
    assert last_backup(base) == BackupState(begun=1000)
    with transaction(base, write=True) as tx:
        note_done(tx, 1000, tmp_path / "one ü")
    assert last_backup(base) == BackupState(at=1000, folder=tmp_path / "one ü")
    with transaction(base, write=True) as tx:
        assert note_begun(tx, 2000) == first
        note_failed(tx, 2001, "/backup: No space left on device")
    failed = BackupState(at=1000, folder=tmp_path / "one ü", error="/backup: No space left on device", error_at=2001)
    assert last_backup(base) == failed
    # As short commands open it.
    assert last_backup(open_engine(f"sqlite:///{tmp_path}/relay.db", create=False)) == failed
    with transaction(base, write=True) as tx:
        note_done(tx, 3000, tmp_path / "two")
    assert last_backup(base) == BackupState(at=3000, folder=tmp_path / "two")
