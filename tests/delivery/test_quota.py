"""The recipients of a day: counted through a restart, given back where nobody was sent to, and no mail in the way."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from relay.upstream.transaction import TIMEOUTS
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider

A, B, C = "a@example.net", "b@example.net", "c@example.net"
HOUR = 60 * MINUTE


def limited(port: int, **limits: object) -> dict[str, Any]:
    return {"archive": False, "smtp": {"host": "127.0.0.1", "port": port, "security": "none", **limits}}


def sent(provider: Provider) -> list[Sequence[str]]:
    return [mail.recipients for mail in provider.mails]


async def next_days(office: Office, days: int) -> None:
    for _ in range(24 * days):
        await office.pass_time(HOUR)


async def test_the_recipients_of_a_day_are_counted_through_a_restart(tmp_path: Path) -> None:
    async with Provider() as provider:
        account = limited(provider.port, recipients_per_day=3, connections=1)
        async with open_office(tmp_path, account=account) as office:
            with capture_logs() as lines:
                for _ in range(3):
                    await office.hand_in(A, B)
                    await office.send()
            assert sent(provider) == [[A, B], [A]]
            assert [line["account"] for line in lines if line["event"] == "account_full"] == ["sales"]
            assert [line["left"] for line in lines if line["event"] == "mail_parted"] == [1]
            await office.restart()
            await office.send()
            assert len(provider.mails) == 2
            await office.pass_time(2 * HOUR)  # past midnight in Berlin
            assert sorted(map(len, sent(provider)[2:])) == [1, 2]
            assert office.waiting() == []


async def test_recipients_who_were_refused_do_not_count(tmp_path: Path) -> None:
    async with (
        Provider({f"RCPT {A}": "550 5.1.1 no"}) as provider,
        open_office(tmp_path, account=limited(provider.port, recipients_per_day=2)) as office,
    ):
        for _ in range(5):
            await office.hand_in(A)
            await office.send()
        await office.hand_in(B)
        await office.send()
        assert len(provider.mails) == 1


async def test_a_mail_with_more_recipients_than_a_day_has_goes_day_by_day_and_stops_nobody(tmp_path: Path) -> None:
    async with (
        Provider() as provider,
        open_office(tmp_path, account=limited(provider.port, recipients_per_day=10)) as office,
    ):
        office.now += 4 * HOUR
        await office.hand_in(A)
        await office.hand_in(*(f"{n}@example.net" for n in range(25)))
        await office.send()
        assert sum(map(len, sent(provider))) == 10
        for n in range(4):
            await office.hand_in(f"s{n}@example.net")
        await next_days(office, 3)
        assert sum(map(len, sent(provider))) == 1 + 25 + 4
        assert office.waiting() == []


async def test_the_rest_of_a_day_goes_to_small_mails_too(tmp_path: Path) -> None:
    async with (
        Provider() as provider,
        open_office(tmp_path, account=limited(provider.port, recipients_per_day=10, connections=1)) as office,
    ):
        office.now += 4 * HOUR
        await office.hand_in(*(f"{n}@example.net" for n in range(9)))
        await office.hand_in(B)
        await office.send()
        assert sent(provider)[-1] == [B]


async def test_another_limit_or_a_person_ends_the_wait(tmp_path: Path) -> None:
    async with Provider() as provider:
        account = limited(provider.port, recipients_per_day=1)
        async with open_office(tmp_path, account=account) as office:
            office.now += 4 * HOUR
            for _ in range(3):
                await office.hand_in(A)
            await office.send()
            assert len(provider.mails) == 1
            with capture_logs() as lines:
                office.delivery.flush()
                await office.send()
            assert "account_full" in [line["event"] for line in lines]  # it was tried, and is full again
            office.configure(account=limited(provider.port, recipients_per_day=2))
            await office.send()
            assert len(provider.mails) == 2
            office.configure(account=limited(provider.port))
            await office.send()
            assert len(provider.mails) == 3


async def test_what_another_attempt_only_reserves_does_not_fill_the_day(tmp_path: Path) -> None:
    async with (
        Provider({"RCPT": ["silence", "250 ok"]}) as provider,
        open_office(tmp_path, account=limited(provider.port, recipients_per_day=2, connections=2)) as office,
    ):
        office.shorten_timeouts(replace(TIMEOUTS, command=0.3))
        with capture_logs() as lines:
            await office.hand_in(A, B)  # holds the whole day, and is sent to nobody
            await provider.wait_for("RCPT")
            await office.hand_in(C)
            await office.send()
        assert sent(provider)[0] == [C]
        assert {"account_full", "mail_parted"}.isdisjoint(line["event"] for line in lines)


async def test_an_attempt_that_was_cancelled_before_the_dot_counts_nobody(tmp_path: Path) -> None:
    async with (
        Provider({"DATA": ["silence", "354 go"]}) as provider,
        open_office(tmp_path, account=limited(provider.port, recipients_per_day=1)) as office,
    ):
        await office.hand_in(A)
        await provider.wait_for("DATA")
        await office.restart()
        await office.send()
        assert sent(provider) == [[A]]
