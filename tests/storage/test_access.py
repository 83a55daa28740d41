import pytest

from relay.model.errors import StorageError
from relay.storage.queue import Queue
from tests.storage.conftest import new_mail


async def test_after_the_end_nothing_is_read_or_written(queue: Queue) -> None:
    await queue.accept(new_mail())
    assert queue.is_shared is (queue._engine.dialect.name == "postgresql")
    await queue.close()
    with pytest.raises(StorageError, match="closed"):
        await queue.next_due()
    with pytest.raises(StorageError, match="closed"):
        await queue.accept(new_mail())
