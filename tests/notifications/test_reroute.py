"""No notice waits behind the fault that it tells of, and none ends in silence."""

import email
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from relay.storage import admin
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import ANNA, make_account

A = "a@example.net"
HOUR = 60 * MINUTE
BY_MAIL = [{**ANNA, "notify": "mail"}]
RETRY = {"intervals": ["1 min"], "give_up_after": "10 min", "warn_after": "5 min"}


async def minutes(office: Office, count: int) -> None:
    for _ in range(count):
        await office.pass_time(MINUTE)


async def test_a_notice_leaves_through_an_account_that_works_not_through_the_dead_one(tmp_path: Path) -> None:
    async with Provider() as provider:
        accounts = [make_account("sales", 9, archive=False), make_account("spare", provider.port, archive=False)]
        async with open_office(tmp_path, accounts=accounts, users=BY_MAIL, retry=RETRY) as office:
            await office.hand_in(A)
            await minutes(office, 20)
            told = [email.message_from_bytes(mail.data)["From"] for mail in provider.mails]
            assert len(told) == 2  # that it waits, that it failed
            assert all("spare@example.com" in sender for sender in told)


async def test_a_notice_that_waits_for_a_dead_account_takes_another_that_works_again(tmp_path: Path) -> None:
    accounts = [make_account("sales", 9, archive=False), make_account("spare", 9, archive=False)]
    async with open_office(
        tmp_path, accounts=accounts, users=BY_MAIL, retry={**RETRY, "give_up_after": "9 h"}
    ) as office:
        await office.hand_in(A)
        await office.hand_in(A, sender="spare@example.com")
        await minutes(office, 8)
        assert {row.account for row in office.waiting() if not row.sender} == {"sales"}
        async with Provider() as provider:
            accounts[1] = make_account("spare", provider.port, archive=False)
            office.configure(accounts=accounts, users=BY_MAIL, retry={**RETRY, "give_up_after": "9 h"})
            with capture_logs() as lines:
                await minutes(office, 20)
            notices = [mail for mail in provider.mails if mail.sender == ""]
            assert len(notices) == 2
            assert all(mail.recipients == ["anna@example.com"] for mail in notices)
            parsed = [email.message_from_bytes(mail.data) for mail in notices]
            assert all("<spare@example.com>" in mail["From"] for mail in parsed)
            assert [mail["Auto-Submitted"] for mail in parsed] == ["auto-replied"] * 2
            moved = [line for line in lines if line["event"] == "notice_moved"]
            assert {(line["account"], line["way"]) for line in moved} == {("sales", "spare")}


@pytest.mark.parametrize("answer", ["refused", "RCPT 451 4.3.0 later", "MAIL 421 4.7.0 less"])
async def test_a_notice_whose_time_is_over_ends_in_the_inbox(tmp_path: Path, answer: str) -> None:
    verb, _, reply = answer.partition(" ")
    async with Provider({verb: reply}) as provider:
        port = 9 if answer == "refused" else provider.port
        accounts = [make_account("sales", port, archive=False)]
        async with open_office(tmp_path, accounts=accounts, users=BY_MAIL, retry=RETRY) as office:
            await office.hand_in(A)
            for _ in range(3):
                await office.pass_time(20 * MINUTE)
            await minutes(office, 30)
            assert office.waiting() == []
            assert {email.message_from_bytes(mail)["To"] for mail in office.inbox()} == {"anna <anna@example.com>"}
            assert any(b"Action: failed" in mail for mail in office.inbox())


async def test_the_notices_of_an_account_that_is_removed_are_not_held_with_its_mail(tmp_path: Path) -> None:
    accounts = [make_account("sales", 9, archive=False), make_account("spare", 9, archive=False)]
    retry = {**RETRY, "give_up_after": "9 h"}
    async with open_office(tmp_path, accounts=accounts, users=BY_MAIL, retry=retry) as office:
        await office.hand_in(A)
        await office.hand_in(A, sender="spare@example.com")
        await minutes(office, 8)
        async with Provider() as provider:
            office.configure(accounts=[make_account("spare", provider.port, archive=False)], users=BY_MAIL, retry=retry)
            office.delivery.flush()
            await minutes(office, 3)
            assert len([mail for mail in provider.mails if mail.sender == ""]) == 3  # two delays, one alert
            assert [(row.state, row.account) for row in office.waiting()] == [("held", "sales")]


async def test_without_any_account_left_notices_go_into_the_inbox(tmp_path: Path) -> None:
    accounts = [make_account("sales", 9, archive=False)]
    async with open_office(
        tmp_path, accounts=accounts, users=BY_MAIL, retry={**RETRY, "give_up_after": "9 h"}
    ) as office:
        await office.hand_in(A)
        await minutes(office, 8)
        office.configure(accounts=[{**accounts[0], "excluded": True}], users=BY_MAIL)
        await minutes(office, 2)
        subjects = [email.message_from_bytes(mail)["Subject"] for mail in office.inbox()]
        assert len(subjects) == 2  # the delay, and that mail is held
        assert [row.state for row in office.waiting()] == ["held"]
        assert [event.what for event in _events(office)] == ["notice_moved"]


def _events(office: Office) -> list[admin.EventRow]:
    rows = office.waiting("done")
    return [event for row in rows for event in admin.show_message(office.engine, row.message_id).events]


async def test_a_notice_that_its_reader_has_already_stops_nothing(tmp_path: Path) -> None:
    accounts = [make_account("sales", 9, archive=False), make_account("spare", 9, archive=False)]
    async with open_office(
        tmp_path, accounts=accounts, users=BY_MAIL, retry={**RETRY, "give_up_after": "9 h"}
    ) as office:
        await office.hand_in(A)
        await minutes(office, 8)
        (notice,) = [row for row in office.waiting() if not row.sender]
        admin.pause_account(office.engine, notice.account, now=office.now)
        with office.engine.begin() as connection:  # as a settlement leaves it that came too late
            late = "UPDATE recipient SET outcome = 'delivered' WHERE delivery_id = :id"
            connection.execute(text(late), {"id": notice.id})
        with capture_logs() as lines:
            await minutes(office, 40)
        assert "activity_failed" not in [line["event"] for line in lines]
        admin.resume_account(office.engine, notice.account, now=office.now)
        await minutes(office, 2)
        assert notice.id not in [row.id for row in office.waiting()]
