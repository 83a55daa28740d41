"""Mailboxes of a real Dovecot, collected by the relay as a program, and read again over IMAP by a real Dovecot."""

import json
import os
import random
import time
from pathlib import Path

import pytest

from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.machine import wait_until
from tests.peers.postfix import Postfix
from tests.peers.programs import Mail, Server, submit_by_swaks
from tests.peers.relay_process import ANNA, ROOT, RelayProcess, Table, make_account, write_config
from tests.peers.warm_start import WarmProcess

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]


def mailbox(dovecot: Dovecot, security: str = "none", **more: object) -> Table:
    port = dovecot.pop3s_port if security == "tls" else dovecot.pop3_port
    pop3 = {"host": "127.0.0.1", "port": port, "security": security, "username": "sales", "password": PASSWORD}
    if security != "none":
        pop3["ca_file"] = str(dovecot.ca_file)
    return {"name": "sales", "address": "sales@example.com", "owner": "anna", "pop3": {**pop3, **more}}


def inbox(folder: Path, user: str = "anna") -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "inboxes" / user / "new").glob("*"))]


def mail(n: int, to: str = "sales@example.com", body: bytes = b"hello\n") -> bytes:
    return f"From: x@y.example\nTo: {to}\nSubject: {n}\nMessage-ID: <{n}@test.example>\n\n".encode() + body


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_mail_stands_in_the_inbox_as_it_stood_at_the_provider(tmp_path: Path, security: str) -> None:
    bodies = [b"a\n", b".\n..\n.x\n", b"", b"\xe4\xff\x00\n", b"x" * 100_000 + b"\n", b"no line end"]
    with Dovecot() as provider, Dovecot() as reader:
        mails = [mail(n, body=body) for n, body in enumerate(bodies)]
        provider.fill("sales", mails)
        # The relay writes into the very Maildirs that the other Dovecot reads.
        storage = {"inboxes": str(reader.root)}
        config = write_config(tmp_path, accounts=[mailbox(provider, security)], storage=storage)
        with RelayProcess(config) as relay:
            (finished,) = relay.wait_for("poll_finished")
            assert (finished["fetched"], finished["deleted"]) == (6, 6)
            assert len(relay.find("mail_received", account="sales")) == 6
            received = reader.mails("anna")
            top = b"Delivered-To: anna@example.com\n"
            assert all(one.startswith(top) for one in received)
            whole = [one if one.endswith(b"\n") else one + b"\n" for one in mails]
            assert sorted(one.removeprefix(top) for one in received) == sorted(whole)
            assert provider.mails("sales") == []
            assert "correct-horse" not in config.with_name("serve.log").read_text()
            over_imap = reader.read_over_imap("anna")
            # IMAP has no NUL (RFC 3501 section 4.3.1): Dovecot shows another byte in its place.
            assert sorted(over_imap) == sorted(one.replace(b"\n", b"\r\n").replace(b"\0", b"\x80") for one in received)


def test_leave_on_server_fetches_once_and_first_poll_new_leaves_the_old_alone(tmp_path: Path) -> None:
    with Dovecot() as provider:
        provider.fill("sales", [mail(1), mail(2)])
        config = write_config(tmp_path, accounts=[mailbox(provider, leave_on_server=True, first_poll="new")])
        with RelayProcess(config) as relay:
            relay.wait_for("poll_finished")
            assert inbox(tmp_path) == []
            provider.fill("sales", [mail(3)])
            for _ in range(2):
                assert "sales: " in relay.run("poll", "sales")
            (received,) = inbox(tmp_path)
            assert b"Subject: 3" in received
            assert len(provider.mails("sales")) == 3


def test_a_shared_mailbox_is_distributed(tmp_path: Path) -> None:
    bert = {"name": "bert", "address": "bert@example.com"}
    with Dovecot() as provider:
        provider.fill(
            "sales", [mail(1, "bert@example.com"), mail(2, "a.schmidt@example.com, BERT@example.com"), mail(3)]
        )
        config = write_config(tmp_path, accounts=[mailbox(provider, distribute=True)], users=[ANNA, bert])
        with RelayProcess(config) as relay:
            relay.wait_for("poll_finished")
        assert (len(inbox(tmp_path, "anna")), len(inbox(tmp_path, "bert"))) == (2, 2)


def test_poll_and_account_test_work_without_a_service(tmp_path: Path) -> None:
    with Dovecot() as provider:
        provider.fill("sales", [mail(1)])
        config = write_config(tmp_path, accounts=[mailbox(provider, "starttls")])
        relay = RelayProcess(config)
        told = relay.run("account", "test", "sales")
        assert "1 message" in told
        assert "STLS" in told
        assert json.loads(relay.run("poll", "--json"))["sales"]["fetched"] == 1
        row = json.loads(relay.run("account", "list", "--json"))[0]
        assert row["last_poll"]
        write_config(tmp_path, accounts=[mailbox(provider, "starttls", password="wrong")])
        assert "FAILED log in" in relay.run("account", "test", "sales", check=False)
        assert "failed: login" in relay.run("poll", check=False)
        assert "login" in json.loads(relay.run("account", "list", "--json"))[0]["poll_error"]


def test_the_full_circle(tmp_path: Path) -> None:
    """Swaks hands in, the relay sends, Postfix takes, Dovecot gives, the relay collects: the bytes are the same."""
    with Postfix(logins={"sales@example.com": PASSWORD}) as postfix, Dovecot() as dovecot:
        smtp = {
            "security": "starttls",
            "ca_file": str(postfix.ca_file),
            "username": "sales@example.com",
            "password": PASSWORD,
        }
        sending = {**make_account("sales", postfix.port, smtp=smtp), "pop3": mailbox(dovecot)["pop3"]}
        with RelayProcess(write_config(tmp_path, accounts=[sending])) as relay:
            header = b"From: Sales <sales@example.com>\r\nTo: customer@example.net\r\nSubject: circle\r\n\r\n"
            data = header + b"\xe4\r\n.\r\nend\r\n"
            submitted = submit_by_swaks(
                Server(port=relay.port), Mail(sender="x@y.example", recipients=("customer@example.net",), data=data)
            )
            assert submitted.status == 0
            (stored,) = postfix.wait_for("customer@example.net")
            dovecot.fill("sales", [stored])
            relay.run("poll", "sales")
            (received,) = inbox(tmp_path)
            assert received == b"Delivered-To: anna@example.com\n" + stored
            assert received.partition(b"\n\n")[2] == b"\xe4\n.\nend\n"


def test_kill_at_random_moments_of_a_poll_leaves_every_message_exactly_once(tmp_path: Path) -> None:
    chance = random.Random(30)
    count, kills = 1000, 20
    with Dovecot() as provider:
        provider.fill("sales", [mail(n, body=b"y" * 2000 + b"\n") for n in range(count)])
        config = write_config(tmp_path, accounts=[mailbox(provider)])
        for _ in range(kills):
            said = tmp_path / "said"
            poll = WarmProcess("relay", ["poll", "-c", str(config)], cwd=ROOT, stdout=said, stderr=said)
            before = len(inbox_names(tmp_path))
            wait_until(
                lambda: len(inbox_names(tmp_path)) > before or poll.poll() is not None,  # noqa: B023 - of this round
                what="the poll is under way",
            )
            time.sleep(chance.random() * 0.02)
            poll.kill()
            poll.wait()
        RelayProcess(config).run("poll")
        subjects = sorted(int(one.partition(b"Subject: ")[2].split(b"\n")[0]) for one in inbox(tmp_path))
        assert subjects == list(range(count))
        assert provider.mails("sales") == []


def inbox_names(folder: Path) -> list[str]:
    new = folder / "inboxes" / "anna" / "new"
    return os.listdir(new) if new.exists() else []  # noqa: PTH208 - many times: paths would take seconds


def test_a_large_message_passes_with_little_memory(tmp_path: Path) -> None:
    with Dovecot() as provider:
        large = mail(1, body=(b"z" * 76 + b"\n") * 1_300_000)
        provider.fill("sales", [large])
        with RelayProcess(write_config(tmp_path, accounts=[mailbox(provider)]), fresh=True) as relay:
            relay.wait_for("poll_finished", timeout=60)
            _, peak = relay.memory()
            assert peak < 100_000_000
        (received,) = inbox(tmp_path)
        assert received == b"Delivered-To: anna@example.com\n" + large
