import pytest

from tests.peers.postfix import Postfix
from tests.peers.programs import Mail, Server, submit_by_smtplib, submit_many, unnumbered
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
    assert {tuple(map(unnumbered, mail.recipients)) for mail in mails} == {("customer@example.net",)}
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
    assert {unnumbered(recipient) for mail in mails for recipient in mail.recipients} == {
        "customer@example.net",
        "central@example.com",
    }


def test_generated_mails_have_many_recipients_over_kept_connections() -> None:
    with Sink() as sink:
        assert submit_many(sink.port, messages=4, sessions=2, recipients=3, kept=True).status == 0
        mails = sink.wait_for(4)
    assert {len(set(mail.recipients)) for mail in mails} == {3}


def test_it_ends_after_its_last_mail_and_not_before() -> None:
    with Sink("-M", "2", keep=False) as sink:
        assert submit_many(sink.port, messages=1, sessions=1).status == 0
        with pytest.raises(TimeoutError, match="all its mails"):
            sink.wait_for_end(timeout=0.1)
        submit_many(sink.port, messages=1, sessions=1)
        sink.wait_for_end()


def test_postfix_relays_for_whoever_logs_in() -> None:
    login, password = "anna@example.com", "correct horse"
    with Sink() as sink, Postfix(relayhost=sink.port, logins={login: password}) as relay:
        mail = Mail(sender=login, recipients=("b@example.net",), data=b"Subject: hello\r\n\r\nhello\r\n")
        server = Server(port=relay.port, ca_file=relay.ca_file, login=login, password=password)
        assert submit_by_smtplib(server, mail).status == 0
        (received,) = sink.wait_for(1)
        assert submit_by_smtplib(Server(port=relay.port), mail).status != 0
    assert received.recipients == mail.recipients
