import threading

import pytest
from sqlalchemy import Engine, inspect, text

from relay.model.errors import StorageError
from relay.storage.engine import open_engine
from relay.storage.schema import create_schema, metadata


def test_all_tables_are_there_and_a_second_time_changes_nothing(engine: Engine) -> None:
    create_schema(engine)
    assert {*metadata.tables} <= {*inspect(engine).get_table_names()}


def test_a_newer_database_is_refused(url: str) -> None:
    engine = open_engine(url)
    create_schema(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE meta SET value = '99' WHERE key = 'schema'"))
    with pytest.raises(StorageError, match="newer"):
        create_schema(engine)
    engine.dispose()


def test_two_may_start_at_once(url: str) -> None:
    engine = open_engine(url)
    errors: list[BaseException] = []

    def create() -> None:
        try:
            create_schema(engine)
        except BaseException as error:  # noqa: BLE001 - the test reads it
            errors.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    engine.dispose()
