"""What an account may send, who goes first, and what a provider that asks for less gets."""

import asyncio
import dataclasses
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from relay.storage.tables import attempt
from tests.peers.office import CLIENT, MINUTE, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import ANNA, make_account

A, B = "a@example.net", "b@example.net"
HOUR = 60 * MINUTE
NO_ARCHIVE = {"archive": False}


def limited(port: int, **limits: object) -> dict[str, Any]:
    return {**NO_ARCHIVE, "smtp": {"host": "127.0.0.1", "port": port, "security": "none", **limits}}


async def test_no_more_mails_begin_within_a_minute_than_the_account_may(tmp_path: Path) -> None:
    async with Provider() as provider:
        account = limited(provider.port, messages_per_minute=3, connections=2)
        async with open_office(tmp_path, account=account) as office:
            for _ in range(8):
                await office.hand_in(A)
            sent = []
            for _ in range(12):
                await office.pass_time(MINUTE // 4)
                sent.append(len(provider.mails))
            assert sent[-1] == 8
            assert all(later - earlier <= 3 for earlier, later in zip(sent, sent[4:], strict=False))


async def test_a_person_does_not_wait_for_the_mailing_of_another(tmp_path: Path) -> None:
    users = [{**ANNA, "notify": "inbox"}, {"name": "bert", "address": "bert@example.com"}]
    async with Provider() as provider:
        account = limited(provider.port, connections=1)
        async with open_office(
            tmp_path, account=account, users=users, schedule={"active": ["Fri 08:00-09:00"]}
        ) as office:
            for n in range(40):
                await office.hand_in(f"{n}@example.net")
            bert = dataclasses.replace(CLIENT, login="bert")
            await office.hand_in(A, client=bert)
            await office.hand_in(B, client=dataclasses.replace(CLIENT, ip=ip_address("192.0.2.77")))
            assert provider.mails == []
            await office.pass_time(10 * HOUR)
            order = [mail.recipients[0] for mail in provider.mails]
            assert len(order) == 42
            assert order.index(A) < 4
            assert order.index(B) < 4


async def test_a_single_mail_passes_the_mailing_that_its_own_user_sent_before(tmp_path: Path) -> None:
    async with Provider() as provider:
        account = limited(provider.port, connections=1)
        async with open_office(tmp_path, account=account, schedule={"active": ["Fri 08:00-09:00"]}) as office:
            for n in range(40):
                office.now += 1
                await office.hand_in(f"{n}@example.net")
            office.now += MINUTE
            await office.hand_in(A)
            office.randoms = [0.1, 0.5, 0.5, 0.5]
            await office.pass_time(10 * HOUR)
            order = [mail.recipients[0] for mail in provider.mails]
            assert order.index(A) < 4
            assert order.index("0@example.net") < 4


@pytest.mark.parametrize("subjects", [1, 5000])
@pytest.mark.parametrize("login", ["anna", "bert"])
async def test_a_single_mail_leaves_before_a_mailing_of_5000(tmp_path: Path, subjects: int, login: str) -> None:
    """Of an account that takes ten mails a second, the first twenty leave within two seconds."""
    within = 20
    users = [{**ANNA, "notify": "inbox"}, {"name": "bert", "address": "bert@example.com"}]
    async with Provider() as provider:
        account = limited(provider.port, connections=1, messages_per_minute=within)
        async with open_office(
            tmp_path, account=account, users=users, schedule={"active": ["Fri 08:00-09:00"]}
        ) as office:
            await asyncio.gather(
                *(
                    office.hand_in(
                        f"{n}@example.net", header=f"From: sales@example.com\nSubject: Invoice {n % subjects}\n"
                    )
                    for n in range(5000)
                )
            )
            office.now += MINUTE
            await office.hand_in(A, client=dataclasses.replace(CLIENT, login=login))
            office.randoms = [0.5, 0.5, 0.5, 0.5, 0.1]  # an odd number: attempts take some as well
            await office.pass_time(10 * HOUR)
            order = [mail.recipients[0] for mail in provider.mails]
            assert len(order) == within
            assert A in order


async def test_the_mails_of_another_user_do_not_wait_for_each_kind_of_a_mail_merge(tmp_path: Path) -> None:
    users = [{**ANNA, "notify": "inbox"}, {"name": "bert", "address": "bert@example.com"}]
    async with Provider() as provider:
        account = limited(provider.port, connections=1)
        async with open_office(
            tmp_path, account=account, users=users, schedule={"active": ["Fri 08:00-09:00"]}
        ) as office:
            for n in range(200):
                await office.hand_in(f"{n}@example.net", header=f"From: sales@example.com\nSubject: Invoice {n}\n")
            bert = dataclasses.replace(CLIENT, login="bert")
            for n in range(5):
                office.now += 1000
                await office.hand_in(f"bert{n}@example.net", client=bert)
            await office.pass_time(10 * HOUR)
            order = [mail.recipients[0] for mail in provider.mails]
            assert max(order.index(f"bert{n}@example.net") for n in range(5)) < 10


async def test_a_421_slows_the_whole_account_and_no_other(tmp_path: Path) -> None:
    answers = {"MAIL": ["421 4.7.0 too many mails, slow down", "250 ok"]}
    async with Provider(answers) as slow, Provider() as quick:
        accounts = [
            make_account("sales", slow.port, archive=False),
            make_account("other", quick.port, archive=False, address="other@example.com"),
        ]
        async with open_office(tmp_path, accounts=accounts) as office:
            with capture_logs() as lines:
                for _ in range(3):
                    await office.hand_in(A)
                await office.hand_in(A, sender="other@example.com")
                await office.send()
            assert len(quick.mails) == 1
            asked = [line for line in lines if line["event"] == "provider_asks_for_less"]
            assert asked
            assert {line["account"] for line in asked} == {"sales"}
            before = len(slow.mails)
            await office.pass_time(5_000)
            assert len(slow.mails) == before
            await office.pass_time(2 * MINUTE)
            assert len(slow.mails) == 3


async def test_a_greylisted_recipient_slows_nobody(tmp_path: Path) -> None:
    async with (
        Provider({f"RCPT {A}": "450 4.2.0 greylisted, try again"}) as provider,
        open_office(tmp_path, account=limited(provider.port)) as office,
    ):
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.hand_in(B)
            await office.send()
        assert "provider_asks_for_less" not in [line["event"] for line in lines]
        assert [mail.recipients for mail in provider.mails] == [[B]]


@pytest.mark.parametrize("extensions", ["PIPELINING", "8BITMIME"])
async def test_a_server_that_takes_logins_and_is_lost_at_each_mail_lets_the_account_rest(
    tmp_path: Path, extensions: str
) -> None:
    account = {"smtp": {"connections": 4}}
    async with (
        Provider({"MAIL": "lost", "EHLO": extensions}) as provider,
        open_office(tmp_path, port=provider.port, account=account) as office,
    ):
        with capture_logs() as lines:
            for _ in range(60):
                await office.hand_in(A)
            await office.send()
            assert provider.connections <= 4
            for _ in range(60):
                await office.pass_time(5_000)
        assert provider.connections <= 60  # 5, 10, 20, 40 seconds, then a minute each
        assert [line["event"] for line in lines].count("account_unreachable") <= 4
        provider.answers.clear()
        for _ in range(10):
            await office.pass_time(MINUTE)
        assert len(provider.mails) == 60


async def test_a_silent_account_delays_no_other(tmp_path: Path) -> None:
    async with Provider({"DATA": "silence"}) as silent, Provider() as quick:
        accounts = [
            make_account("sales", silent.port, archive=False),
            make_account("other", quick.port, archive=False, address="other@example.com"),
        ]
        async with open_office(tmp_path, accounts=accounts) as office:
            for _ in range(5):
                await office.hand_in(A)
            await silent.wait_for("DATA")
            await office.hand_in(A, sender="other@example.com")
            async with asyncio.timeout(2):
                await quick.wait_for("DATA")
            assert len(office.waiting()) >= 5


LIMIT = "421 4.7.0 too many connections from your address"


@pytest.mark.parametrize(
    ("step", "first", "then"),
    [
        ("CONNECT", "220 provider.example ESMTP", LIMIT),
        ("CONNECT", "220 provider.example ESMTP", "! close"),
        ("CONNECT", "220 provider.example ESMTP", "! reset"),
        ("EHLO reply", "250 provider.example", LIMIT),
        ("EHLO reply", "250 provider.example", "450 4.3.2 no more than one session"),
    ],
)
@pytest.mark.parametrize("connections", [2, 5])
async def test_a_connection_more_than_the_provider_allows_is_no_attempt_and_makes_no_mail_wait(
    tmp_path: Path, step: str, first: str, then: str, connections: int
) -> None:
    async with Provider({step: [first, then]}) as provider:
        account = limited(provider.port, connections=connections)
        async with open_office(tmp_path, account=account) as office:
            with capture_logs() as lines:
                replies = await asyncio.gather(*(office.hand_in(f"{n}@example.net") for n in range(8)))
                await office.send()  # no time passes
            assert all(reply.is_positive for reply in replies)
            assert office.waiting() == []
            assert sorted(mail.recipients[0][0] for mail in provider.mails) == list("01234567")
            events = [line["event"] for line in lines]
            assert {line["connections"] for line in lines if line["event"] == "account_narrowed"} == {1}
            assert not {"provider_asks_for_less", "account_unreachable", "delivery_deferred"} & {*events}
            with office.engine.connect() as connection:
                attempts = connection.execute(
                    select(attempt.c.delivery_id, func.count()).group_by(attempt.c.delivery_id)
                )
                assert [count for _, count in attempts] == [1] * 8
            assert provider.connections <= 1 + connections  # those who waited for the refused one do not ask again


async def test_what_a_provider_refuses_while_none_is_open_is_a_failed_attempt(tmp_path: Path) -> None:
    async with (
        Provider({"CONNECT": [LIMIT, "220 provider.example ESMTP"]}) as provider,
        open_office(tmp_path, account=limited(provider.port)) as office,
    ):
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        assert [line["event"] for line in lines if line["event"].startswith(("account", "provider"))][:1] == [
            "account_unreachable"
        ]
        assert len(office.waiting()) == 1
        await office.pass_time(HOUR)
        assert office.waiting() == []
