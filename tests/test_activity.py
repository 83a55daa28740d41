from structlog.testing import capture_logs

from relay.activity import keep_running


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
