"""What an attempt leaves in the queue, for each kind of answer; the provider's answers are scripted."""

import email
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from relay.model.destination import Destination, DestinationKind
from relay.model.mail import Body, ClaimedDelivery
from relay.model.reply import Outcome, Reply, Verdict
from relay.storage import admin, commands
from relay.transports.transport import Learnt, Progress, Terms, TransportResult
from tests.peers.deliveries import count_open
from tests.peers.office import MINUTE, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import make_account

A, B, ARCHIVE = "a@example.net", "b@example.net", "central@example.com"
OK = Reply(code=250)


async def test_a_taken_mail_is_done_and_its_body_gone(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            reply = await office.hand_in(A)
            await office.send()
        queue_id = reply.text.split()[-1]
        (mail,) = provider.mails
        assert mail.sender == "sales@example.com"
        assert mail.recipients == [A, ARCHIVE]
        assert office.waiting() == []
        assert office.outcomes(queue_id) == {A: "delivered", ARCHIVE: "delivered"}
        assert [chunk async for chunk in office.queue.chunks(queue_id, 0)] == []
        (delivered,) = [line for line in lines if line["event"] == "message_delivered"]
        assert delivered["recipients"] == [A, ARCHIVE]
        assert delivered["reply"] == "250 2.0.0 taken"


async def test_each_recipient_has_his_own_outcome_and_only_the_deferred_are_tried_again(tmp_path: Path) -> None:
    answers = {f"RCPT {A}": ["450 4.2.0 later", "250 ok"], "RCPT c@example.net": "550 5.1.1 unknown"}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        queue_id = (await office.hand_in(A, B, "c@example.net")).text.split()[-1]
        await office.send()
        expected = {A: "pending", B: "delivered", "c@example.net": "bounced", ARCHIVE: "delivered"}
        assert office.outcomes(queue_id) == expected
        (row,) = office.waiting("queued")
        assert office.now + MINUTE * 0.5 < row.due < office.now + MINUTE * 1.5
        assert len(office.inbox()) == 1
        await office.pass_time(2 * MINUTE)
        assert office.outcomes(queue_id) == {**expected, A: "delivered"}
        assert [mail.recipients for mail in provider.mails] == [[B, ARCHIVE], [A]]
        assert len(office.inbox()) == 1


async def test_a_bounce_tells_the_user_in_his_inbox(tmp_path: Path) -> None:
    async with (
        Provider({f"RCPT {A}": "550 5.1.1 no such user"}) as provider,
        open_office(tmp_path, port=provider.port) as o,
    ):
        await o.hand_in(A)
        await o.send()
        (notice,) = o.inbox()
        parsed = email.message_from_bytes(notice)
        assert parsed.get_content_type() == "multipart/report"
        assert parsed["Return-Path"] in (None, "<>")
        assert b"no such user" in notice
        assert b"hello" in notice
        assert o.waiting() == []


async def test_a_bounce_is_told_though_a_reload_has_removed_its_account_meanwhile(tmp_path: Path) -> None:
    class Slow(Provider):
        async def hear(self, command: str) -> None:
            await super().hear(command)
            if command.startswith("RCPT"):
                office.configure(accounts=[make_account("other", self.port)])

    async with (
        Slow({f"RCPT {A}": "550 5.1.1 no such user"}) as provider,
        open_office(tmp_path, port=provider.port) as office,
    ):
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        assert office.outcomes(queue_id)[A] == "bounced"
        (notice,) = office.inbox()
        assert b"no such user" in notice


async def test_a_third_kind_of_destination_is_doubted_after_a_crash_and_its_bounce_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(Destination.parse.cache_clear)  # it would go on to read what is no destination elsewhere
    fax = str.__new__(DestinationKind, "fax")
    fax._name_, fax._value_ = "FAX", "fax"
    monkeypatch.setitem(DestinationKind._value2member_map_, "fax", fax)
    refusal = Reply(code=550, enhanced="5.1.1", text="no such number")

    class Fax:
        terms = Terms(any_hour=True)
        login = None

        async def deliver(self, claimed: ClaimedDelivery, _body: Body, _progress: Progress) -> TransportResult:
            no, yes = Outcome(verdict=Verdict.BOUNCED, reply=refusal), Outcome(verdict=Verdict.DELIVERED, reply=OK)
            outcomes = {r.n: yes if r.address == B else no for r in claimed.recipients}
            return TransportResult(outcomes=outcomes, reply=OK, learnt=Learnt(answers=True))

    async with open_office(tmp_path, schedule={"active": ["Fri 08:00-09:00"]}) as office:
        queue_id = (await office.hand_in(A, B)).text.split()[-1]
        with office.engine.begin() as connection:
            connection.execute(text("UPDATE delivery SET destination = 'fax:sales', state = 'active'"))
        with capture_logs() as lines:
            await office.restart()
            monkeypatch.setitem(office.delivery._transports._makers, fax, lambda _: Fax())
            await office.send()
        assert office.outcomes(queue_id) == {A: "bounced", B: "delivered", ARCHIVE: "bounced"}
        assert [event.what for event in admin.show_message(office.engine, queue_id).events] == ["possible_duplicate"]
        said = ["possible_duplicate", "queue_recovered", "message_bounced", "message_delivered", "archive_failed"]
        assert [line["event"] for line in lines if line["event"] in said] == said
        assert any(b"no such number" in mail and A.encode() in mail for mail in office.inbox())


async def test_a_failing_archive_neither_bounces_nor_delays(tmp_path: Path) -> None:
    answers = {f"RCPT {ARCHIVE}": "550 5.1.1 no archive"}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A)).text.split()[-1]
            await office.send()
        assert office.outcomes(queue_id) == {A: "delivered", ARCHIVE: "bounced"}
        assert "archive_failed" in [line["event"] for line in lines]
        assert "message_bounced" not in [line["event"] for line in lines]
        (alert,) = office.inbox()
        assert ARCHIVE.encode() in alert


@pytest.mark.parametrize("final", ["550 5.7.1 spam", "451 4.3.0 later", "lost"])
async def test_a_data_reply_that_included_the_archive_decides_nothing(tmp_path: Path, final: str) -> None:
    async with Provider({f"DOT {ARCHIVE}": final}) as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A)).text.split()[-1]
            await office.send()
        if final == "lost":  # it may have been taken: then nothing is repeated at once
            assert office.outcomes(queue_id) == {A: "pending", ARCHIVE: "pending"}
            assert "possible_duplicate" in [line["event"] for line in lines]
            assert len(admin.show_message(office.engine, queue_id).deliveries) == 2
            assert count_open(office.engine) == {("sales", "queued"): 1}  # one mail, though its copy waits apart
            return
        assert [mail.recipients for mail in provider.mails] == [[A]]
        expected = "bounced" if final.startswith("5") else "pending"
        assert office.outcomes(queue_id) == {A: "delivered", ARCHIVE: expected}
        assert "archive_split" in [line["event"] for line in lines]
        detail = admin.show_message(office.engine, queue_id)
        assert len(detail.deliveries) == 2


async def test_too_many_recipients_go_in_another_transaction_at_once(tmp_path: Path) -> None:
    answers = {f"RCPT {B}": ["452 4.5.3 too many", "250 ok"]}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        queue_id = (await office.hand_in(A, B)).text.split()[-1]
        await office.send()
        assert office.outcomes(queue_id) == {A: "delivered", B: "delivered", ARCHIVE: "delivered"}
        assert [mail.recipients for mail in provider.mails] == [[A, ARCHIVE], [B]]


async def test_an_answer_that_got_lost_is_named_and_the_second_doubt_held(tmp_path: Path) -> None:
    answers = {"DOT": "lost after taking"}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A)).text.split()[-1]
            await office.send()
        assert {line["queue_id"] for line in lines if line["event"] == "possible_duplicate"} == {queue_id}
        # The archive's copy goes by itself from now on, and takes its doubt with it.
        waiting = office.waiting("queued")
        assert len(waiting) == 2
        assert all(row.due > office.now + 2 * MINUTE for row in waiting)  # late
        await office.pass_time(10 * MINUTE)
        assert {row.recipients[0].address for row in office.waiting("held")} == {A, ARCHIVE}
        assert sorted(len(mail.recipients) for mail in provider.mails) == [1, 1, 2]
        assert len(office.inbox()) == 2  # user and postmaster are the same person
        await office.pass_time(60 * MINUTE)
        assert len(provider.mails) == 3
        assert commands.release(office.engine, [queue_id], now=office.now).count == 1
        provider.answers.clear()
        await office.send()
        assert office.outcomes(queue_id) == {A: "delivered", ARCHIVE: "delivered"}


@pytest.mark.parametrize("answer", ["lost after taking", "421 4.3.2 closing"])
async def test_a_server_that_breaks_off_because_of_the_archive_gets_the_mail_without_it(
    tmp_path: Path, answer: str
) -> None:
    answers = {f"DOT {ARCHIVE}": answer}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        for _ in range(3):
            await office.pass_time(10 * MINUTE)
        assert office.outcomes(queue_id)[A] == "delivered"
        assert [mail.recipients for mail in provider.mails].count([A]) == 1
        assert {row.recipients[0].address for row in office.waiting("queued", "held")} == {ARCHIVE}


async def test_hold_on_uncertain_holds_at_once(tmp_path: Path) -> None:
    account = {"on_uncertain": "hold"}
    async with (
        Provider({"DOT": "lost"}) as provider,
        open_office(tmp_path, port=provider.port, account=account) as office,
    ):
        await office.hand_in(A)
        await office.send()
        assert len(office.waiting("held")) == 1


async def test_what_stays_deferred_is_given_up_after_the_time(tmp_path: Path) -> None:
    retry = {"intervals": ["1 min"], "give_up_after": "10 min", "warn_after": "5 min"}
    async with (
        Provider({"RCPT": "451 4.3.0 later"}) as provider,
        open_office(tmp_path, port=provider.port, retry=retry) as office,
    ):
        queue_id = (await office.hand_in(A)).text.split()[-1]
        for _ in range(9):
            await office.pass_time(MINUTE)
        assert office.outcomes(queue_id)[A] == "pending"
        for _ in range(4):
            await office.pass_time(MINUTE)
        assert office.outcomes(queue_id)[A] == "bounced"
        assert any(b"4.3.0" in notice for notice in office.inbox())


async def test_a_sender_refused_bounces_and_tells_the_postmaster(tmp_path: Path) -> None:
    answers = {"MAIL": "550 5.7.1 not your address", "DATA": "503 5.5.1 no"}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A)).text.split()[-1]
            await office.send()
        assert office.outcomes(queue_id) == {A: "bounced", ARCHIVE: "bounced"}
        assert "sender_refused" in [line["event"] for line in lines]
        assert len(office.inbox()) >= 2  # the bounce, the alert


async def test_a_null_sender_gets_no_notice(tmp_path: Path) -> None:
    async with Provider({"RCPT": "550 5.1.1 no"}) as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            await office.hand_in(A, reverse_path=None)
            await office.send()
        assert office.inbox() == []
        assert "notice_dropped" in [line["event"] for line in lines]
        assert provider.commands.count("RCPT TO:<a@example.net>") == 1


async def test_settings_are_read_anew_at_each_attempt(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path) as office:
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        assert office.outcomes(queue_id)[A] == "pending"
        office.configure(port=provider.port)
        await office.pass_time(5 * MINUTE)
        assert office.outcomes(queue_id)[A] == "delivered"
