"""Who is told that a mail still waits, and what is given up though it could not be tried."""

import email
import math
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from relay.model.destination import Destination, to_account
from relay.model.envelope import DsnOptions
from relay.model.mail import Settlement
from relay.model.reply import Reply
from relay.storage import admin
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import make_account

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
        assert parsed["Subject"].startswith("Not delivered to all yet: ")
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


async def test_what_an_account_with_fewer_connections_never_comes_to_is_given_up(tmp_path: Path) -> None:
    async with open_office(tmp_path, retry=RETRY, account={"archive": False}) as office:
        lane = office.delivery._lanes.at(to_account("sales"))
        lane._backoff.until = math.inf  # others' mails take all the time
        lane.narrowed(1, math.inf)
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await hours(office, 3 * 24 - 1)
        assert office.outcomes(queue_id)[A] == "pending"
        await hours(office, 2)
        assert office.outcomes(queue_id)[A] == "bounced"
        assert b"takes less from this account" in office.inbox()[-1] + office.inbox()[0]


async def test_a_lane_that_goes_on_again_while_a_look_lasts_gives_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_office(tmp_path, retry=RETRY, account={"archive": False}) as office:
        lane = office.delivery._lanes.at(to_account("sales"))
        lane._backoff.until = math.inf
        lane.outage = Reply(code=421, text="no answer")
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await hours(office, 3 * 24 - 1)
        tell = office.delivery._expiry._tell_delays

        async def recover(account: str) -> set[Destination]:
            lane.outage = None
            return await tell(account)

        monkeypatch.setattr(office.delivery._expiry, "_tell_delays", recover)
        await hours(office, 2)
        assert office.outcomes(queue_id)[A] == "pending"


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
        await office.hand_in(A, dsn_options=(DsnOptions(notify="FAILURE"),))
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


def attempts(office: Office) -> list[int]:
    with office.engine.connect() as connection:
        query = (
            "SELECT a.at FROM attempt a JOIN delivery d ON d.id = a.delivery_id"
            " WHERE d.destination LIKE 'account:%' ORDER BY a.at"
        )
        return list(connection.execute(text(query)).scalars())


async def test_old_by_the_calendar_is_not_over_while_the_office_was_closed(tmp_path: Path) -> None:
    day = {"active": ["Mon-Sun 07:00-19:00"]}
    async with open_office(tmp_path, account={"archive": False}, retry=RETRY, schedule=day) as office:
        ids = [(await office.hand_in(A)).text.split()[-1] for _ in range(3)]
        await hours(office, 3 * 24 + 11)  # Monday, 09:26: three days, of which a day and a half were open
        before = len(attempts(office))
        with capture_logs() as lines:
            for _ in range(10):
                await office.pass_time(MINUTE)
        assert len(attempts(office)) - before <= 10  # the lane's own tries, one a minute
        assert len([line for line in lines if line["event"] == "delivery_deferred"]) <= 10
        waiting = office.waiting()
        assert len(waiting) == 3
        assert all(row.due <= office.now + 66 * MINUTE for row in waiting)
        async with Provider() as provider:
            office.configure(account={**account_at(provider.port)}, retry=RETRY, schedule=day)
            for _ in range(70):
                await office.pass_time(MINUTE)
            assert [office.outcomes(queue_id)[A] for queue_id in ids] == ["delivered"] * 3


def account_at(port: int, **server: object) -> dict[str, object]:
    return {"archive": False, "smtp": {"host": "127.0.0.1", "port": port, "security": "none", **server}}


async def test_a_paused_account_gives_nothing_up_though_its_server_could_not_be_reached_before(tmp_path: Path) -> None:
    retry = {**RETRY, "give_up_after": "10 h"}
    login = {"username": "u", "password": "p"}
    async with (
        Provider({"AUTH": "535 5.7.8 no"}) as provider,
        open_office(tmp_path, account=account_at(9, **login), retry=retry) as office,
    ):
        for _ in range(3):
            await office.hand_in(A)
        await office.send()
        office.configure(account=account_at(provider.port, **login), retry=retry)
        await hours(office, 12)
        before = attempts(office)
        await hours(office, 24)
        assert attempts(office) == before
        assert len(office.waiting("queued")) == 3


async def test_what_is_given_up_was_not_attempted_and_is_no_possible_duplicate(tmp_path: Path) -> None:
    async with open_office(tmp_path, account={"archive": False}, retry=RETRY) as office:
        ids = [(await office.hand_in(A)).text.split()[-1] for _ in range(3)]
        await hours(office, 3 * 24 - 1)
        real = office.queue.give_up
        seen: list[str] = []

        async def watched(settlements: Sequence[Settlement]) -> bool:
            seen.extend(row.state for row in office.waiting() if row.account == "sales")
            return await real(settlements)

        office.queue.give_up = watched  # type: ignore[method-assign, assignment]
        before = len(attempts(office))
        office.now += HOUR
        await office.send()
        assert "active" not in seen
        assert {office.outcomes(queue_id)[A] for queue_id in ids} == {"bounced"}
        assert len(attempts(office)) <= before + 1
        events = [event.what for one in ids for event in admin.show_message(office.engine, one).events]
        assert events.count("given_up") >= 2


async def test_one_notice_tells_of_all_that_is_given_up_of_a_mail(tmp_path: Path) -> None:
    account = account_at(9, recipients_per_message=2)
    retry = {**RETRY, "warn_after": "3 days"}
    async with open_office(tmp_path, account=account, retry=retry) as office:
        await office.hand_in(B)  # takes the attempts of the lane
        await office.hand_in(*(f"{n}@example.net" for n in range(9)))
        await hours(office, 3 * 24 + 1)
        notices = [notice for notice in office.inbox() if b"0@example.net" in notice]
        assert len(notices) == 1
        assert all(f"{n}@example.net".encode() in notices[0] for n in range(9))


async def test_an_account_that_is_asked_to_send_less_gives_up_in_time(tmp_path: Path) -> None:
    retry = {"intervals": ["1 min", "5 min"], "give_up_after": "10 h", "warn_after": "4 h"}
    async with (
        Provider({"MAIL": "421 4.7.0 too many mails, slow down"}) as provider,
        open_office(tmp_path, account=account_at(provider.port), retry=retry) as office,
    ):
        for _ in range(30):
            await office.hand_in(A)
        for _ in range(10 * 12 + 2):
            await office.pass_time(5 * MINUTE)
        assert office.waiting("queued") == []
        assert len([notice for notice in office.inbox() if b"Action: failed" in notice]) == 30


async def test_a_paused_account_keeps_no_warning_of_another_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.delivery.expiry._AT_ONCE", 5)
    accounts = [make_account("sales", 9, archive=False), make_account("other", 9, archive=False)]
    async with open_office(tmp_path, accounts=accounts, retry=RETRY) as office:
        admin.pause_account(office.engine, "sales", now=office.now)
        await office.send()
        for _ in range(7):
            await office.hand_in(A)
        await office.hand_in(B, sender="other@example.com")
        await hours(office, 5)
        (notice,) = office.inbox()
        assert B.encode() in notice


async def test_a_warning_is_not_parted_by_the_limit_of_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.delivery.expiry._AT_ONCE", 2)
    async with open_office(tmp_path, account=account_at(9, recipients_per_message=2), retry=RETRY) as office:
        for _ in range(3):
            await office.hand_in(*(f"{n}@example.net" for n in range(9)))
        await hours(office, 8)
        assert len(office.inbox()) == 3
        assert all(f"{n}@example.net".encode() in notice for n in range(9) for notice in office.inbox())


async def test_a_delay_names_the_last_attempt_and_the_end_in_open_hours(tmp_path: Path) -> None:
    retry = {"intervals": ["1 min", "3 h"], "give_up_after": "3 days", "warn_after": "4 h"}
    day = {"active": ["Mon-Sun 07:00-19:00"]}
    async with (
        Provider({"RCPT": "451 4.7.1 later"}) as provider,
        open_office(tmp_path, account=account_at(provider.port), retry=retry, schedule=day) as office,
    ):
        await office.hand_in(A)  # at 22:26; the first attempt is at 07:00
        for _ in range(14 * 12):
            await office.pass_time(5 * MINUTE)
        (notice,) = office.inbox()
        (status,) = [part for part in email.message_from_bytes(notice).walk() if part["Action"]]
        last = parsedate_to_datetime(status["Last-Attempt-Date"]).timestamp()
        assert last == attempts(office)[-1] // 1000 < office.now // 1000 - 60 * 60
        # 72 open hours are six days of twelve: those from Friday, 07:00, end with Wednesday.
        assert status["Will-Retry-Until"] == "Wed, 03 Jun 2026 19:00:00 +0200"


async def test_who_was_never_tried_has_no_last_attempt(tmp_path: Path) -> None:
    async with open_office(tmp_path, account=account_at(9), retry=RETRY) as office:
        for _ in range(9):
            await office.hand_in(A)
        await hours(office, 5)
        parts = [part for notice in office.inbox() for part in email.message_from_bytes(notice).walk()]
        assert None in [part["Last-Attempt-Date"] for part in parts if part["Action"]]


async def test_a_fault_of_ours_with_one_mail_keeps_no_other_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Provider() as provider:
        accounts = [make_account("sales", 9, archive=False), make_account("other", provider.port, archive=False)]
        async with open_office(tmp_path, accounts=accounts, retry=RETRY) as office:
            await office.hand_in(A)
            await hours(office, 3)
            await office.hand_in(B)

            async def fail(*_arguments: object) -> None:
                raise ZeroDivisionError("a fault of ours")

            monkeypatch.setattr(office.delivery.notifications.policy, "delay", fail)
            monkeypatch.setattr(office.delivery.notifications.rerouter, "leave", fail)
            with capture_logs() as lines:
                await hours(office, 2)
                await office.hand_in(A, sender="other@example.com")
                await office.send()
            assert any("ZeroDivisionError" in line.get("error", "") for line in lines)
            assert len(provider.mails) == 1
            assert len(office.waiting("queued")) == 2
            monkeypatch.undo()
            await hours(office, 1)
            assert len(office.inbox()) == 1  # of the first; the second waits for one hour less
            await hours(office, 1)
            assert len(office.inbox()) == 2


async def test_a_machine_that_sleeps_within_a_look_gives_nothing_up(tmp_path: Path) -> None:
    async with open_office(tmp_path, account=account_at(9), retry=RETRY) as office:
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        real = office.queue.pending_alerts

        async def sleep() -> object:
            office.now, office.skew = office.now + 5 * 24 * HOUR, office.skew + 5 * 24 * HOUR
            office.queue.pending_alerts = real  # type: ignore[method-assign]
            return await real()

        office.queue.pending_alerts = sleep  # type: ignore[method-assign,assignment]
        await office.pass_time(2 * MINUTE)
        assert office.outcomes(queue_id) == {A: "pending"}
        assert office.inbox() == []
