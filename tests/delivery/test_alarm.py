"""A mail that may not go yet wakes the look at the queue when it may go, and no sooner than there is need."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from relay.delivery import Delivery
from relay.model.destination import to_account
from relay.runtime import Runtime
from relay.submission import Submission
from tests.peers.office import START, Office, open_office

NEXT_LOOK = 1000.0
"""Monotonic seconds: when the queue is looked at in any case. It is 940 now."""
NOW = 940.0


class _Clock:
    seconds = NOW

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> int:
        return START + round((self.seconds - NOW) * 1000)


@asynccontextmanager
async def _office(folder: Path, **tables: Any) -> AsyncGenerator[tuple[Office, _Clock]]:  # noqa: ANN401 - a table each
    """Open an office whose time stands still; its queue has just been looked at."""
    clock = _Clock()
    smtp = {"host": "127.0.0.1", "port": 9, "security": "none", "messages_per_minute": 2}
    async with open_office(folder, account={"archive": False, "smtp": smtp}, **tables) as office:
        runtime = Runtime(
            settings=lambda: office.settings, queue=office.queue, now=clock.wall, monotonic=clock.monotonic
        )
        office.delivery = Delivery(runtime)
        office.submission = Submission(runtime, office.delivery)
        await office.delivery._look()
        office.delivery._next_look = NEXT_LOOK
        office.delivery._alarm.clear()
        yield office, clock


def _rest(office: Office, seconds: float) -> None:
    office.delivery._lanes.at(to_account("sales"))._backoff.until = NOW + seconds


def _pace(office: Office, seconds: float) -> None:
    lane = office.delivery._lanes.at(to_account("sales"))
    lane.restore_starts([NOW - 60 + seconds] * 2)


def _day(office: Office, seconds: float) -> None:
    office.delivery._lanes.at(to_account("sales")).quota.exhaust(START + round(seconds * 1000))


@pytest.mark.parametrize(
    ("stop", "seconds", "wakes"),
    [
        (stop, seconds, seconds < 60)
        for stop in (_rest, _pace, _day)
        for seconds in (0.5, 59.0, 60.0, 61.0)
        if stop is not _pace or seconds <= 60  # a minute that is full has room again within a minute
    ],
)
async def test_an_offer_wakes_the_look_only_if_it_may_go_before_the_next_one(
    tmp_path: Path, stop: Callable[[Office, float], None], seconds: float, wakes: bool
) -> None:
    async with _office(tmp_path) as (office, _):
        stop(office, seconds)
        await office.hand_in()
        assert office.delivery._alarm.is_set() is wakes
        assert office.delivery.active == 0
        # The look that it wakes knows when to come again: at the moment when the mail may go.
        assert await office.delivery._look() == pytest.approx(min(seconds, 60.0))


@pytest.mark.parametrize(("opens", "wakes"), [("22:27", True), ("22:28", False)])
async def test_an_offer_outside_of_the_hours_wakes_the_look_only_if_they_begin_before_the_next_one(
    tmp_path: Path, opens: str, wakes: bool
) -> None:  # 22:26:40 in Berlin
    schedule = {"active": [f"Mon-Sun {opens}-23:00"], "timezone": "Europe/Berlin"}
    async with _office(tmp_path, schedule=schedule) as (office, _):
        await office.hand_in()
        assert office.delivery._alarm.is_set() is wakes
        assert office.delivery.active == 0
        assert await office.delivery._look() == pytest.approx(20.0 if wakes else 60.0)


async def test_what_is_offered_during_a_look_is_seen_by_the_next_one(tmp_path: Path) -> None:
    async with _office(tmp_path) as (office, clock):
        look, looks, third = office.delivery._look, 0, asyncio.Event()

        async def hand_in_behind_the_look() -> float:
            nonlocal looks
            seconds = await look()
            looks += 1
            if looks == 2:
                _rest(office, 2000 + 30)
                await office.hand_in()
            elif looks == 3:
                third.set()
            return seconds

        office.delivery._look = hand_in_behind_the_look  # type: ignore[method-assign]
        running = asyncio.create_task(office.delivery.run())
        async with asyncio.timeout(5):
            while looks == 0 or math.isinf(office.delivery._next_look):  # noqa: ASYNC110 - no event says so
                await asyncio.sleep(0)
        clock.seconds = NOW + 2000  # the moment for which the second look was planned is long over
        office.delivery.rescan()
        async with asyncio.timeout(5):
            await third.wait()
        await office.delivery.drain(0)
        await running
