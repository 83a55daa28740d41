import time
from unittest.mock import create_autospec

from relay.runtime import Runtime
from relay.storage.queue import Queue


def test_the_clocks_and_the_random_numbers_are_the_real_ones_unless_replaced() -> None:
    runtime = Runtime(settings=lambda: None, queue=create_autospec(Queue))  # type: ignore[arg-type,return-value]
    assert abs(runtime.now() - time.time() * 1000) < 60_000
    assert runtime.monotonic() <= time.monotonic()
    assert 0 <= runtime.random() < 1
    assert Runtime(settings=runtime.settings, queue=runtime.queue, now=lambda: 7).now() == 7
