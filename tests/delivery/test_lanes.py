import asyncio
import dataclasses
from typing import Any

import pytest

from relay.delivery.lanes import LONGEST_REST, MOST_TURNS, NARROW_SECONDS, Lane, LaneSlot
from relay.model.account import Secret, Security, SmtpServer
from relay.model.mail import Work
from relay.model.reply import Reply
from relay.storage.claiming import who_of


class _Workers:
    """Workers that run until they are told to end."""

    def __init__(self) -> None:
        self.started: list[Work | None] = []
        self.end = asyncio.Event()

    async def work(self, lane: Lane, first: Work | None) -> None:
        lane.again = False
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


SERVER = SmtpServer(host="old.example", port=587, security=Security.STARTTLS, username="sales")


def _lane(server: SmtpServer = SERVER) -> Lane:
    lane = Lane(account="sales", work=_Workers().work)
    lane.adopt(server)
    return lane


@pytest.mark.parametrize(
    "change", [{"host": "new.example"}, {"port": 465}, {"username": "anna"}, {"password": Secret(value="right")}]
)
def test_other_settings_end_the_rest_of_a_server_that_could_not_be_reached(change: dict[str, Any]) -> None:
    lane = _lane()
    lane.unreachable = Reply(code=0, text="connection refused")
    lane.rest(0.0)
    lane.adopt(dataclasses.replace(SERVER, connections=5))
    assert lane.wait(0.0) > 0
    assert not lane.renewed
    lane.adopt(dataclasses.replace(SERVER, **change))
    assert lane.wait(0.0) == 0
    assert lane.unreachable is None
    assert lane.renewed


def test_a_provider_that_asks_for_less_is_heard_until_the_account_is_another() -> None:
    lane = _lane()
    lane.slow_down(0.0)
    lane.full_until = 1
    lane.adopt(dataclasses.replace(SERVER, password=Secret(value="right")))
    assert lane.wait(0.0) > 0
    lane.adopt(dataclasses.replace(SERVER, host="new.example"))
    assert lane.wait(0.0) == 0
    assert lane.full_until == 0


def test_another_limit_of_the_day_ends_what_the_old_one_stopped() -> None:
    lane = _lane()
    lane.full_until = 1
    lane.adopt(dataclasses.replace(SERVER, recipients_per_day=500))
    assert lane.full_until == 0


def test_the_largest_mail_is_that_of_the_present_host() -> None:
    lane = _lane()
    lane.learn_size(SERVER, 10_000_000)
    lane.adopt(dataclasses.replace(SERVER, username="anna", port=587))
    lane.adopt(dataclasses.replace(SERVER, host="new.example"))
    assert lane.max_size is None
    lane.learn_size(SERVER, 10_000_000)  # an attempt that began before the change
    assert lane.max_size is None
    lane.learn_size(dataclasses.replace(SERVER, host="new.example"), 50_000_000)
    assert lane.max_size == 50_000_000


def test_a_lane_remembers_the_turns_of_so_many_users() -> None:
    lane = Lane(account="sales", work=_Workers().work)
    for n in range(MOST_TURNS):
        lane.serve(f"user{n} scan")
    lane.serve("user0 fax")
    lane.serve("another scan")
    assert len(lane.turns) == MOST_TURNS
    assert lane.turns[who_of("user0 fax")] == "user0 fax"
    assert who_of("user1 scan") not in lane.turns


async def test_a_lane_keeps_for_a_while_to_the_connections_that_its_provider_allows() -> None:
    workers = _Workers()
    lane = Lane(account="sales", work=workers.work, width=5)
    lane.keep_to(2, 0.0)
    for _ in range(5):
        lane.kick()
    assert lane.busy == 2
    assert lane.wait(NARROW_SECONDS) == 0
    lane.kick()
    assert lane.busy == 3
    workers.end.set()
    await asyncio.gather(*lane.tasks)
