"""`messages_per_minute` holds through a restart, and counts every transaction."""

from pathlib import Path
from typing import Any

from relay.delivery.rate_limit import RateLimit
from relay.model.destination import to_account
from tests.peers.office import MINUTE, open_office
from tests.peers.provider import Provider

A = "a@example.net"


def test_no_more_mails_begin_within_any_minute_than_the_rate_allows() -> None:
    rate = RateLimit(per_minute=2)
    assert rate.wait(0.0) == 0
    rate.start(0.0)
    assert rate.wait(10.0, pending=1) == 50
    rate.start(10.0)
    assert rate.wait(10.0) == 50
    assert rate.wait(60.0) == 0
    rate.start(60.0)
    assert rate.wait(61.0) == 9


def test_mails_that_are_about_to_begin_fill_the_minute_though_none_has_begun() -> None:
    assert RateLimit(per_minute=1).wait(0.0, pending=1) == 1


def test_without_a_rate_nothing_waits() -> None:
    rate = RateLimit()
    for _ in range(9):
        rate.start(0.0)
    assert rate.wait(0.0, pending=99) == 0


def test_what_began_before_this_process_counts_and_ends_first() -> None:
    rate = RateLimit(per_minute=3)
    rate.start(5.0)
    rate.restore([-50.0, -20.0])
    assert rate.wait(5.0) == 5
    assert rate.wait(10.0) == 0


def paced(port: int, **more: object) -> dict[str, Any]:
    server = {"host": "127.0.0.1", "port": port, "security": "none", "messages_per_minute": 3, "connections": 1}
    return {"archive": False, "smtp": server, **more}


async def test_a_restart_begins_no_new_minute(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, account=paced(provider.port)) as office:
        for _ in range(9):
            await office.hand_in(A)
        await office.send()
        sent = [len(provider.mails)]
        for _ in range(8):
            await office.restart()
            await office.pass_time(MINUTE // 4)
            sent.append(len(provider.mails))
        assert sent[0] == 3
        assert sent[-1] == 9
        assert all(later - earlier <= 3 for earlier, later in zip(sent, sent[3:], strict=False))


async def test_what_a_crash_interrupted_counts(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, account=paced(provider.port)) as office:
        await office.delivery.drain(0)
        for _ in range(6):
            await office.hand_in(A)
        await office.queue.claim(to_account("sales"), now=office.now, limit=2, open_now=True)
        await office.restart()
        await office.send()
        assert len(provider.mails) == 1
        await office.pass_time(MINUTE)
        assert len(provider.mails) == 4


async def test_the_repetition_without_the_archive_counts(tmp_path: Path) -> None:
    async with (
        Provider({"DOT central@example.com": "554 5.7.1 no archive"}) as provider,
        open_office(tmp_path, account=paced(provider.port, archive=True)) as office,
    ):
        for _ in range(3):
            await office.hand_in(A)
        await office.send()
        assert sum(command.startswith("MAIL") for command in provider.commands) <= 4
        await office.restart()
        await office.send()
        assert sum(command.startswith("MAIL") for command in provider.commands) <= 4
