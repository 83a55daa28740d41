import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import text

from relay.housekeeping import ROUND, STEP, Housekeeper
from relay.model.maildrop import Place
from relay.runtime import Runtime
from relay.storage import arrivals
from relay.storage.engine import transaction
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider
from tests.storage.conftest import new_copies


@asynccontextmanager
async def keeping(folder: Path, provider: Provider, **limits: str) -> AsyncGenerator[tuple[Office, Housekeeper]]:
    async with open_office(folder, port=provider.port, limits=limits) as office:
        yield office, Housekeeper(Runtime(settings=lambda: office.settings, queue=office.queue, now=lambda: office.now))


def bodies(office: Office) -> int:
    with office.engine.connect() as connection:
        return int(connection.execute(text("SELECT count(DISTINCT message_id) FROM content")).scalar_one())


async def test_bodies_that_were_kept_go_when_none_are_to_be_kept_any_more(tmp_path: Path) -> None:
    async with Provider() as provider, keeping(tmp_path, provider, keep_delivered="1 day") as (office, keeper):
        await office.hand_in()
        await office.send()
        await keeper.clear_away()
        assert bodies(office) == 1
        office.settings = replace(office.settings, limits=replace(office.settings.limits, keep_delivered=0))
        office.now += MINUTE
        await keeper.clear_away()
        assert bodies(office) == 0


async def test_what_none_can_have_left_is_not_looked_for_again(tmp_path: Path) -> None:
    async with Provider() as provider, keeping(tmp_path, provider) as (office, keeper):
        drop, office.queue.drop_delivered_bodies = office.queue.drop_delivered_bodies, AsyncMock(return_value=STEP)  # type: ignore[method-assign]
        assert await keeper.clear_away()
        office.queue.drop_delivered_bodies.return_value = 1
        assert not await keeper.clear_away()
        await keeper.clear_away()
        assert office.queue.drop_delivered_bodies.await_count == 2
        office.queue.drop_delivered_bodies = drop  # type: ignore[method-assign]


async def test_history_goes_after_its_time(tmp_path: Path) -> None:
    async with Provider() as provider, keeping(tmp_path, provider, keep_history="1 day") as (office, keeper):
        await office.hand_in()
        await office.send()
        office.now += 25 * 60 * MINUTE
        await keeper.clear_away()
        assert office.waiting("done") == []


async def test_what_came_in_goes_after_its_time_but_for_the_quarantine(tmp_path: Path) -> None:
    async with Provider() as provider, keeping(tmp_path, provider, keep_history="1 day") as (office, keeper):
        old = [*new_copies("a", at=office.now), *new_copies("b", at=office.now, place=Place.QUARANTINE)]
        with transaction(office.engine, write=True) as tx:
            arrivals.insert(tx, [*old, *new_copies("c", at=office.now + 2 * 60 * MINUTE)])
        office.now += 25 * 60 * MINUTE
        assert not await keeper.clear_away()
        with office.engine.connect() as connection:
            assert set(connection.execute(text("SELECT uidl FROM arrival")).scalars()) == {"b", "c"}


@pytest.mark.parametrize(("took", "least"), [(0.01, 0.05), (2.0, 8.0)])
async def test_while_it_is_behind_its_pauses_are_short_and_leave_mail_the_larger_part(
    monkeypatch: pytest.MonkeyPatch, took: float, least: float
) -> None:
    clock: list[float] = [0.0]
    pauses: list[float] = []
    queue = AsyncMock()

    async def purge(_before: int, _limit: int) -> int:
        clock[0] += took
        return STEP if len(pauses) < 5 else 0

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock[0] += seconds
        if len(pauses) > 6:
            raise asyncio.CancelledError

    queue.purge_history, queue.drop_delivered_bodies.return_value = purge, 0
    monkeypatch.setattr(asyncio, "sleep", sleep)
    keeper = Housekeeper(Runtime(settings=AsyncMock(), queue=queue, monotonic=lambda: clock[0]))
    settings = AsyncMock()
    settings.limits.keep_history = settings.limits.keep_delivered = 0
    keeper._settings = lambda: settings
    with pytest.raises(asyncio.CancelledError):
        await keeper.run()
    assert pauses[:5] == pytest.approx([least] * 5)
    assert pauses[5] == pytest.approx(ROUND - 5 * (least + took) - took)


async def test_the_file_does_not_grow_under_constant_load_and_gives_its_space_back(tmp_path: Path) -> None:
    def size() -> int:
        with office.engine.connect() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return (tmp_path / "relay.db").stat().st_size

    limits = {"keep_history": "1 day", "keep_delivered": "1 h"}  # so that the bodies stand in the file together
    async with Provider() as provider, keeping(tmp_path, provider, **limits) as (office, keeper):
        empty, full, after = size(), [], []
        for _ in range(3):
            for _ in range(40):
                await office.hand_in(body=[(b"x" * 998 + b"\r\n") * 60])
            await office.send()
            full.append(size())
            office.now += 25 * 60 * MINUTE
            for _ in range(4):  # each step gives some pages back
                await keeper.clear_away()
            after.append(size())
    assert len(provider.mails) == 120
    assert full[0] > empty + 2_000_000
    assert max(full) <= full[0] * 1.05
    assert max(after) < empty + 200_000
