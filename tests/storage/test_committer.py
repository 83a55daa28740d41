import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from relay.storage import meta
from relay.storage.committer import Committer, Operation, Rank, Write
from relay.storage.engine import WriteConnection, transaction
from relay.storage.transaction import Transaction
from relay.storage.upgrade import prepare_database


def _note(tx: Transaction, values: Sequence[str]) -> list[str]:
    for value in values:
        meta.write(tx, f"said/{value}", value)
    return list(values)


def _writes(*values: str) -> list[Write]:
    loop = asyncio.get_running_loop()
    return [Write(Operation(1, _note), value, 0, loop.create_future(), []) for value in values]


async def test_a_batch_whose_answer_is_lost_takes_effect_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_database(engine)
    committer, commit, lost = Committer(engine), WriteConnection.commit, [True]

    def lose(connection: WriteConnection) -> None:
        commit(connection)
        if lost and lost.pop():
            raise OSError("the answer is lost")

    monkeypatch.setattr(WriteConnection, "commit", lose)
    batch = _writes("a", "b")
    committer.commit(batch)
    assert [write.result for write in batch] == ["a", "b"]
    committer.close()
    with transaction(engine, write=False) as tx:
        assert [key for key, _ in meta.read_family(tx, "said")] == ["said/a", "said/b"]
        assert list(meta.read_family(tx, "batch")) == []


def test_each_kind_of_write_has_a_place_of_its_own_and_what_adds_comes_first() -> None:
    assert len({*Rank}) == len(Rank.__members__)
    assert Rank.WRITE_CHUNK < Rank.ACCEPT < Rank.SETTLE < Rank.REQUEUE < Rank.CLAIM < Rank.DISCARD
