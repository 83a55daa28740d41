"""The whole way with real programs at both ends: from swaks, curl, msmtp and smtplib to smtp-sink and Postfix."""

import json
import re
import socket
from collections.abc import Generator
from pathlib import Path

import argon2
import pytest
import trustme

from tests.peers.postfix import Postfix
from tests.peers.programs import PROGRAMS, Mail, Server, submit_by_swaks
from tests.peers.relay_process import ANNA, RelayProcess, make_account, write_config
from tests.peers.sink import Sink

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

_CUSTOMER, _ARCHIVE, _SALES = "customer@example.net", "central@example.com", "sales@example.com"
_PASSWORD = "correct horse"
_BODY = b"first\r\n.dot\r\n\r\n8-bit \xe4\r\nlast\r\n"

Office = tuple[RelayProcess, Sink]


def _mail(sender: str = _SALES, *, subject: str = "hello") -> Mail:
    header = f"From: Sales <{sender}>\r\nTo: {_CUSTOMER}\r\nBcc: hidden@example.net\r\nSubject: {subject}\r\n\r\n"
    return Mail(sender="scanner@localhost.example", recipients=(_CUSTOMER,), data=header.encode() + _BODY)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Generator[Office]:
    with Sink() as sink:
        accounts = [
            make_account("sales", sink.port),
            make_account("private", sink.port, excluded=True),
        ]
        with RelayProcess(write_config(tmp_path_factory.mktemp("office"), accounts=accounts)) as relay:
            yield relay, sink


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_submits_and_smtp_sink_receives(name: str, office: Office) -> None:
    relay, sink = office
    submission = PROGRAMS[name](Server(port=relay.port), _mail(subject=f"by {name}"))
    assert submission.status == 0, submission.transcript
    queue_id = submission.queue_id
    assert queue_id, submission.transcript
    (delivered,) = relay.wait_for("message_delivered", queue_id=queue_id)
    (received,) = [mail for mail in sink.mails if mail.field("Subject") == [f"by {name}".encode()]]
    assert received.reverse_path == _SALES
    assert received.recipients == (_CUSTOMER, _ARCHIVE)
    assert received.body == _BODY.replace(b"\r\n", b"\n")
    assert received.field("From") == [b"Sales <sales@example.com>"]
    assert received.field("Bcc") == []
    assert len(received.field("Message-ID")) == len(received.field("Date")) == 1
    assert queue_id.encode() in received.field("Received")[0]
    assert _ARCHIVE.encode() not in received.header
    (accepted,) = relay.find("message_accepted", queue_id=queue_id)
    assert (accepted["rule"], accepted["account"], accepted["user"]) == ("1a", "sales", "anna")
    assert delivered["account"] == "sales"


def test_a_foreign_sender_is_rewritten_and_answers_come_back_to_him(office: Office) -> None:
    relay, sink = office
    submission = submit_by_swaks(Server(port=relay.port), _mail("a.schmidt@example.com", subject="rule 3"))
    relay.wait_for("message_delivered", queue_id=submission.queue_id)
    (received,) = [mail for mail in sink.mails if mail.field("Subject") == [b"rule 3"]]
    assert received.reverse_path == _SALES
    assert b"<sales@example.com>" in received.field("From")[0]
    assert b"a.schmidt@example.com" in received.field("Reply-To")[0]


def test_an_excluded_account_is_refused_with_its_name(office: Office) -> None:
    relay, _ = office
    submission = submit_by_swaks(Server(port=relay.port), _mail("private@example.com"))
    assert submission.status != 0
    assert re.search(r"<\*\* +550[- ]5\.7\.1.*private", submission.transcript), submission.transcript
    assert relay.wait_for("message_rejected", code=550)[-1]["account"] == "private"


def test_commands_tell_of_a_mail_beside_the_running_service(office: Office) -> None:
    relay, _ = office
    queue_id = submit_by_swaks(Server(port=relay.port), _mail(subject="trace me")).queue_id
    assert queue_id
    relay.wait_for("message_delivered", queue_id=queue_id)
    for command in (("trace", queue_id), ("queue", "show", queue_id)):
        told = relay.run(*command)
        assert queue_id in told
        assert _CUSTOMER in told
    json.loads(relay.run("trace", queue_id, "--json"))
    assert queue_id not in relay.run("queue", "list")


_UNCOLLECTED = {"host": "127.0.0.1", "port": 9, "security": "none", "username": "x", "password": "x",
                "interval": "24 h"}  # fmt: skip


def _provider_account(provider: Postfix, *, password: str = _PASSWORD) -> dict[str, object]:
    smtp = {"security": "starttls", "ca_file": str(provider.ca_file), "username": _SALES, "password": password}
    return dict(make_account("sales", provider.port, smtp=smtp))


def test_every_program_reaches_a_provider_with_tls_auth_and_sender_checks(tmp_path: Path) -> None:
    with (
        Postfix(logins={_SALES: _PASSWORD}, senders={_SALES: _SALES}) as provider,
        RelayProcess(write_config(tmp_path, accounts=[_provider_account(provider)])) as relay,
    ):
        for count, (name, submit) in enumerate(PROGRAMS.items(), start=1):
            submission = submit(Server(port=relay.port), _mail())
            assert submission.status == 0, f"{name}: {submission.transcript}"
            for recipient in (_CUSTOMER, _ARCHIVE):
                header, _, body = provider.wait_for(recipient, count)[-1].partition(b"\n\n")
                assert body == _BODY.replace(b"\r\n", b"\n"), name
                assert b"Return-Path: <sales@example.com>" in header
                if recipient == _CUSTOMER:
                    assert _ARCHIVE.encode() not in header
        assert "sasl_username=sales@example.com" in provider.log
        assert not relay.find("delivery_deferred")


def test_a_refused_login_pauses_the_account_until_the_password_is_mended(tmp_path: Path) -> None:
    with Postfix(logins={_SALES: _PASSWORD}) as provider:
        wrong = _provider_account(provider, password="mistyped")
        with RelayProcess(write_config(tmp_path, accounts=[wrong], retry={"intervals": ["1 min"]})) as relay:
            submission = submit_by_swaks(Server(port=relay.port), _mail())
            assert submission.status == 0, submission.transcript
            assert relay.wait_for("account_paused", account="sales")[0]["code"] == 535
            write_config(tmp_path, accounts=[_provider_account(provider)], retry={"intervals": ["1 min"]})
            relay.reload()
            relay.wait_for("message_delivered", queue_id=submission.queue_id)
            provider.wait_for(_CUSTOMER)
            log = relay.config.with_name("serve.log").read_text()
            assert "mistyped" not in log
            assert _PASSWORD not in log


def test_a_sender_that_postfix_refuses_at_rcpt_is_told_to_the_postmaster(tmp_path: Path) -> None:
    """Postfix keeps reject_sender_login_mismatch until RCPT (smtpd_delay_reject), and says it to each recipient."""
    with Postfix(logins={_SALES: _PASSWORD}, senders={"other@example.com": _SALES}) as provider:
        accounts = [{**_provider_account(provider), "pop3": {**_UNCOLLECTED}}]
        with RelayProcess(write_config(tmp_path, accounts=accounts)) as relay:
            mail = _mail()
            submission = submit_by_swaks(
                Server(port=relay.port),
                Mail(sender=mail.sender, recipients=(_CUSTOMER, "b@example.org"), data=mail.data),
            )
            assert submission.status == 0, submission.transcript
            (refused,) = relay.wait_for("sender_refused")
            assert (refused["account"], refused["code"]) == ("sales", 553)
            assert "Sender address rejected" in refused["reply"]
            relay.wait_for("inbox_delivered", count=2)
            told = [path.read_text(errors="replace") for path in (tmp_path / "inboxes" / "anna" / "new").iterdir()]
            assert sum("Subject: Sender refused: account sales" in text for text in told) == 1
            (notice,) = [text for text in told if "Subject: Not delivered" in text]
            assert "send only as addresses that belong to it" in notice.replace("=\n", "")
            assert not any("not affected" in text for text in told)
            assert not relay.find("delivery_deferred")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_logs_in_over_tls(name: str, tls_office: tuple[RelayProcess, Sink, Path]) -> None:
    relay, sink, ca_file = tls_office
    server = Server(port=relay.port, ca_file=ca_file, login="anna", password=_PASSWORD)
    submission = PROGRAMS[name](server, _mail(subject=f"by {name}"))
    assert submission.status == 0, submission.transcript
    relay.wait_for("message_delivered", queue_id=submission.queue_id)
    (accepted,) = relay.find("message_accepted", queue_id=submission.queue_id)
    assert (accepted["user"], accepted["identity"]) == ("anna", "login")
    (received,) = [mail for mail in sink.mails if mail.field("Subject") == [f"by {name}".encode()]]
    assert re.search(rb"with (UTF8)?E?SMTPSA\b", received.field("Received")[0])


def test_without_login_nobody_gets_in_where_auth_is_wanted(tls_office: tuple[RelayProcess, Sink, Path]) -> None:
    relay, _, ca_file = tls_office
    assert "530 5.7.0" in submit_by_swaks(Server(port=relay.port, ca_file=ca_file), _mail()).transcript
    wrong = Server(port=relay.port, ca_file=ca_file, login="anna", password="wrong")
    assert "535 5.7.8" in submit_by_swaks(wrong, _mail()).transcript
    assert relay.wait_for("auth_failed")


@pytest.fixture(scope="module")
def tls_office(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[RelayProcess, Sink, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server.private_key_pem.write_to_path(folder / "key.pem")
    server.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    listener = {
        "tls": "starttls",
        "certificate": str(folder / "certificate.pem"),
        "private_key": str(folder / "key.pem"),
        "require_auth": True,
    }
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with Sink() as sink:
        config = write_config(
            folder,
            accounts=[make_account("sales", sink.port)],
            users=[{**ANNA, "password_hash": quick.hash(_PASSWORD)}],
            listener=listener,
        )
        with RelayProcess(config) as relay:
            yield relay, sink, folder / "ca.pem"


_GERMAN_PROGRAMS = {name: PROGRAMS[name] for name in ("swaks", "msmtp", "smtplib")}


@pytest.fixture(scope="module")
def german_office(tmp_path_factory: pytest.TempPathFactory) -> Generator[RelayProcess]:
    accounts = [make_account("Büro", 1, address="sales@example.com", excluded=True)]
    config = write_config(tmp_path_factory.mktemp("buero"), accounts=accounts, language="de",
                          listener={"max_message_size": "1 MiB"})  # fmt: skip
    with RelayProcess(config) as relay:
        yield relay


@pytest.mark.parametrize("name", _GERMAN_PROGRAMS)
def test_a_german_office_reads_why_in_german(name: str, german_office: RelayProcess) -> None:
    submission = _GERMAN_PROGRAMS[name](Server(port=german_office.port), _mail())
    assert submission.status != 0
    assert "Das Konto Buero ist vom Maildienst ausgenommen" in submission.transcript
    assert "The account Buero is excluded from the service" in submission.transcript
    assert "queued as" not in submission.transcript


@pytest.mark.parametrize("name", _GERMAN_PROGRAMS)
def test_a_german_office_reads_how_large_a_mail_may_be(name: str, german_office: RelayProcess) -> None:
    mail = _mail()
    large = Mail(sender=mail.sender, recipients=mail.recipients, data=mail.data + (b"x" * 70 + b"\r\n") * 30_000)
    submission = _GERMAN_PROGRAMS[name](Server(port=german_office.port), large)
    assert submission.status != 0
    assert "Angenommen werden hoechstens 1 MiB, diese hat 3" in submission.transcript


def test_a_scanner_with_bare_line_feeds_is_understood(tmp_path: Path) -> None:
    scanner = {"name": "Scanner", "networks": ["127.0.0.1/32"], "user": "anna", "bare_line_feeds": True}
    with Sink() as sink:
        config = write_config(tmp_path, accounts=[make_account("sales", sink.port)], device=[scanner])
        with (
            RelayProcess(config) as relay,
            socket.create_connection(("127.0.0.1", relay.port), timeout=20) as scan,
        ):
            lines = scan.makefile("rb")
            lines.readline()
            for command, code in (("HELO scan", 250), (f"MAIL FROM:<{_SALES}>", 250), (f"RCPT TO:<{_CUSTOMER}>", 250)):
                scan.sendall(command.encode() + b"\n")
                assert lines.readline().startswith(str(code).encode())
            scan.sendall(b"DATA\n")
            assert lines.readline().startswith(b"354")
            scan.sendall(f"From: {_SALES}\nSubject: scan\n\nhello\n.\n".encode())
            assert lines.readline().startswith(b"250 2.0.0 queued as")
            relay.wait_for("message_delivered")
        assert [mail.body for mail in sink.mails] == [b"hello\n"]
