"""Who is told what, where, and what nobody is ever told."""

import email
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relay.model.destination import to_account, to_inbox
from relay.model.mail import DeliveryState, RecipientKind
from relay.model.reply import Outcome, Reply, Verdict
from relay.notifications.policy import announce
from relay.rules.disposition import Disposition, Failure
from relay.rules.notice_texts import Alert
from relay.rules.notice_wording import AlertFacts
from relay.storage import admin
from tests.peers.office import CLIENT, MINUTE, open_office
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


_COLLECTED = {"host": "127.0.0.1", "port": 9, "security": "none", "username": "bert", "password": "x"}


@pytest.mark.parametrize("reads_it", [True, False])
async def test_a_notice_that_bounces_goes_into_an_inbox_and_there_is_no_notice_about_it(
    tmp_path: Path, reads_it: bool
) -> None:
    answers = {**REFUSED, "RCPT bert@example.com": "550 5.1.1 no such user either"}
    async with Provider(answers) as provider:
        account = make_account("sales", provider.port, owner="bert", **({"pop3": _COLLECTED} if reads_it else {}))
        users = [ANNA, {**BERT, "notify": "mail"}]
        async with open_office(tmp_path, accounts=[account], users=users) as office:
            client = replace(CLIENT, default_user="bert")
            with capture_logs() as lines:
                await office.hand_in(A, client=client)
                await office.send()
                await office.pass_time(MINUTE)
            assert provider.commands.count("RCPT TO:<bert@example.com>") == 1
            assert office.waiting() == []
            reader, other = ("bert", "anna") if reads_it else ("anna", "bert")
            (notice,) = office.inbox(reader)
            assert office.inbox(other) == []
            parsed = email.message_from_bytes(notice)
            assert parsed["Subject"] == ("Not delivered: a mail" if reads_it else "For bert: Not delivered: a mail")
            assert parsed["To"] == "bert <bert@example.com>"
            (moved,) = [line for line in lines if line["event"] == "notice_moved"]
            assert (moved["to"], moved["way"]) == (reader, "inbox")
            assert [line for line in lines if line["event"] == "notice_queued"][1:] == []
            detail = admin.show_message(office.engine, moved["queue_id"])
            assert [(event.what, event.detail) for event in detail.events] == [
                ("notice_moved", "sales fails: into the inbox")
            ]


async def test_a_notice_that_bounces_is_not_tried_by_another_account(tmp_path: Path) -> None:
    answers = {**REFUSED, "RCPT bert@example.com": "550 5.1.1 no such user either"}
    async with Provider(answers) as provider, Provider() as other:
        accounts = [make_account("sales", provider.port, owner="bert"), make_account("spare", other.port)]
        users = [ANNA, {**BERT, "notify": "mail"}]
        async with open_office(tmp_path, accounts=accounts, users=users) as office:
            await office.hand_in(A, client=replace(CLIENT, default_user="bert"))
            await office.send()
            await office.pass_time(MINUTE)
            assert office.waiting() == []
            assert (len(office.inbox("anna")), other.mails) == (1, [])


async def test_where_no_account_can_send_the_postmaster_gets_what_its_reader_would_not_find(tmp_path: Path) -> None:
    account = make_account("sales", 9, owner="bert", excluded=True)
    async with open_office(tmp_path, accounts=[account], users=[ANNA, {**BERT, "notify": "mail"}]) as office:
        composer = office.delivery.notifications.composer
        readers = {user.name: user for user in office.settings.directory.users}
        for name, subject in (("anna", b"Subject: E-mails"), ("bert", b"Subject: For bert: E-mails")):
            notice = composer.alert(AlertFacts(kind=Alert.ACCOUNT_GONE, reader=readers[name], account="sales"))
            ((recipient,),) = [delivery.recipients for delivery in notice.deliveries]
            assert (recipient.kind, recipient.address) == (RecipientKind.INBOX, "anna")
            assert notice.message.header.startswith(subject)


async def test_an_alert_that_bounces_stays_the_postmasters(tmp_path: Path) -> None:
    async with (
        Provider({"RCPT": "550 5.1.1 no"}) as provider,
        open_office(tmp_path, port=provider.port, users=[{**ANNA, "notify": "mail"}]) as office,
    ):
        await office.hand_in(A)
        await office.send()
        await office.pass_time(MINUTE)
        assert office.waiting() == []
        told = {email.message_from_bytes(mail)["Subject"] for mail in office.inbox()}
        assert told == {"Not delivered: a mail", "Blind copy not delivered: central@example.com"}


@pytest.mark.parametrize("together", [True, False])
async def test_a_notice_says_what_became_of_the_others(tmp_path: Path, together: bool) -> None:
    answers = {f"RCPT {A}": "550 5.1.1 no", "RCPT late@example.net": "450 4.2.0 later"}
    account = {"smtp": {"recipients_per_message": 50 if together else 1, "connections": 1}, "archive": False}
    async with (
        Provider(answers) as provider,
        open_office(tmp_path, port=provider.port, account=account, language="de") as office,
    ):
        await office.hand_in("good@example.net", A)
        await office.send()
        await office.hand_in("late@example.net", A)
        await office.send()
        parsed = [email.message_from_bytes(mail) for mail in office.inbox()]
        assert {mail["Subject"] for mail in parsed} == {"Nicht an alle zugestellt: a mail", "Nicht zugestellt: a mail"}
        texts = [next(part for part in mail.walk() if part.get_content_type() == "text/plain") for mail in parsed]
        told = "".join(str(text.get_payload(decode=True), "utf-8") for text in texts)  # type: ignore[arg-type]
        assert told.count("für die übrigen hat Ihr E-Mail-Anbieter sie angenommen") == 1
        assert told.count("bei den übrigen steht es noch nicht fest") == 1


_OWNED = "553 5.7.1 <sales@example.com>: Sender address rejected: not owned by user bob@example.com"


async def test_a_sender_refused_at_rcpt_is_told_as_one_at_mail(tmp_path: Path) -> None:
    async with Provider({"RCPT": _OWNED}) as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        assert "sender_refused" in [line["event"] for line in lines]
        subjects = {email.message_from_bytes(mail)["Subject"] for mail in office.inbox()}
        assert subjects == {"Not delivered: a mail", "Sender refused: account sales"}


@pytest.mark.parametrize("all_fail", [True, False])
async def test_that_recipients_are_not_affected_is_said_where_it_is_true(tmp_path: Path, all_fail: bool) -> None:
    answers = {"RCPT" if all_fail else "RCPT central@example.com": "550 5.7.1 Relay access denied"}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        await office.hand_in(A)
        await office.send()
        (alert,) = [mail for mail in office.inbox() if b"Subject: Blind copy" in mail]
        assert (b"not affected" in alert) is not all_fail


async def test_that_they_are_not_affected_is_not_said_of_a_copy_that_fails_by_itself_as_they_did(
    tmp_path: Path,
) -> None:
    async with (
        Provider({"DOT": "554 5.7.1 spam"}) as provider,
        open_office(tmp_path, port=provider.port) as office,
    ):
        await office.hand_in(A)
        await office.send()
        assert len(office.inbox()) == 2
        (alert,) = [mail for mail in office.inbox() if b"Subject: Blind copy" in mail]
        assert b"not affected" not in alert


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


async def test_deciding_who_is_told_says_and_stores_nothing(tmp_path: Path) -> None:
    async with open_office(tmp_path, account={"archive": False}, schedule={"active": ["Fri 08:00-09:00"]}) as office:
        await office.hand_in(A, reverse_path=None)
        claimed = await office.queue.claim(to_account("sales"), now=office.now, limit=1, open_now=True)
        delivery, account = claimed[0], office.settings.directory.account("sales")
        assert account is not None
        refused = Reply(code=550, enhanced="5.1.1", text="no such user")
        disposition = Disposition(
            outcomes=((0, Outcome(verdict=Verdict.BOUNCED, reply=refused)),),
            state=DeliveryState.DONE,
            failures=(Failure(recipient=delivery.recipients[0], reply=refused, expired=False),),
        )
        policy = office.delivery.notifications.policy
        with capture_logs() as lines:
            told = await policy.of_attempt(account, delivery, disposition, refused, of_account=refused)
        assert lines == []
        assert [event.name for event in told.events] == ["notice_dropped", "sender_refused"]
        assert [notice.once for notice in told.notices] == ["sender/sales"]
        assert len(office.waiting()) == 1


async def test_each_way_of_a_notice_is_said_and_woken(tmp_path: Path) -> None:
    async with open_office(tmp_path, users=[{**ANNA, "notify": "mail"}]) as office:
        notice = office.delivery.notifications.composer.plain("A title", ["One.", "Two."], "sales")
        with capture_logs() as ways:
            assert announce([notice]) == {to_account("sales"), to_inbox("anna")}
        assert [(way["to"], way["way"]) for way in ways] == [("anna@example.com", "mail"), ("anna", "inbox")]
