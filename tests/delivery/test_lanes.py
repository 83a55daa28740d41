import asyncio

from relay.delivery.fresh import Work
from relay.delivery.lanes import LONGEST_REST, Lane, LaneSlot


class _Workers:
    """Workers that run until they are told to end."""

    def __init__(self) -> None:
        self.started: list[Work | None] = []
        self.end = asyncio.Event()

    async def work(self, _lane: Lane, first: Work | None) -> None:
        self.started.append(first)
        await self.end.wait()


async def test_at_most_as_many_workers_as_the_account_has_connections() -> None:
    workers = _Workers()
    lane = Lane(account="sales", work=workers.work, width=2)
    for _ in range(5):
        lane.kick()
    assert lane.busy == 2
    assert lane.again
    workers.end.set()
    await asyncio.gather(*lane.tasks)
    await asyncio.sleep(0)
    assert lane.is_free
    assert len(workers.started) == 2


async def test_a_reserved_slot_counts_until_it_is_used_or_given_back() -> None:
    workers = _Workers()
    lane = Lane(account="sales", work=workers.work, width=1)
    slot = LaneSlot(lane, lambda: 0.0)
    assert not lane.is_free
    lane.kick()
    assert lane.busy == 0
    slot.release()
    assert lane.busy == 1  # what waited meanwhile has it now
    workers.end.set()
    await asyncio.gather(*lane.tasks)


def test_a_rest_grows_and_ends_with_the_trouble() -> None:
    lane = Lane(account="sales", work=_Workers().work)
    rests = [lane.rest(0.0) for _ in range(8)]
    assert rests == sorted(rests)
    assert rests[-1] == LONGEST_REST
    lane.recovered()
    assert lane.rest_until == 0.0
    assert lane.rest(0.0) == rests[0]
