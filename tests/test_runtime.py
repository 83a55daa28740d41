import time
from unittest.mock import create_autospec

from structlog.testing import capture_logs

from relay.runtime import Runtime, keep_running
from relay.storage.queue import Queue


def test_the_clocks_and_the_random_numbers_are_the_real_ones_unless_replaced() -> None:
    runtime = Runtime(settings=lambda: None, queue=create_autospec(Queue))  # type: ignore[arg-type,return-value]
    assert abs(runtime.now() - time.time() * 1000) < 60_000
    assert runtime.monotonic() <= time.monotonic()
    assert 0 <= runtime.random() < 1
    assert Runtime(settings=runtime.settings, queue=runtime.queue, now=lambda: 7).now() == 7


async def test_faults_put_it_off_longer_each_time_and_are_forgotten_after_a_good_while() -> None:
    clock, pauses = [0.0], []
    lasts = [0.0, 0.0, 0.0, 600.0, 0.0]

    async def work() -> None:
        if lasts:
            clock[0] += lasts.pop(0)
            raise ValueError("a fault")

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with capture_logs() as lines:
        await keep_running("it", work, monotonic=lambda: clock[0], sleep=sleep)
    assert pauses == [0.5, 1.0, 2.0, 0.5, 1.0]
    assert {(line["event"], line["activity"]) for line in lines} == {("activity_failed", "it")}
