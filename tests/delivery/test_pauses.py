"""A refused login: the account rests, its mail waits, its clocks stand still, and it goes on by itself."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relay.storage import admin
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider

A = "a@example.net"
LOGIN = {"smtp": {"username": "sales@example.com", "password": "wrong"}}


@pytest.mark.parametrize("reply", ["535 5.7.8 bad password", "530 5.7.0 log in first"])
async def test_a_refused_login_pauses_the_account_and_tells_the_postmaster_once(tmp_path: Path, reply: str) -> None:
    async with (
        Provider({"AUTH": reply}) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN) as office,
    ):
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.hand_in(A)
            await office.send()
            await office.hand_in(A)
            await office.send()
        paused = [line for line in lines if line["event"] == "account_paused"]
        assert [line["code"] for line in paused] == [int(reply[:3])]
        assert len(office.waiting("queued")) == 3
        assert len(office.inbox()) == 1
        assert provider.connections == 1  # whatever waits for a connection waits for what comes of the first


async def test_530_at_mail_pauses_as_well(tmp_path: Path) -> None:
    async with (
        Provider({"MAIL": "530 5.7.0 log in", "DATA": "503 no"}) as provider,
        open_office(tmp_path, port=provider.port) as office,
    ):
        await office.hand_in(A)
        await office.send()
        assert [pause.account for pause in admin.list_pauses(office.engine)] == ["sales"]
        assert len(office.waiting("queued")) == 1


async def test_a_login_that_works_and_is_refused_at_mail_is_tried_by_the_intervals_and_told_now_and_then(
    tmp_path: Path,
) -> None:
    """Each probe only logs in, and succeeds: the pauses get longer all the same."""
    retry = {"intervals": ["1 min", "5 min", "15 min", "1 h"]}
    async with (
        Provider({"MAIL": "530 5.7.0 log in"}) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry=retry) as office,
    ):
        with capture_logs() as lines:
            for _ in range(20):
                await office.hand_in(A)
            for _ in range(90):
                await office.pass_time(2 * MINUTE)
        events = [line["event"] for line in lines]
        assert 5 <= events.count("account_paused") <= 12
        assert events.count("account_paused") - events.count("account_resumed") in (0, 1)
        assert 2 <= len(office.inbox()) <= 3
        assert len(office.waiting("queued")) == 20


@pytest.mark.parametrize("intervals", [["1 min", "5 min", "15 min", "1 h"], ["1 min", "10 min"], ["10 min"]])
async def test_a_mail_that_alone_is_refused_is_given_up_and_the_others_go_on(
    tmp_path: Path, intervals: list[str]
) -> None:
    retry = {"intervals": intervals, "give_up_after": "2 h", "warn_after": "1 h"}
    account = {**LOGIN, "archive": False}
    async with (
        Provider({f"DOT {A}": "530 5.7.0 not this one"}) as provider,
        open_office(tmp_path, port=provider.port, account=account, retry=retry) as office,
    ):
        refused = (await office.hand_in(A)).text.split()[-1]
        start = office.now
        handed_in: list[int] = []  # one after the other, each when those before it have gone
        waits: list[int] = []
        while office.outcomes(refused)[A] == "pending" and office.now < start + 8 * 60 * MINUTE:
            if len(provider.mails) == len(handed_in):
                handed_in.append(office.now)
                await office.hand_in("b@example.net")
            await office.pass_time(2 * MINUTE)
            waits += [(office.now - at) // MINUTE for at in handed_in[len(waits) : len(provider.mails)]]
        assert office.outcomes(refused)[A] == "bounced"
        assert office.now - start > 120 * MINUTE  # its clock stands still in each pause
        assert max(waits) <= 12


async def test_530_at_rcpt_behind_a_login_is_the_recipients_own_matter(tmp_path: Path) -> None:
    retry = {"intervals": ["1 min", "1 h"], "give_up_after": "1 day"}
    async with (
        Provider({f"RCPT {A}": "530 5.7.1 not to him"}) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry=retry) as office,
    ):
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A, "b@example.net")).text.split()[-1]
            for _ in range(26):
                await office.pass_time(60 * MINUTE)
        assert "account_paused" not in [line["event"] for line in lines]
        assert office.outcomes(queue_id)[A] == "bounced"
        assert office.outcomes(queue_id)["b@example.net"] == "delivered"
        assert 20 <= sum(f"RCPT TO:<{A}>" in command for command in provider.commands) <= 30


async def test_a_pause_that_follows_is_told_later_if_it_lasts_and_at_once_behind_a_person(tmp_path: Path) -> None:
    retry = {"intervals": ["1 min", "3 h"]}
    async with (
        Provider({"AUTH": ["535 5.7.8 no", "235 2.7.0 yes", "535 5.7.8 no"]}) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry=retry) as office,
    ):
        await office.hand_in(A)
        await office.pass_time(2 * MINUTE)  # a probe ends the pause; then every login is refused again
        provider.answers["MAIL"] = "421 4.3.2 closing"
        for minutes, told in ((2, 1), (30, 1), (40, 2)):
            await office.hand_in(A)
            await office.pass_time(minutes * MINUTE)
            assert len(office.inbox()) == told
        admin.resume_account(office.engine, "sales", now=office.now)
        office.delivery.rescan()
        await office.send()
        assert [pause.account for pause in admin.list_pauses(office.engine)] == ["sales"]
        assert len(office.inbox()) == 3


async def test_the_give_up_clock_stands_still_and_a_probe_ends_the_pause(tmp_path: Path) -> None:
    retry = {"intervals": ["1 min", "30 min"], "give_up_after": "1 h", "warn_after": "1 h"}
    async with (
        Provider({"AUTH": "535 5.7.8 bad password"}) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry=retry) as office,
    ):
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        for _ in range(10):
            await office.pass_time(30 * MINUTE)
        assert 3 <= provider.connections <= 12  # by the intervals, no more
        assert office.outcomes(queue_id)[A] == "pending"
        provider.answers.clear()
        await _pass_until_resumed(office)
        assert office.outcomes(queue_id)[A] == "delivered"


async def _pass_until_resumed(office: Office) -> None:
    with capture_logs() as lines:
        for _ in range(4):
            await office.pass_time(30 * MINUTE)
    assert [line["event"] for line in lines].count("account_resumed") == 1


async def test_a_persons_pause_ends_only_by_a_person(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        admin.pause_account(office.engine, "sales", now=office.now)
        await office.send()
        await office.hand_in(A)
        for _ in range(5):
            await office.pass_time(60 * MINUTE)
        assert provider.connections == 0
        assert len(office.waiting("queued")) == 1
        admin.resume_account(office.engine, "sales", now=office.now)
        with capture_logs() as lines:
            await office.send()
        assert "account_resumed" in [line["event"] for line in lines]
        assert len(provider.mails) == 1
