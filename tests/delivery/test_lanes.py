import asyncio
import dataclasses
from typing import Any

import pytest

from relay.delivery.lanes import Lane, LaneSlot
from relay.delivery.restraints import NARROW_SECONDS, ConnectionLimit
from relay.model.account import Account, Security, SmtpServer
from relay.model.destination import to_account
from relay.model.mail import Work
from relay.model.reply import Reply
from relay.model.secret import Secret
from relay.rules.address import parse_addr_spec
from relay.transports.smtp import SmtpTransport
from relay.transports.transport import Terms


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
    lane = Lane(destination=to_account("sales"), work=workers.work, _limit=ConnectionLimit(configured=2))
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
    lane = Lane(destination=to_account("sales"), work=workers.work)
    slot = LaneSlot(lane, lambda: 0.0)
    assert not lane.is_free
    lane.kick()
    assert lane.busy == 0
    slot.release()
    assert lane.busy == 1  # what waited meanwhile has it now
    workers.end.set()
    await asyncio.gather(*lane.tasks)


def test_a_rest_grows_and_ends_when_the_server_answers() -> None:
    lane = Lane(destination=to_account("sales"), work=_Workers().work)
    now = 0.0
    for expected in (5.0, 10.0, 20.0):
        lane.failed(now)
        lane.failed(now)  # of another worker: it is the same trouble
        assert lane.rest(now) == expected
        now += expected
    lane.failed(now)
    lane.answered()
    assert lane.rest(now) == 0
    lane.failed(now)
    assert lane.rest(now) == 5.0


SERVER = SmtpServer(host="old.example", port=587, security=Security.STARTTLS, username="sales")


def _terms(server: SmtpServer = SERVER) -> Terms:
    """Make the terms of an account that sends by these settings."""
    account = Account(name="sales", address=parse_addr_spec("sales@x.example"), owner="anna", smtp=server)
    return SmtpTransport(account, server, None, None).terms  # type: ignore[arg-type] # nothing is sent


def _changed(**change: Any) -> Terms:  # noqa: ANN401 - any setting
    return _terms(dataclasses.replace(SERVER, **change))


def _lane(server: SmtpServer = SERVER) -> Lane:
    lane = Lane(destination=to_account("sales"), work=_Workers().work)
    lane.adopt(_terms(server))
    return lane


@pytest.mark.parametrize(
    "change", [{"host": "new.example"}, {"port": 465}, {"username": "anna"}, {"password": Secret(value="right")}]
)
def test_other_settings_end_the_rest_of_a_server_that_could_not_be_reached(change: dict[str, Any]) -> None:
    lane = _lane()
    assert lane.unreachable(Reply(code=0, text="connection refused"), connected=False)
    assert not lane.unreachable(Reply(code=0, text="connection refused"), connected=False)
    lane.failed(0.0)
    lane.adopt(_changed(connections=5))
    assert lane.wait(0.0, 0) > 0
    assert not lane.renewed
    lane.adopt(_changed(**change))
    assert lane.wait(0.0, 0) == 0
    assert lane.outage is None
    assert lane.renewed


def test_a_provider_that_asks_for_less_is_heard_until_the_account_is_another() -> None:
    lane = _lane()
    lane.throttled(0.0)
    lane.quota.exhaust(1000)
    lane.adopt(_changed(password=Secret(value="right")))
    assert lane.wait(0.0, 0) > 0
    lane.adopt(_changed(host="new.example"))
    assert lane.wait(0.0, 0) == 0


def test_another_limit_of_the_day_ends_what_the_old_one_stopped() -> None:
    lane = _lane()
    lane.quota.exhaust(1000)
    assert lane.wait(0.0, 0) == 1
    lane.adopt(_changed(recipients_per_day=500))
    assert lane.wait(0.0, 0) == 0


def test_the_largest_mail_is_that_of_the_present_host() -> None:
    lane = _lane()
    lane.connected(_terms(), 10_000_000)
    lane.adopt(_changed(username="anna", port=587))
    lane.adopt(_changed(host="new.example"))
    assert lane.max_size is None
    lane.connected(_terms(), 10_000_000)  # an attempt that began before the change
    assert lane.max_size is None
    lane.connected(_changed(host="new.example"), 50_000_000)
    assert lane.max_size == 50_000_000


async def test_a_lane_keeps_for_a_while_to_the_connections_that_its_provider_allows() -> None:
    workers = _Workers()
    lane = Lane(destination=to_account("sales"), work=workers.work, _limit=ConnectionLimit(configured=5))
    lane.narrowed(2, 0.0)
    for _ in range(5):
        lane.kick()
    assert lane.busy == 2
    assert lane.wait(NARROW_SECONDS, 0) == 0
    lane.kick()
    assert lane.busy == 3
    workers.end.set()
    await asyncio.gather(*lane.tasks)
