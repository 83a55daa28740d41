"""Who is told what, where, and what nobody is ever told."""

import email
from pathlib import Path

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
