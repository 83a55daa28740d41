"""The deadline: never early, once, and without a timer for each move."""

import asyncio

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from relay.deadline import Deadline


class Timers:
    """A loop whose time stands still until it is told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.armed: list[tuple[float, asyncio.TimerHandle]] = []
        self.made = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: object) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, (), self)  # type: ignore[arg-type]  # as much of a loop as it needs
        self.armed.append((when, handle))
        self.made += 1
        return handle

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        pass

    def get_debug(self) -> bool:
        return False

    def go_to(self, now: float) -> None:
        while due := [one for one in self.armed if one[0] <= now]:
            when, handle = min(due, key=lambda one: one[0])
            self.armed.remove((when, handle))
            self.now = max(self.now, when)
            if not handle.cancelled():
                handle._callback()  # type: ignore[attr-defined]
        self.now = now


def deadline(timers: Timers) -> tuple[Deadline, list[float]]:
    calls: list[float] = []
    return Deadline(timers, lambda: calls.append(timers.now)), calls  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.integers(0, 20), st.one_of(st.none(), st.integers(1, 40)))))
def test_it_calls_when_the_last_deadline_passes_and_never_else(steps: list[tuple[int, int | None]]) -> None:
    timers = Timers()
    one, calls = deadline(timers)
    due: float | None = None
    expected = []
    for wait, seconds in steps:
        now = timers.now + wait
        if due is not None and due <= now:
            expected.append(due)
            due = None
        timers.go_to(now)
        if seconds is None:
            one.clear()
            due = None
        else:
            one.set(seconds)
            due = now + seconds
        assert calls == expected
        assert sum(not handle.cancelled() for _, handle in timers.armed) <= 1


def test_moving_it_away_costs_no_timer_and_closing_it_leaves_none() -> None:
    timers = Timers()
    one, calls = deadline(timers)
    one.set(300)
    one.set(180)
    for _ in range(1000):
        timers.go_to(timers.now + 0.1)
        one.set(300)
        one.set(180)
    assert timers.made == 2
    one.cancel()
    timers.go_to(1000)
    assert calls == []


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_real_loops_call_it(new_loop: object) -> None:
    async def run() -> None:
        passed = asyncio.Event()
        one = Deadline(asyncio.get_running_loop(), passed.set)
        one.set(0.005)
        one.set(0.02)
        one.set(0.01)
        await asyncio.wait_for(passed.wait(), 5)

    with asyncio.Runner(loop_factory=new_loop) as runner:  # type: ignore[arg-type]
        runner.run(run())


def test_to_prolong_adds_to_what_is_left_up_to_a_bound() -> None:
    timers, called = Timers(), list[float]()
    deadline = Deadline(timers, lambda: called.append(timers.now))  # type: ignore[arg-type]  # as much of a loop as it needs
    deadline.set(10)
    timers.go_to(4)
    deadline.prolong(3, 10)  # 13
    timers.go_to(12)
    assert called == []
    deadline.prolong(60, 10)  # 22
    timers.go_to(21)
    assert called == []
    timers.go_to(30)
    assert called == [pytest.approx(22)]


async def test_a_deadline_that_was_shortened_can_be_put_back() -> None:
    loop, passed = asyncio.get_running_loop(), asyncio.Event()
    deadline = Deadline(loop, passed.set)
    deadline.restore()  # nothing was shortened
    deadline.set(60)
    before = deadline._at
    deadline.shorten(0.01)
    deadline.restore()
    assert deadline._at == before
    deadline.shorten(100)  # it is nearer already
    assert deadline._at == before
    deadline.shorten(0.001)
    await asyncio.wait_for(passed.wait(), 5)
    deadline.cancel()
