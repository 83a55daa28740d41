import time

import pytest
from sqlalchemy import Engine

from relay.model.mail import NewMessage
from relay.storage import commands, steps
from relay.storage.queue import Queue
from tests.storage.conftest import NOW, new_mail


async def _accept(queue: Queue, count: int) -> list[NewMessage]:
    mails = [new_mail() for _ in range(count)]
    for mail in mails:
        await queue.accept(mail)
    return mails


async def test_a_step_says_of_each_mail_why_it_stays(queue: Queue, engine: Engine) -> None:
    ids = [mail.message.id for mail in await _accept(queue, 5)]
    with steps.one_step(engine, [*ids, ids[0], "none"]) as step:
        assert len(step.mails) == 6
        step.skip_unchanged(lambda _mail: "stays")
    assert step.done == steps.Done(count=0, skipped={**dict.fromkeys(ids, "stays"), "none": "is not there any more"})


async def test_many_are_changed_in_steps_and_the_service_writes_between_them(
    queue: Queue, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "STEP", 3)
    ids = [mail.message.id for mail in await _accept(queue, 10)]
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    told = [commands.hold(engine, part, now=NOW).count for part in steps.parts([ids])]
    assert told == [3, 3, 3, 1]
    assert len(pauses) == 3
    assert min(pauses) >= 0.02
    assert [len(part) for part in steps.parts([ids[:4], ids[4:]])] == [3, 1, 3, 3]
    assert len(pauses) == 6  # also from page to page
    assert commands.release(engine, ids, now=NOW).count == 10
    runs = [commands.run_queue(engine, part, now=NOW) for part in steps.parts([ids])]
    assert [len(run["sales"]) for run in runs] == [3, 3, 3, 1]
    assert len(pauses) == 9
