import pytest
from sqlalchemy import Engine

from relay.storage import steps
from relay.storage.queue import Queue
from tests.storage.conftest import new_mail


async def test_many_mails_go_in_steps_and_each_is_told_of(
    queue: Queue, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "STEP", 2)
    mails = [new_mail() for _ in range(5)]
    for mail in mails:
        await queue.accept(mail)
    ids = [mail.message.id for mail in mails]
    seen: list[int] = []
    sizes: list[int] = []

    def step(one: steps.Step) -> None:
        sizes.append(len(one.mails))
        one.skip_unchanged(lambda _mail: "stays")

    done = steps.in_steps(engine, [*ids, ids[0], "none"], step, seen.append)
    assert (seen, sizes) == ([2, 2, 2], [2, 2, 2])
    assert done.count == 0
    assert done.skipped == {**dict.fromkeys(ids, "stays"), "none": "is not there any more"}
