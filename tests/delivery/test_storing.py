"""A database that fails for a moment leaves no delivery behind that only a restart would take up again."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from relay.delivery import storing
from relay.model.errors import StorageError
from relay.upstream.stream import SmtpStream
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider

A, B = "a@example.net", "b@example.net"
WRITES = ("count_recipients", "uncount_recipients", "settle", "requeue", "claim", "claim_by_id")
HOUR = 60 * MINUTE


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "PAUSES", (0.0,))


def account(port: int, **server: object) -> dict[str, Any]:
    return {"archive": False, "smtp": {"host": "127.0.0.1", "port": port, "security": "none", **server}}


def break_down(office: Office, method: str, faults: Iterator[bool]) -> None:
    """Let a method of the queue fail as often as `faults` says."""
    real: Callable[..., Any] = getattr(office.queue, method)

    async def call(*arguments: object, **named: object) -> object:
        if next(faults, False):
            raise StorageError("database is locked")
        return await real(*arguments, **named)

    setattr(office.queue, method, call)


async def minutes(office: Office, count: int) -> None:
    for _ in range(count):
        await office.pass_time(MINUTE)


async def test_a_write_is_tried_until_the_database_takes_it() -> None:
    faults = iter([True, True, False])

    async def write() -> None:
        if next(faults):
            raise StorageError("full")

    with capture_logs() as lines:
        await storing.retry_until_stored("settle", write)
    assert [line["activity"] for line in lines] == ["settle"] * 2


@pytest.mark.parametrize("method", WRITES)
async def test_a_fault_of_the_database_delays_a_mail_and_sends_it_once(tmp_path: Path, method: str) -> None:
    async with (
        Provider({"RCPT": ["450 4.2.0 later", "250 ok"]}) as provider,
        open_office(tmp_path, account=account(provider.port, recipients_per_day=100, connections=1)) as office,
    ):
        break_down(office, method, iter([True, True]))
        if method == "requeue":
            break_down(office, "count_recipients", iter([True]))
        ids = [(await office.hand_in(to)).text.split()[-1] for to in (A, B)]
        await minutes(office, 8)
        assert [list(office.outcomes(one).values()) for one in ids] == [["delivered"]] * 2
        assert office.waiting() == []
        assert len(provider.mails) == 2


@pytest.mark.parametrize("method", ["mark_uncertain", "confirm"])
async def test_a_refusal_before_the_dot_is_no_fault_of_ours_and_leaves_no_doubt(tmp_path: Path, method: str) -> None:
    on_uncertain = {"on_uncertain": "hold"}
    async with (
        Provider() as provider,
        open_office(tmp_path, account={**account(provider.port), **on_uncertain}) as office,
    ):
        break_down(office, method, iter([True]))
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A)).text.split()[-1]
            await office.send()
        (line,) = [line for line in lines if line["event"] == "activity_failed"]
        assert (line["activity"], line["queue_id"], line["error"]) == ("attempt", queue_id, "database is locked")
        assert line.get("exception") is None
        (row,) = office.waiting()
        assert (row.state, row.uncertain) == ("queued", 0)
        assert provider.mails == []
        await minutes(office, 8)
        assert office.outcomes(queue_id) == {A: "delivered"}
        assert len(provider.mails) == 1


async def test_a_refusal_behind_the_dot_is_a_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_arguments: object) -> None:
        raise StorageError("database is locked")

    async with Provider() as provider, open_office(tmp_path, account=account(provider.port)) as office:
        monkeypatch.setattr(SmtpStream, "flush", refuse)
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        assert [line.get("exception") for line in lines if line["event"] == "activity_failed"] == [None]
        assert [row.uncertain for row in office.waiting("queued")] == [1]


async def test_a_pause_that_the_database_does_not_take_lets_the_account_rest(tmp_path: Path) -> None:
    async with (
        Provider({"AUTH": ["535 5.7.8 no", "235 ok"]}) as provider,
        open_office(tmp_path, account=account(provider.port, username="u", password="p")) as office,
    ):
        break_down(office, "pause", iter([True]))
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        assert [row.state for row in office.waiting()] == ["queued"]
        assert sum(command.startswith("AUTH") for command in provider.commands) == 1
        await minutes(office, 3)
        assert office.outcomes(queue_id) == {A: "delivered"}


@pytest.mark.parametrize("method", ["pauses_between", "settle"])
async def test_a_fault_after_the_mail_was_taken_sends_it_no_second_time(tmp_path: Path, method: str) -> None:
    retry = {"intervals": ["1 min"], "give_up_after": "10 min", "warn_after": "5 min"}
    async with (
        Provider({"RCPT": "451 4.3.0 later"}) as provider,
        open_office(tmp_path, account=account(provider.port), retry=retry) as office,
    ):
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await minutes(office, 6)
        provider.answers["RCPT"] = "250 ok"
        office.now += 5 * MINUTE
        # The look reads pauses as well, for what waits: it is the attempt's reading that fails.
        office.delivery._expiry.look = _nothing  # type: ignore[method-assign, assignment]
        break_down(office, method, iter([True]))
        await office.send()
        await minutes(office, 5)
        assert office.outcomes(queue_id) == {A: "delivered"}
        await office.restart()
        await minutes(office, 5)
        assert len(provider.mails) == 1


async def _nothing(_lanes: object) -> None:
    pass


async def test_a_body_that_cant_be_read_for_a_moment_delays_the_notice(tmp_path: Path) -> None:
    async with (
        Provider({"RCPT": "550 5.1.1 no"}) as provider,
        open_office(tmp_path, account=account(provider.port)) as office,
    ):
        real = office.queue.chunks
        faults = iter([True, False, True])

        def chunks(message_id: str, version: int) -> AsyncIterator[bytes]:
            return _broken() if next(faults, False) else real(message_id, version)

        office.queue.chunks = chunks  # type: ignore[method-assign]
        queue_id = (await office.hand_in(A)).text.split()[-1]
        with capture_logs() as lines:
            await minutes(office, 10)
        assert office.outcomes(queue_id) == {A: "bounced"}
        assert len(office.inbox()) == 1
        assert office.waiting() == []
        # The first time the notice could not be written, so that the mail waited for a second refusal.
        assert sum(command.startswith("RCPT") for command in provider.commands) == 2
        assert "delivery_held" not in [line["event"] for line in lines]


async def _broken() -> AsyncIterator[bytes]:
    raise StorageError("busy")
    yield b""


@pytest.mark.parametrize("method", ["settle", "requeue"])
async def test_a_notice_is_in_the_inbox_once_though_its_settlement_failed(tmp_path: Path, method: str) -> None:
    async with (
        Provider({"RCPT": "550 5.1.1 no"}) as provider,
        open_office(tmp_path, account=account(provider.port)) as office,
    ):
        break_down(office, method, iter([False, True, True]))
        await office.hand_in(A)
        await minutes(office, 10)
        assert len(office.inbox()) == 1
        assert office.waiting() == []


async def test_mail_of_an_account_that_is_gone_is_held_though_the_database_fails_first(tmp_path: Path) -> None:
    async with open_office(tmp_path, account={"archive": False}, schedule={"active": ["Fri 08:00-09:00"]}) as office:
        await office.hand_in(A)
        office.configure(account={"archive": False, "excluded": True})
        break_down(office, "hold_accounts", iter([True]))
        with pytest.raises(StorageError):
            await office.send()
        await minutes(office, 2)
        assert [row.state for row in office.waiting()] == ["held"]
        assert len(office.inbox()) == 1
