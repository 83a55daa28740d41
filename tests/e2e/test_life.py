"""The service as a whole: it drains, lets nobody wait behind a mailing, and works on PostgreSQL as on SQLite."""

import contextlib
import json
import signal
import smtplib
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.peers.machine import wait_until
from tests.peers.programs import submit_many
from tests.peers.relay_process import ANNA, RelayProcess, make_account, write_config
from tests.peers.sink import Sink
from tests.storage.conftest import empty_postgresql
from tests.storage.conftest import postgresql as postgresql  # noqa: PLC0414 - a fixture

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]


def submit(port: int, subject: str) -> str:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as smtp:
        text = f"From: sales@example.com\r\nSubject: {subject}\r\n\r\nhello\r\n"
        smtp.ehlo()
        smtp.mail("sales@example.com")
        smtp.rcpt("customer@example.net")
        code, reply = smtp.data(text)
        assert code == 250
        return reply.decode().split()[-1]


def test_sigterm_lets_running_work_end_and_takes_nothing_new(tmp_path: Path) -> None:
    with Sink("-w", "1") as sink:  # a second before it answers the final dot
        config = write_config(tmp_path, accounts=[make_account("sales", sink.port, smtp={"connections": 1})])
        relay = RelayProcess(config)
        with relay:
            idle = socket.create_connection(("127.0.0.1", relay.port))
            idle.recv(100)
            for n in range(3):
                submit(relay.port, f"mail {n}")
            wait_until(lambda: list(sink.folder.glob("mail.*")), what="the first is on its way")
            stopper = threading.Thread(target=relay.stop)
            stopper.start()
            assert idle.recv(100).startswith(b"421 4.3.2")
            stopper.join()
            idle.close()
        assert relay.find("service_stopped")
        sent = relay.find("message_delivered")
        assert 1 <= len(sent) < 3
        assert not relay.find("possible_duplicate")
        with relay:
            relay.wait_for("message_delivered", count=3)
        assert not relay.find("possible_duplicate")
        assert len(sink.wait_for(3)) == 3


def test_a_hangup_while_it_starts_or_reloads_is_no_end(tmp_path: Path) -> None:
    relay = RelayProcess(write_config(tmp_path, accounts=[make_account("sales", 9)]), fresh=True)
    sent, started = [], threading.Event()

    def hang_up() -> None:
        while not started.is_set():
            with contextlib.suppress(AssertionError, OSError):
                if obeys_hangup(relay.pid):
                    relay.reload()
                    sent.append(relay.pid)
            time.sleep(0.02)

    sender = threading.Thread(target=hang_up)
    sender.start()
    with relay:
        started.set()
        sender.join()
        relay.wait_for("configuration_reloaded")
        for _ in range(5):
            relay.reload()
        assert submit(relay.port, "after it")
    assert len(sent) > 1
    assert relay.find("service_stopped")
    assert not relay.find("activity_failed")
    assert not relay.find("configuration_refused")


def obeys_hangup(pid: int) -> bool:
    """Tell whether a process blocks or catches SIGHUP: before that, nothing of ours runs in it."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = dict(line.split(":", 1) for line in status.splitlines())
    return any(int(masks[name], 16) & 1 << signal.SIGHUP - 1 for name in ("SigBlk", "SigCgt"))


def test_a_port_changes_hands_while_the_service_runs(tmp_path: Path) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]

    def config(host: str) -> Path:
        listener = {"host": host, "port": port}
        return write_config(tmp_path, accounts=[make_account("sales", 9)], listener=listener)

    with RelayProcess(config("127.0.0.1")) as relay:
        for n, host in enumerate(("0.0.0.0", "127.0.0.1", "0.0.0.0"), 1):
            config(host)
            relay.reload()
            relay.wait_for("configuration_reloaded", count=n)
            assert submit(port, "after it")
        assert not relay.find("configuration_refused")


def test_sigterm_takes_drain_timeout_once_however_much_hangs(tmp_path: Path) -> None:
    with Sink("-w", "30") as sink:  # never answers in time
        account = make_account("sales", sink.port, smtp={"connections": 1})
        config = write_config(tmp_path, accounts=[account], limits={"drain_timeout": "5 s"})
        relay = RelayProcess(config)
        with relay:
            for n in range(3):
                submit(relay.port, f"mail {n}")
            wait_until(lambda: list(sink.folder.glob("mail.*")), what="the first is on its way")
            with socket.create_connection(("127.0.0.1", relay.port)) as hangs, hangs.makefile("rb") as replies:
                hangs.sendall(b"EHLO x\r\nMAIL FROM:<sales@example.com>\r\nRCPT TO:<a@example.net>\r\nDATA\r\nFrom: s")
                while not replies.readline().startswith(b"354"):
                    pass
                begun = time.monotonic()
                relay.stop()
        assert 4.5 < time.monotonic() - begun < 9.5
        assert relay.find("service_stopped")
        assert [row["state"] for row in json.loads(relay.run("queue", "list", "--json"))] == ["waiting"] * 3


def test_a_single_mail_passes_a_mailing_of_the_same_program_and_user(tmp_path: Path) -> None:
    def config(port: int) -> Path:
        account = make_account("sales", port, archive=False, smtp={"connections": 1})
        return write_config(tmp_path, accounts=[account], retry={"intervals": ["1 s"]})

    with RelayProcess(config(9)) as relay:
        assert submit_many(relay.port, messages=500, length=200).status == 0
        relay.run("account", "pause", "sales")
        with Sink(keep=False) as sink:
            config(sink.port)
            relay.reload()
            relay.wait_for("configuration_reloaded")
            single = submit(relay.port, "the single one")
            relay.run("account", "resume", "sales")
            relay.wait_for("message_delivered", queue_id=single)
            order = [line["queue_id"] for line in relay.find("message_delivered")]
    assert order.index(single) < 100


def test_a_service_on_postgresql_that_is_killed_loses_nothing(tmp_path: Path, postgresql: str) -> None:
    with Sink() as sink:
        config = write_config(
            tmp_path,
            accounts=[make_account("sales", sink.port)],
            users=[{**ANNA, "notify": "inbox"}],
            storage={"database": empty_postgresql(postgresql)},
        )
        with RelayProcess(config) as relay:
            ids = [submit(relay.port, f"first {n}") for n in range(20)]
            relay.kill()
            relay.start()
            ids += [submit(relay.port, f"second {n}") for n in range(20)]
            wait_until(lambda: relay.run("queue", "list", "--json") == "[]\n", what="the queue is empty")
            assert "delivered" in relay.run("trace", ids[0])
        assert {mail.field("Subject")[0].decode() for mail in sink.mails} == {
            f"{kind} {n}" for kind in ("first", "second") for n in range(20)
        }
