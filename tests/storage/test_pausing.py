from dataclasses import replace

from sqlalchemy import Engine

from relay.model.mail import Pause
from relay.storage import admin
from relay.storage.pausing import MOST_FINGERPRINTS
from relay.storage.queue import Queue
from tests.storage.conftest import NOW

PAUSE = Pause(account="sales", since=NOW, until=None, reason="535", probes=0, next_probe=NOW + 60, fingerprint="f")


async def test_a_pause_lasts_until_it_is_ended_whoever_else_is_refused(queue: Queue) -> None:
    assert await queue.pause(PAUSE) == PAUSE
    again = replace(PAUSE, since=NOW + 9, reason="530", next_probe=NOW + 99, fingerprint="g")
    assert await queue.pause(again) == replace(PAUSE, reason="530", fingerprint="f g")
    assert await queue.pauses() == [replace(PAUSE, reason="530", fingerprint="f g")]
    assert await queue.resume("sales", NOW + 10)
    assert await queue.pauses() == []
    assert not await queue.resume("sales", NOW + 11)


async def test_the_times_of_pauses_are_remembered(queue: Queue) -> None:
    await queue.pause(PAUSE)
    await queue.resume("sales", NOW + 10)
    await queue.pause(replace(PAUSE, since=NOW + 20))
    assert await queue.pauses_between("sales", NOW - 5, NOW + 30) == [(NOW, NOW + 10), (NOW + 20, NOW + 30)]
    assert await queue.pauses_between("sales", NOW + 5, NOW + 15) == [(NOW + 5, NOW + 10)]
    assert await queue.pauses_between("sales", NOW + 11, NOW + 15) == []
    assert await queue.pauses_between("other", 0, NOW + 99) == []


async def test_a_persons_pause_is_a_persons_to_end(queue: Queue, engine: Engine) -> None:
    admin.pause_account(engine, "sales", now=NOW)
    await queue.pause(replace(PAUSE, since=NOW + 1))
    (pause,) = await queue.pauses()
    assert pause.by_person
    assert not await queue.resume("sales", NOW + 2)
    assert admin.resume_account(engine, "sales", now=NOW + 3)
    assert await queue.pauses() == []


async def test_a_person_takes_over_a_pause_of_the_service(queue: Queue, engine: Engine) -> None:
    await queue.pause(PAUSE)
    admin.pause_account(engine, "sales", now=NOW + 5)
    (pause,) = await queue.pauses()
    assert (pause.by_person, pause.since) == (True, NOW)
    assert [p.account for p in admin.list_pauses(engine)] == ["sales"]


async def test_of_two_nodes_one_begins_a_probe(queue: Queue) -> None:
    await queue.pause(PAUSE)
    begun = [await queue.begin_probe(PAUSE, next_probe=NOW + 99, fingerprint="f") for _ in range(2)]
    assert begun == [True, False]
    assert await queue.pauses() == [replace(PAUSE, probes=1, next_probe=NOW + 99)]
    await queue.resume("sales", NOW + 10)
    assert not await queue.begin_probe(replace(PAUSE, probes=1), next_probe=NOW + 99, fingerprint="f")


async def test_the_pause_before_is_known_where_a_probe_ended_it(queue: Queue, engine: Engine) -> None:
    assert await queue.probes_before("sales", 0, NOW + 9) == 0
    await queue.pause(replace(PAUSE, probes=3))
    assert await queue.probes_before("sales", 0, NOW + 9) == 0
    await queue.resume("sales", NOW + 9)
    assert await queue.probes_before("sales", NOW, NOW + 9) == 3
    assert await queue.probes_before("sales", NOW + 10, NOW + 99) == 0
    assert await queue.probes_before("other", 0, NOW + 9) == 0
    await queue.pause(replace(PAUSE, since=NOW + 10, probes=4))
    assert admin.resume_account(engine, "sales", now=NOW + 11)
    assert await queue.probes_before("sales", NOW, NOW + 11) == 0


async def test_only_so_many_refused_settings_are_remembered(queue: Queue) -> None:
    await queue.pause(PAUSE)
    for n in range(MOST_FINGERPRINTS):
        await queue.pause(replace(PAUSE, fingerprint=str(n)))
    (pause,) = await queue.pauses()
    assert pause.fingerprint.split() == [str(n) for n in range(MOST_FINGERPRINTS)]


async def test_the_key_of_fingerprints_is_made_once(queue: Queue) -> None:
    key = await queue.fingerprint_key()
    assert len(key) == 32
    assert await queue.fingerprint_key() == key
