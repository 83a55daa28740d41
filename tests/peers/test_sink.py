import pytest

from tests.peers.postfix import Postfix
from tests.peers.programs import Mail, Server, submit_by_smtplib, submit_many
from tests.peers.sink import Sink

pytestmark = pytest.mark.peer


def test_envelope_header_and_body_can_be_read() -> None:
    mail = Mail(
        sender="anna@example.com",
        recipients=("b@example.net", "c@example.net"),
        data=b"From: anna@example.com\r\nSubject: a\r\n b\r\n\r\n..\r\n8-bit \xe4\r\n\r\n",
    )
    with Sink() as sink:
        assert submit_by_smtplib(Server(port=sink.port), mail).status == 0
        (received,) = sink.wait_for(1)
    assert received.reverse_path == "anna@example.com"
    assert received.recipients == ("b@example.net", "c@example.net")
    assert received.field("subject") == [b"a b"]
    assert received.data == mail.data.replace(b"\r\n", b"\n")


def test_many_mails_are_counted() -> None:
    with Sink() as sink:
        assert submit_many(sink.port, messages=100, sessions=5).status == 0
        mails = sink.wait_for(100)
    assert {mail.recipients for mail in mails} == {("customer@example.net",)}
    assert all(4000 < len(mail.data) < 4200 for mail in mails)


def test_postfix_as_a_smarthost_rewrites_and_copies() -> None:
    with (
        Sink() as sink,
        Postfix(relayhost=sink.port, always_bcc="central@example.com", rewrite_sender="s@x.example") as relay,
    ):
        submission = submit_many(relay.port, messages=10, sessions=2)
        assert submission.status == 0, submission.transcript
        mails = sink.wait_for(10)
    assert {mail.reverse_path for mail in mails} == {"s@x.example"}
    assert {recipient for mail in mails for recipient in mail.recipients} == {
        "customer@example.net",
        "central@example.com",
    }
