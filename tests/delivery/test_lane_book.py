from types import SimpleNamespace
from typing import cast

import pytest

from relay.delivery.lane_book import LaneBook
from relay.delivery.lanes import Lane
from relay.delivery.pauses import PauseBook
from relay.model.destination import to_account, to_inbox
from relay.model.mail import Work
from relay.model.reply import Reply
from relay.rules.hours import parse_hours
from relay.runtime import Runtime
from relay.transports.registry import Transports
from relay.transports.transport import Terms

HOUR = 3_600_000
MONDAY = 1_780_264_800_000 - 1_780_264_800_000 % (24 * HOUR)
SALES, INBOX = to_account("sales"), to_inbox("anna")


class _Office:
    """What lanes are asked by: each fact can be changed at any moment."""

    def __init__(self) -> None:
        self.now, self.clock = MONDAY + 12 * HOUR, 0.0
        self.paused: set[str] = set()
        self.terms = {SALES: Terms(), INBOX: Terms(any_hour=True)}
        self.settings = SimpleNamespace(hours=parse_hours(["Mon-Sun 08:00-18:00"], "UTC"))
        runtime = SimpleNamespace(settings=lambda: self.settings, now=lambda: self.now, monotonic=lambda: self.clock)
        transports = SimpleNamespace(
            at=lambda destination: SimpleNamespace(terms=self.terms[destination]) if destination in self.terms else None
        )
        self.book = LaneBook(
            cast("Runtime", runtime),
            transports=cast("Transports", transports),
            pauses=cast("PauseBook", self.paused),
            work=_work,
        )


async def _work(_lane: Lane, _first: Work | None) -> None:
    """Send nothing."""


@pytest.fixture
def office() -> _Office:
    return _Office()


def test_a_destination_has_one_lane(office: _Office) -> None:
    sales = office.book.at(SALES)
    assert office.book.at(SALES) is sales
    assert office.book.at(INBOX) is not sales
    assert [lane.destination for lane in office.book] == [SALES, INBOX]


def test_nothing_begins_while_it_stops_an_account_is_paused_or_has_no_way_out(office: _Office) -> None:
    lane = office.book.at(SALES)
    assert office.book.may_start(lane)
    office.paused.add("sales")
    assert not office.book.may_start(lane)
    office.paused.clear()
    del office.terms[SALES]
    assert not office.book.may_start(lane)
    office.terms[SALES] = Terms()
    office.book.stopping = True
    assert not office.book.may_start(lane)


def test_an_account_keeps_the_opening_hours_and_an_inbox_has_none(office: _Office) -> None:
    sales, inbox = office.book.at(SALES), office.book.at(INBOX)
    assert office.book.is_open(sales)
    office.now = MONDAY + 6 * HOUR
    assert not office.book.is_open(sales)
    assert office.book.is_open(inbox)
    assert office.book.seconds_to_start(sales) == 2 * 3600
    assert office.book.seconds_to_start(inbox) == 0


def test_an_account_works_until_its_server_is_out_of_reach(office: _Office) -> None:
    assert office.book.works("sales")
    office.book.at(SALES).outage = Reply(code=421, text="no answer")
    assert not office.book.works("sales")
