"""Who is told what, where, and what nobody is ever told."""

import asyncio
import email
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from relay.model.errors import StorageError
from relay.model.mail import Pause
from relay.model.reply import Reply
from relay.storage import admin
from tests.peers.office import MINUTE, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import ANNA, make_account

A = "a@example.net"
REFUSED = {f"RCPT {A}": "550 5.1.1 no such user"}
BERT = {"name": "bert", "address": "bert@example.com", "notify": "inbox"}


async def test_the_submitting_user_is_told_not_the_owner(tmp_path: Path) -> None:
    users = [{**ANNA, "notify": "inbox"}, BERT]
    async with (
        Provider(REFUSED) as provider,
        open_office(tmp_path, port=provider.port, users=users, account={"owner": "bert"}) as office,
    ):
        await office.hand_in(A)  # the listener's default user is anna
        await office.send()
        assert (len(office.inbox("anna")), len(office.inbox("bert"))) == (1, 0)


async def test_without_an_inbox_the_notice_goes_by_mail_with_a_null_sender(tmp_path: Path) -> None:
    async with (
        Provider(REFUSED) as provider,
        open_office(tmp_path, port=provider.port, users=[{**ANNA, "notify": "mail"}]) as office,
    ):
        await office.hand_in(A)
        await office.send()
        (notice,) = [mail for mail in provider.mails if mail.sender == ""]
        assert notice.recipients == ["anna@example.com"]
        parsed = email.message_from_bytes(notice.data)
        assert parsed["Auto-Submitted"] == "auto-replied"
        assert office.inbox() == []


async def test_there_is_no_notice_about_a_notice(tmp_path: Path) -> None:
    answers = {**REFUSED, "RCPT anna@example.com": "550 5.1.1 no such user either"}
    async with (
        Provider(answers) as provider,
        open_office(tmp_path, port=provider.port, users=[{**ANNA, "notify": "mail"}]) as office,
    ):
        await office.hand_in(A)
        await office.send()
        await office.pass_time(MINUTE)
        assert provider.commands.count("RCPT TO:<anna@example.com>") == 1
        assert office.waiting() == []
        assert office.inbox() == []


async def test_a_large_mail_is_not_attached_whole(tmp_path: Path) -> None:
    body = [b"y" * 70 + b"\r\n"] * 30_000
    async with Provider(REFUSED) as provider, open_office(tmp_path, port=provider.port) as office:
        await office.hand_in(A, body=[b"".join(body[n : n + 3000]) for n in range(0, 30_000, 3000)])
        await office.send()
        (notice,) = office.inbox()
        assert len(notice) < 50_000
        assert b"Subject: a mail" in notice


async def test_the_postmaster_is_told_the_same_thing_once_an_hour(tmp_path: Path) -> None:
    answers = {"RCPT central@example.com": "550 5.1.1 no archive"}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        for _ in range(3):
            await office.hand_in(A)
            await office.send()
            await office.restart()  # what was told is no matter of one process
        assert len(office.inbox()) == 1
        await office.pass_time(61 * MINUTE)
        await office.hand_in(A)
        await office.send()
        assert len(office.inbox()) == 2


async def test_a_notice_by_mail_takes_a_working_account(tmp_path: Path) -> None:
    async with Provider(REFUSED) as provider:
        accounts = [make_account("sales", provider.port), make_account("spare", provider.port)]
        users = [{**ANNA, "notify": "mail"}]
        async with open_office(tmp_path, accounts=accounts, users=users) as office:
            admin.pause_account(office.engine, "sales", now=office.now)
            await office.send()  # a command's pause is seen at the next look
            await office.hand_in(A, sender="spare@example.com")
            await office.send()
            (notice,) = [mail for mail in provider.mails if mail.sender == ""]
            assert b"spare@example.com" in notice.data


async def test_german_offices_get_german_notices(tmp_path: Path) -> None:
    async with Provider(REFUSED) as provider, open_office(tmp_path, port=provider.port, language="de") as office:
        await office.hand_in(A)
        await office.send()
        (notice,) = office.inbox()
        text = email.message_from_bytes(notice).get_payload(0).get_payload(decode=True).decode()  # type: ignore[union-attr]
        assert "nicht" in text


class _FailingOnce:
    """A write of the queue that fails the first time."""

    def __init__(self, real: Callable[..., Awaitable[Any]]) -> None:
        self._real = real
        self._failed = False

    async def __call__(self, *arguments: Any) -> Any:  # noqa: ANN401 - any write
        if not self._failed:
            self._failed = True
            raise StorageError("disk full")
        return await self._real(*arguments)


async def test_the_alert_of_a_pause_survives_a_fault_of_the_database(tmp_path: Path) -> None:
    login = {"username": "u", "password": "p"}
    async with Provider({"AUTH": "535 5.7.8 no"}) as provider:
        account = {"smtp": {"host": "127.0.0.1", "port": provider.port, "security": "none", **login}}
        async with open_office(tmp_path, account=account) as office:
            office.queue.tell_owed = _FailingOnce(office.queue.tell_owed)  # type: ignore[method-assign, assignment]
            await office.hand_in(A)
            await asyncio.gather(*office.delivery._running())  # the fault meets the attempt, not the first look
            for _ in range(3):
                await office.pass_time(2 * MINUTE)
            (alert,) = office.inbox()
            assert b"sales" in alert
            assert [row.state for row in office.waiting()] == ["queued"]


async def test_the_alerts_of_a_change_are_told_after_a_crash_that_came_before_them(tmp_path: Path) -> None:
    async with open_office(tmp_path, account={"archive": False}) as office:
        gone = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        await office.queue.pause(
            Pause(account="sales", since=office.now, until=None, reason="no", refusal=Reply(code=535, text="no"))
        )
        await office.queue.hold_accounts(["sales"], now=office.now)
        await office.restart()
        await office.send()
        assert len(office.inbox()) == 2
        await office.restart()
        await office.send()
        assert len(office.inbox()) == 2
        assert office.outcomes(gone)[A] == "pending"


async def test_what_a_second_crash_holds_is_told_though_a_third_comes_at_once(tmp_path: Path) -> None:
    async with open_office(tmp_path, account={"archive": False}, schedule={"active": ["Fri 08:00-09:00"]}) as office:
        await office.hand_in(A)
        for _ in range(2):
            await office.queue.claim("sales", now=office.now, limit=1, open_now=True)
            await office.queue.recover(now=office.now)
        assert [row.state for row in office.waiting()] == ["held"]
        await office.restart()
        await office.send()
        (told,) = office.inbox()
        assert b"a mail" in told
