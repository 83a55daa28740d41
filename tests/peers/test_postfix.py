import smtplib

import pytest

from tests.peers.postfix import Postfix
from tests.peers.programs import PROGRAMS, Mail, Server, submit_by_swaks

pytestmark = pytest.mark.peer

_LOGIN, _PASSWORD = "sales@example.com", "correct horse"
_MAIL = Mail(
    sender="sales@example.com",
    recipients=("customer@example.net", "other@example.org"),
    data=b"From: sales@example.com\r\nSubject: hello\r\n\r\n.dot\r\n8-bit \xe4\r\n",
)


def test_every_program_gets_mail_through_a_provider_with_tls_and_auth() -> None:
    with Postfix(logins={_LOGIN: _PASSWORD}) as provider:
        server = Server(port=provider.port, ca_file=provider.ca_file, login=_LOGIN, password=_PASSWORD)
        for count, (name, submit) in enumerate(PROGRAMS.items(), start=1):
            submission = submit(server, _MAIL)
            assert submission.status == 0, f"{name}: {submission.transcript}"
            for recipient in _MAIL.recipients:
                received = provider.wait_for(recipient, count)[-1]
                assert b"\n\n.dot\n8-bit \xe4\n" in received
        assert f"sasl_username={_LOGIN}" in provider.log


def test_a_provider_refuses_what_providers_refuse() -> None:
    with Postfix(logins={_LOGIN: _PASSWORD}, senders={_LOGIN: _LOGIN}) as provider:
        right = Server(port=provider.port, ca_file=provider.ca_file, login=_LOGIN, password=_PASSWORD)
        wrong = Server(port=provider.port, ca_file=provider.ca_file, login=_LOGIN, password="wrong")
        foreign = Mail(sender="x@example.com", recipients=_MAIL.recipients, data=_MAIL.data)
        assert submit_by_swaks(right, _MAIL).status == 0
        assert "535 5.7.8" in submit_by_swaks(wrong, _MAIL).transcript
        assert "553 5.7.1" in submit_by_swaks(right, foreign).transcript
        with smtplib.SMTP("127.0.0.1", provider.port) as smtp:
            assert smtp.docmd("MAIL FROM:<sales@example.com>")[0] == 530
            smtp.starttls(context=provider.client_context)
            smtp.mail("sales@example.com")
            assert smtp.rcpt("customer@example.net")[0] == 553
