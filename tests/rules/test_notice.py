import email
import email.policy
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage, Message
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model.account import Account, Directory, Notify, Pop3Server, Security, User
from relay.model.address import Address
from relay.model.mail import Recipient
from relay.model.reply import Reply
from relay.rules.disposition import Failure
from relay.rules.notice import (
    Letterhead,
    Notice,
    alert_notice,
    notice_reader,
    notice_way,
    plain_notice,
    report_notice,
)
from relay.rules.notice_status import Story
from relay.rules.notice_texts import TEXTS, Alert, Report
from relay.rules.notice_wording import AlertFacts
from tests.rules.notice_examples import mail_of_an_alert

AT = datetime(2026, 6, 1, 10, 15, tzinfo=ZoneInfo("Europe/Berlin"))
SALES = Address(local="sales", domain="example.com")
ANNA = Address(local="anna", domain="example.com")
HEADER = b"From: anna@example.com\r\nMessage-ID: <offer.1@example.com>\r\nSubject: Offer\r\n"
UNKNOWN = Reply(code=550, enhanced="5.1.1", text="<kunde@example.net>: User unknown\nsee the manual")
CONTROLS = {*range(32), 127}
COMMON = {
    "Subject", "From", "To", "Date", "Message-ID", "Relay-Loop", "Auto-Submitted", "MIME-Version", "Content-Type",
}  # fmt: skip


def failed(
    address: str = "kunde@example.net",
    reply: Reply = UNKNOWN,
    orcpt: str = "",
    tried: datetime | None = None,
    *,
    expired: bool = False,
) -> Failure:
    recipient = Recipient(n=0, address=address, orcpt=orcpt)
    return Failure(recipient=recipient, reply=reply, expired=expired, last_attempt=tried)


def head(language: str = "en", notice_id: str = "01jy7", at: datetime = AT, **reader: Any) -> Letterhead:  # noqa: ANN401 - a user's fields
    anna = User(**{"name": "Anna Müller", "address": ANNA, **reader})
    return Letterhead(
        language=language, hostname="relay.office.example", notice_id=notice_id, at=at, sender=SALES, reader=anna
    )


def failure(
    *recipients: Failure,
    to: Letterhead | None = None,
    report: Report = Report.FAILED,
    **mail: Any,  # noqa: ANN401 - fields of the story
) -> Notice:
    fields = {"queue_id": "01jx", "header": HEADER, "body": b"Hello\r\n", "subject": "Offer", "sent": AT, **mail}
    return report_notice(to or head(), Story(report=report, recipients=recipients or [failed()], **fields))


def alert(kind: Alert, to: Letterhead | None = None, **facts: Any) -> Notice:  # noqa: ANN401 - any of the facts
    message = mail_of_an_alert(facts.pop("queue_id", ""), facts.pop("subject", ""))
    return alert_notice(to or head(name="anna"), AlertFacts(kind=kind, message=message, **facts))


def wire(notice: Notice) -> bytes:
    return notice.header + b"\r\n" + notice.body


def parse(notice: Notice) -> EmailMessage:
    return email.message_from_bytes(wire(notice), _class=EmailMessage, policy=email.policy.default)


def parts(notice: Notice) -> list[Message]:
    """Parse leniently, as a mail program would, and prove that the structure is exactly the one that we wrote."""
    message = email.message_from_bytes(wire(notice))
    assert not message.defects
    assert len(message.keys()) == len(set(message.keys()))
    children = message.get_payload()
    assert isinstance(children, list)
    assert len(children) == 3
    for part in children:
        assert isinstance(part, Message)
        assert not part.defects
    return children  # type: ignore[return-value]  # each was just checked


def text_of(notice: Notice) -> str:
    payload = parts(notice)[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def status_of(notice: Notice) -> list[Message]:
    blocks = parts(notice)[1].get_payload()
    assert isinstance(blocks, list)
    return blocks  # type: ignore[return-value]  # the parser makes messages of a delivery-status


def test_the_header_of_a_failure() -> None:
    notice = failure(to=head("de"), subject="Angebot für Müller")
    message = parse(notice)
    assert set(message.keys()) == COMMON | {"In-Reply-To", "References"}
    assert message["From"] == "Maildienst <sales@example.com>"
    assert message["To"] == "Anna Müller <anna@example.com>"
    assert message["Subject"] == notice.subject == "Nicht zugestellt: Angebot für Müller"
    assert message["Date"].datetime == AT
    assert message["Message-ID"] == notice.message_id == "<01jy7@example.com>"
    assert message["In-Reply-To"] == message["References"] == "<offer.1@example.com>"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Relay-Loop"] == "relay.office.example"
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"


def test_plain_words_say_what_failed_for_whom_and_what_to_do() -> None:
    notice = failure(failed("a@example.net"), failed("b@example.net"), failed("c@example.net", Reply(code=552)))
    text = text_of(notice)
    assert text.startswith("Your e-mail could not be delivered.")
    assert "Subject: Offer\r\nSent: 2026-06-01, 10:15\r\nReference: 01jx\r\n" in text
    assert "Not delivered to:\r\n    a@example.net\r\n    b@example.net\r\n" in text
    assert "The e-mail provider's reply: 550 5.1.1 <kunde@example.net>: User unknown see the manual\r\n" in text
    assert "What to do: Check the spelling" in text
    assert "Not delivered to:\r\n    c@example.net\r\n" in text
    assert "too large" in text
    assert "relay.office.example" in text


def test_german_words() -> None:
    text = text_of(failure(failed(expired=True, reply=Reply(code=0, text="timed out")), to=head("de")))
    assert "Gesendet: 01.06.2026, 10:15 Uhr" in text
    assert "Der Maildienst hat es mehrmals versucht und jetzt aufgegeben." in text
    assert "Technische Ursache: Der Server des Anbieters antwortet nicht." in text
    text = text_of(failure(failed(reply=Reply(code=0, text="what nobody has translated")), to=head("de")))
    assert "Technische Ursache" not in text


def test_the_status_for_machines() -> None:
    about, recipient = status_of(failure(failed(tried=AT - timedelta(minutes=5)), envelope_id="E 1"))
    assert about.items() == [
        ("Original-Envelope-Id", "E 1"),
        ("Reporting-MTA", "dns; relay.office.example"),
        ("X-Relay-Queue-ID", "01jx"),
        ("Arrival-Date", "Mon, 01 Jun 2026 10:15:00 +0200"),
    ]
    assert [(name, " ".join(value.split())) for name, value in recipient.items()] == [
        ("Final-Recipient", "rfc822; kunde@example.net"),
        ("Action", "failed"),
        ("Status", "5.1.1"),
        ("Diagnostic-Code", "smtp; 550 5.1.1 <kunde@example.net>: User unknown see the manual"),
        ("Last-Attempt-Date", "Mon, 01 Jun 2026 10:10:00 +0200"),
    ]


def test_what_we_refuse_ourselves_is_no_answer_of_a_server() -> None:
    reply = Reply(code=0, enhanced="5.6.7", text="The provider does not take international addresses (SMTPUTF8)")
    _, recipient = status_of(failure(failed(reply=reply)))
    assert recipient["Diagnostic-Code"].startswith("x-relay; 5.6.7 The provider")
    assert recipient["Status"] == "5.6.7"


def test_a_delay_says_until_when_it_is_tried() -> None:
    later = failed(reply=Reply(code=451, enhanced="4.7.1", text="greylisted"), orcpt="rfc822;Kunde+2Bx@example.net")
    notice = failure(later, report=Report.DELAYED, retry_until=AT + timedelta(days=3))
    assert notice.subject == "Not delivered yet: Offer"
    _, recipient = status_of(notice)
    assert (recipient["Action"], recipient["Status"]) == ("delayed", "4.7.1")
    assert recipient["Will-Retry-Until"] == "Thu, 04 Jun 2026 10:15:00 +0200"
    assert recipient["Original-Recipient"] == "rfc822; Kunde+x@example.net"
    assert "Do not send the e-mail again" in text_of(notice)


def test_a_mail_that_was_handed_over_is_no_failure() -> None:
    notice = failure(failed(reply=Reply(code=250, text="queued")), report=Report.RELAYED, to=head("de"))
    _, recipient = status_of(notice)
    assert (recipient["Action"], recipient["Status"]) == ("relayed", "2.1.9")
    assert "Grund" not in text_of(notice)
    assert notice.subject.startswith("Übergeben: ")


def test_a_doubt_is_named() -> None:
    assert "perhaps the e-mail arrived" in text_of(failure(doubtful=True))
    assert "perhaps the e-mail arrived" not in text_of(failure())


def test_every_recipient_has_a_status_of_his_own() -> None:
    blocks = status_of(failure(*[failed(f"{n}@example.net") for n in range(50)]))
    assert [block["Final-Recipient"] for block in blocks[1:]] == [f"rfc822; {n}@example.net" for n in range(50)]


@pytest.mark.parametrize(
    ("reply", "expired", "status"),
    [
        (Reply(code=550, enhanced="5.7.26"), False, "5.7.26"),
        (Reply(code=550, enhanced="4.2.0"), False, "5.2.0"),
        (Reply(code=550), False, "5.0.0"),
        (Reply(code=550, enhanced="5.1"), False, "5.0.0"),
        (Reply(code=451, enhanced="4.3.0"), True, "4.4.7"),
    ],
)
def test_the_status_code(reply: Reply, expired: bool, status: str) -> None:
    assert status_of(failure(failed(reply=reply, expired=expired)))[1]["Status"] == status


def test_without_a_reply_the_diagnosis_is_ours() -> None:
    (_, recipient) = status_of(failure(failed(reply=Reply(code=0))))
    assert recipient["Diagnostic-Code"] == "x-relay; no reply"


def test_the_mail_is_attached_as_it_was() -> None:
    body = b"Gr\xfc\xdfe\r\n--x\r\n.\r\n" + b"y" * 5000 + b"\r\n"
    notice = failure(body=body)
    assert (
        b"\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + HEADER
        + b"\r\n"
        + body
        + (b"\r\n--=_")
        in notice.body
    )
    assert b"Content-Transfer-Encoding: 8bit\r\n" in notice.header
    assert b"8bit" not in wire(failure())


def test_of_a_large_mail_only_the_header_is_attached() -> None:
    notice = failure(body=None)
    attached = parts(notice)[2]
    assert attached.get_content_type() == "text/rfc822-headers"
    assert attached.get_payload() == HEADER.decode()
    assert "The header of the e-mail is attached." in text_of(notice)


def test_an_international_domain_becomes_ascii() -> None:
    notice = failure(failed("kunde@müller.example"))
    assert parts(notice)[1].get_content_type() == "message/delivery-status"
    assert status_of(notice)[1]["Final-Recipient"] == "rfc822; kunde@xn--mller-kva.example"
    assert "kunde@müller.example" in text_of(notice)


def test_an_international_address_takes_the_international_types() -> None:
    notice = failure(failed("grüße@müller.example", Reply(code=550, enhanced="5.1.1", text="ungültig")))
    assert [part.get_content_type() for part in parts(notice)] == [
        "text/plain",
        "message/global-delivery-status",
        "message/global",
    ]
    assert "Final-Recipient: utf-8; grüße@müller.example\r\n".encode() in notice.body
    assert "Diagnostic-Code: smtp; 550 5.1.1 ungültig\r\n".encode() in notice.body
    headers = failure(failed("grüße@müller.example"), body=None)
    assert parts(headers)[2].get_content_type() == "message/global-headers"


def test_a_foreign_reply_is_written_in_ascii() -> None:
    reply = Reply(code=550, text="ungültig")
    assert status_of(failure(failed(reply=reply)))[1]["Diagnostic-Code"] == r"smtp; 550 ung\x{FC}ltig"


def test_the_same_facts_give_the_same_notice() -> None:
    assert failure() == failure()
    assert failure(to=head(notice_id="a")).body != failure(to=head(notice_id="b")).body


def test_a_mail_that_knows_the_boundary_breaks_nothing() -> None:
    boundary = email.message_from_bytes(wire(failure())).get_boundary()
    notice = failure(body=f"--{boundary}\r\n\r\nevil\r\n--{boundary}--\r\n".encode())
    assert len(parts(notice)) == 3


anything = st.text(st.characters(), max_size=80)
junk = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [b"\r\n\r\n--x", b"no colon\r\n", b"Content-Type: multipart/mixed; boundary=q\r\n", b": \r\n \r\n"]
    ),
    st.lists(
        st.sampled_from(
            [b"Message-ID: <a@b>", b"Content-Type: multipart/report; boundary=b", b"\xff: \x00", b"", b" f"]
        )
    ).map(b"\r\n".join),
)
recipients = st.builds(
    Failure,
    recipient=st.builds(Recipient, n=st.just(0), address=anything),
    reply=st.builds(Reply, code=st.sampled_from([0, 421, 550, 552]), enhanced=anything, text=anything),
    expired=st.booleans(),
)


letterheads = st.builds(
    Letterhead,
    language=st.sampled_from(sorted(TEXTS)),
    hostname=anything,
    notice_id=anything,
    at=st.just(AT),
    sender=st.builds(Address, local=anything, domain=anything),
    reader=st.builds(User, name=anything, address=st.just(ANNA)),
)


@settings(max_examples=150)
@given(
    st.lists(recipients, min_size=1, max_size=3),
    st.fixed_dictionaries(
        {
            "to": letterheads,
            "header": junk,
            "body": st.none() | junk,
            "subject": anything,
            "queue_id": anything,
            "envelope_id": anything,
            "report": st.sampled_from(Report),
            "retry_until": st.none() | st.datetimes(timezones=st.just(UTC)),
            "doubtful": st.booleans(),
        }
    ),
)
def test_nothing_foreign_adds_a_field_or_a_part(failures: list[Failure], facts: dict[str, Any]) -> None:
    notice = failure(*failures, **facts)
    children = parts(notice)
    names = set(email.message_from_bytes(wire(notice)).keys())
    assert names - {"In-Reply-To", "References", "Content-Transfer-Encoding"} == COMMON
    assert [part.get_content_maintype() for part in children] in [
        ["text", "message", "message"],
        ["text", "message", "text"],
    ]
    assert all(set(part.keys()) <= {"Content-Type", "Content-Transfer-Encoding"} for part in children)
    if children[1].get_content_type() == "message/delivery-status":
        assert len(status_of(notice)) == 1 + len(failures)
    original = facts["header"]
    assert original in notice.body
    if facts["body"] is not None:
        assert facts["body"] in notice.body
    boundary = email.message_from_bytes(wire(notice)).get_boundary()
    assert boundary is not None
    _, text, status, _, end = notice.body.split(f"--{boundary}".encode())
    assert end == b"--\r\n"
    ours = text + status
    assert all(len(line) <= 998 for line in ours.split(b"\r\n"))
    assert not set(ours.replace(b"\r\n", b"")) & CONTROLS
    assert not set(notice.header.replace(b"\r\n", b"")) & CONTROLS


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("kind", Alert)
def test_every_alert_tells_its_facts(language: str, kind: Alert) -> None:
    notice = alert(
        kind, to=head(language, name="anna"), account="my sales", address="s@example.com", reply=UNKNOWN,
        queue_id="01jx", subject="Angebot für Müller", count=3,
    )  # fmt: skip
    message = parse(notice)
    assert set(message.keys()) == COMMON | {"Content-Transfer-Encoding"}
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"] == notice.subject
    assert message.get_content_type() == "text/plain"
    text = message.get_content()
    for fact in ("my sales", "01jx", "Angebot für Müller", "550 5.1.1", "relay.office.example"):
        assert fact in text
    assert "{" not in notice.subject + text


def test_a_paused_account_says_how_to_go_on() -> None:
    text = parse(alert(Alert.ACCOUNT_PAUSED, account="my sales", address="s@example.com")).get_content()
    assert "relay account resume 'my sales'" in text
    assert "Reference" not in text
    assert "reply" not in text


def test_held_mails_are_counted() -> None:
    assert (
        "3 e-mails that were to be sent through it are stopped."
        in parse(alert(Alert.ACCOUNT_GONE, account="sales", count=3)).get_content()
    )


def test_a_mail_without_subject_is_named_all_the_same() -> None:
    assert alert(Alert.UNCERTAIN_HELD, queue_id="01jx").subject == "Perhaps sent already: (no subject)"
    assert failure(subject=" ", to=head("de")).subject == "Nicht zugestellt: (ohne Betreff)"


@given(st.sampled_from(Alert), anything, anything, anything)
def test_nothing_foreign_adds_a_field_to_an_alert(kind: Alert, name: str, subject: str, said: str) -> None:
    reply = Reply(code=550, enhanced=said, text=said)
    notice = alert(kind, to=head(name=name), account=name, address=name, subject=subject, queue_id="01jx", reply=reply)
    message = email.message_from_bytes(wire(notice))
    assert not message.defects
    assert len(message.keys()) == len(COMMON) + 1
    assert set(message.keys()) == COMMON | {"Content-Transfer-Encoding"}
    assert b"\r\n\r\n" not in notice.header


def user(name: str, notify: Notify | None = None) -> User:
    return User(name=name, address=Address(local=name, domain="example.com"), notify=notify)


def account(owner: str, *, collected: bool) -> Account:
    pop3 = Pop3Server(host="pop.example", port=995, security=Security.TLS, username="x")
    return Account(name="sales", address=SALES, owner=owner, pop3=pop3 if collected else None)


@pytest.mark.parametrize(
    ("submitter", "owner", "reader"),
    [
        ("bert", "carl", "bert"),
        (None, "carl", "carl"),
        ("gone", "carl", "carl"),
        ("gone", "gone", "anna"),
        (None, None, "anna"),
    ],
)
def test_who_is_told(submitter: str | None, owner: str | None, reader: str) -> None:
    directory = Directory(users=(user("anna"), user("bert"), user("carl")), postmaster="anna")
    about = None if owner is None else account(owner, collected=False)
    assert notice_reader(directory=directory, submitter=submitter, account=about).name == reader


def test_without_a_postmaster_nobody_can_be_told() -> None:
    with pytest.raises(LookupError, match="postmaster"):
        notice_reader(directory=Directory(), submitter=None, account=None)


@pytest.mark.parametrize(
    ("notify", "owner", "collected", "way"),
    [
        (None, "anna", True, Notify.INBOX),
        (None, "anna", False, Notify.MAIL),
        (None, "bert", True, Notify.MAIL),
        (Notify.MAIL, "anna", True, Notify.MAIL),
        (Notify.INBOX, "anna", False, Notify.INBOX),
    ],
)
def test_which_way_he_is_told(notify: Notify | None, owner: str, collected: bool, way: Notify) -> None:
    anna = user("anna", notify)
    directory = Directory(users=(anna,), accounts=(account(owner, collected=collected),), postmaster="anna")
    assert notice_way(directory=directory, user=anna) is way


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_notice_of_paragraphs_is_a_plain_text_with_our_loop_field(language: str) -> None:
    notice = plain_notice(head(language, "01abc"), "Größe\r\nBcc: x@y.example", ("eins", "", "zwei\ndrei"))
    mail = email.message_from_bytes(notice.header + b"\r\n" + notice.body, policy=email.policy.default)
    assert mail["Subject"] == notice.subject == "Größe Bcc: x@y.example"
    assert (mail["Auto-Submitted"], mail["Relay-Loop"]) == ("auto-generated", "relay.office.example")
    assert mail["Message-ID"] == notice.message_id == "<01abc@example.com>"
    assert (mail["Bcc"], mail.get_content_type()) == (None, "text/plain")
    first, second, closing = "\n".join(mail.get_content().strip().splitlines()).split("\n\n")
    assert (first, second) == ("eins", "zwei\ndrei")
    assert "relay.office.example" in closing
