"""Faults of ours at every point of an attempt: the worker goes on, and no mail stays `active` that nobody sends."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from relay.delivery import attempt, settlements
from relay.delivery.lanes import Lane
from relay.model.errors import StorageError
from relay.storage import admin
from relay.transports.maildir import MaildirTransport
from relay.transports.smtp import SmtpTransport
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider

A, B = "a@example.net", "b@example.net"


def break_once(monkeypatch: pytest.MonkeyPatch, where: object, name: str) -> None:
    """Let a function raise what nobody expects, the first time."""
    real: Callable[..., Any] = getattr(where, name)
    calls = [0]

    def call(*arguments: object, **named: object) -> object:
        calls[0] += 1
        if calls[0] == 1:
            raise ZeroDivisionError("a fault of ours")
        return real(*arguments, **named)

    monkeypatch.setattr(where, name, call)


def point(office: Office, name: str) -> tuple[object, str]:
    """Give where a function of an attempt is found."""
    attempter = office.delivery._attempter
    return {
        "quota": (attempter._quota, "reserve"),
        "transport": (SmtpTransport, "deliver"),
        "before the dot": (office.queue, "confirm"),
        "result": (Lane, "learn"),
        "counted": (attempter, "_counted"),
        "decide_disposition": (attempt, "decide_disposition"),
        "split": (settlements, "splits_of"),
        "settle": (office.queue, "settle"),
        "log": (attempt, "log_disposition"),
        "quota's end": (attempter._quota, "settle"),
    }[name]


POINTS = [
    "quota", "transport", "before the dot", "result", "counted", "decide_disposition", "split", "settle", "log",
    "quota's end",
]  # fmt: skip


@pytest.mark.parametrize("name", POINTS)
async def test_a_fault_of_ours_leaves_nothing_behind_and_the_worker_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with (
        Provider() as provider,
        open_office(tmp_path, port=provider.port, account={"archive": False}) as office,
    ):
        break_once(monkeypatch, *point(office, name))
        with capture_logs() as lines:
            ids = [(await office.hand_in(to)).text.split()[-1] for to in (A, B)]
            await office.send()
        assert office.waiting("active") == []
        assert any("ZeroDivisionError" in line.get("error", "") for line in lines)
        for _ in range(3):
            await office.pass_time(10 * MINUTE)
        assert [office.outcomes(one) for one in ids] == [{A: "delivered"}, {B: "delivered"}]
        assert office.waiting() == []
        # What the provider took is sent again only where the fault hid that it had, and is named then.
        first = [mail for mail in provider.mails if mail.recipients == [A]]
        named = [line["queue_id"] for line in lines if line["event"] == "possible_duplicate"]
        assert named == ([ids[0]] if len(first) == 2 else [])
        assert len(first) == (2 if name in ("result", "settle") else 1)


async def test_people_hear_at_once_of_what_is_held_since_nobody_knows_whether_it_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        Provider() as provider,
        open_office(tmp_path, port=provider.port, account={"archive": False}) as office,
    ):
        await office.send()  # the look of this minute
        for _ in range(2):  # the second doubt holds it
            break_once(monkeypatch, Lane, "learn")
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        await office.pass_time(6_000)  # the lane has rested; the next look of a minute is far
        assert [row.state for row in office.waiting()] == ["held"]
        assert admin.show_message(office.engine, queue_id).notices


async def test_whom_the_provider_refused_is_bounced_with_his_notice_once_the_fault_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        Provider({f"RCPT {A}": "550 5.1.1 no"}) as provider,
        open_office(tmp_path, port=provider.port, account={"archive": False}) as office,
    ):
        break_once(monkeypatch, attempt, "decide_disposition")
        queue_id = (await office.hand_in(A, B)).text.split()[-1]
        await office.send()
        assert office.outcomes(queue_id) == {A: "pending", B: "delivered"}
        (row,) = office.waiting("queued")
        assert row.due > office.now  # no hot loop
        await office.pass_time(10 * MINUTE)
        assert office.outcomes(queue_id) == {A: "bounced", B: "delivered"}
        assert len(office.inbox()) == 1
        assert len(provider.mails) == 1


async def test_a_fault_where_the_dots_answer_got_lost_is_a_doubt_and_no_second_mail_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        Provider({"DOT": ["lost after taking", "250 ok"]}) as provider,
        open_office(tmp_path, port=provider.port, account={"archive": False}) as office,
    ):
        break_once(monkeypatch, attempt, "decide_disposition")
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        assert "possible_duplicate" in [line["event"] for line in lines]
        rows = office.waiting()
        assert [row.state for row in rows] in (["queued"], [])
        await office.pass_time(10 * MINUTE)
        assert office.waiting() == []


async def test_a_fault_in_what_comes_next_leaves_what_is_being_settled_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        Provider() as provider,
        open_office(tmp_path, port=provider.port, account={"archive": False}) as office,
    ):
        break_once(monkeypatch, office.delivery._worker, "_next")
        real, refused = office.queue.settle, list[Any]()

        def refuse_once(settlement: Any) -> Any:  # noqa: ANN401 - what the queue takes and gives
            if refused:
                return real(settlement)
            refused.append(settlement)
            future = asyncio.get_running_loop().create_future()
            future.set_exception(StorageError("the disk is full"))
            return future

        office.queue.settle = refuse_once  # type: ignore[method-assign]
        monkeypatch.setattr("relay.delivery.storing.PAUSES", (0.0,))
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A)).text.split()[-1]
            await office.send()
        assert refused
        assert office.outcomes(queue_id) == {A: "delivered"}
        assert len(provider.mails) == 1
        assert {"message_delivered", "activity_failed"} <= {line["event"] for line in lines}


async def test_a_notice_whose_writing_meets_a_fault_of_ours_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        Provider({"RCPT": "550 5.1.1 no"}) as provider,
        open_office(tmp_path, port=provider.port, account={"archive": False}) as office,
    ):
        break_once(monkeypatch, MaildirTransport, "_deliver")
        await office.hand_in(A)
        await office.send()
        for _ in range(2):
            await office.pass_time(MINUTE)
        assert office.waiting() == []
        assert len(office.inbox()) == 1


async def test_a_250_to_a_claim_that_is_lost_meanwhile_is_written_down_and_the_other_goes_on(tmp_path: Path) -> None:
    async with (
        Provider() as provider,
        open_office(tmp_path, port=provider.port, account={"archive": False}) as office,
    ):
        real = office.queue.settle

        def lose(settlement: Any) -> Any:  # noqa: ANN401 - what the queue takes and gives
            with office.engine.begin() as connection:
                connection.execute(text("UPDATE delivery SET token = 'of another'"))
            return real(settlement)

        office.queue.settle = lose  # type: ignore[method-assign]
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A)).text.split()[-1]
            await asyncio.wait(office.delivery._running())
        assert {"claim_lost", "message_delivered", "possible_duplicate"} <= {line["event"] for line in lines}
        assert office.outcomes(queue_id) == {A: "delivered"}
        assert [row.state for row in office.waiting()] == ["active"]
        office.queue.settle = real  # type: ignore[method-assign]
        # Nobody runs it: it is taken up, and ends as nobody is left in it.
        await office.pass_time(MINUTE)
        await office.pass_time(MINUTE)
        assert office.waiting() == []
        assert len(provider.mails) == 1
