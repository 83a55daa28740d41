"""Who is told that a mail still waits, and what is given up though it could not be tried."""

import email
from pathlib import Path

from structlog.testing import capture_logs

from relay.model.envelope import Wish
from relay.storage import admin
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider

A, B = "a@example.net", "b@example.net"
HOUR = 60 * MINUTE
RETRY = {"intervals": ["1 min", "1 h"], "give_up_after": "3 days", "warn_after": "4 h"}


async def hours(office: Office, count: int) -> None:
    for _ in range(count):
        await office.pass_time(HOUR)


async def test_the_sender_is_told_once_that_his_mail_still_waits(tmp_path: Path) -> None:
    answers = {f"RCPT {A}": "451 4.7.1 greylisted"}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port, retry=RETRY) as office:
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A, B)).text.split()[-1]
            await hours(office, 3)
            assert office.inbox() == []
            await hours(office, 20)
        (notice,) = office.inbox()
        parsed = email.message_from_bytes(notice)
        assert parsed["Subject"].startswith("Not delivered yet: ")
        status = list(parsed.walk())[4]
        assert (status["Final-Recipient"], status["Action"]) == (f"rfc822; {A}", "delayed")
        assert "greylisted" in status["Diagnostic-Code"]
        assert status["Will-Retry-Until"]
        (told,) = [line for line in lines if line["event"] == "mail_delayed"]
        assert (told["queue_id"], told["told"]) == (queue_id, True)
        assert [event.what for event in admin.show_message(office.engine, queue_id).events] == ["delay_told"]


async def test_a_mail_that_could_never_be_tried_is_told_and_given_up_all_the_same(tmp_path: Path) -> None:
    async with open_office(tmp_path, retry=RETRY, account={"archive": False}) as office:
        ids = [(await office.hand_in(A)).text.split()[-1] for _ in range(30)]
        await hours(office, 5)
        assert len([n for n in office.inbox() if b"not be delivered yet" in n]) == 30
        await hours(office, 3 * 24)
        assert {office.outcomes(queue_id)[A] for queue_id in ids} == {"bounced"}
        assert len(office.inbox()) == 60


async def test_a_paused_account_and_a_closed_office_do_not_count(tmp_path: Path) -> None:
    account = {"smtp": {"host": "127.0.0.1", "port": 9, "security": "none", "username": "u", "password": "p"}}
    async with Provider({"AUTH": "535 5.7.8 no"}) as provider:
        account["smtp"]["port"] = provider.port
        async with open_office(tmp_path, account=account, retry=RETRY) as office:
            await office.hand_in(A)
            await hours(office, 100)
            assert [b"login" in notice or b"Anmeldung" in notice for notice in office.inbox()] == [True]


async def test_who_wants_to_hear_of_no_delay_hears_of_none(tmp_path: Path) -> None:
    answers = {"RCPT": "451 4.7.1 later"}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port, retry=RETRY) as office:
        await office.hand_in(A, wishes=(Wish(notify="FAILURE"),))
        await hours(office, 6)
        assert office.inbox() == []
        await hours(office, 72)
        assert len(office.inbox()) == 1 + 1  # the bounce, and the archive's to the postmaster


async def test_several_deliveries_of_a_mail_are_one_warning(tmp_path: Path) -> None:
    account = {"smtp": {"host": "127.0.0.1", "port": 9, "security": "none", "recipients_per_message": 2}}
    async with open_office(tmp_path, account=account, retry=RETRY) as office:
        await office.hand_in(*(f"{n}@example.net" for n in range(9)))
        await hours(office, 5)
        (notice,) = office.inbox()
        assert all(f"{n}@example.net".encode() in notice for n in range(9))
