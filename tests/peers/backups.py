"""What a database remembers of its backups, as a test asks it."""

from sqlalchemy import Engine

from relay.rules.nightly import BackupState
from relay.storage.backups import read_state
from relay.storage.engine import transaction


def last_backup(engine: Engine) -> BackupState:
    """Give how the backups stand."""
    with transaction(engine, write=False) as tx:
        return read_state(tx)
