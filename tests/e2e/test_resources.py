"""What runs out: the disk, its inodes, the database's lock, file descriptors. Nothing that was accepted is lost."""

import contextlib
import os
import smtplib
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.peers.machine import lack, wait_until
from tests.peers.relay_process import ANNA, RelayProcess, make_account, write_config
from tests.peers.sink import Sink

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m,nr_inodes=64,mode=0755", "relay-test", folder], check=False
    )
    if done.returncode:
        lack("needs to be root, with the right to mount")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def submit(port: int, text: str = "hello", *, size: int = 0) -> int:
    """Hand a mail in; gives the reply's code, that of the final dot where it came so far."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as smtp:
        smtp.ehlo()
        code, _ = smtp.mail("sales@example.com")
        if code != 250:
            return code
        smtp.rcpt("customer@example.net")
        code, _ = smtp.data(
            f"From: sales@example.com\r\nSubject: {text}\r\n\r\n" + "x" * 70 * 1 + ("y" * 70 + "\r\n") * (size // 72)
        )
        return code


def _fill(file: Path) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, b"x" * 4096)
    os.close(descriptor)


def relay_on(folder: Path, config_folder: Path, port: int, **limits: object) -> RelayProcess:
    config = write_config(
        config_folder,
        accounts=[make_account("sales", port)],
        users=[{**ANNA, "notify": "inbox"}],
        storage={"folder": str(folder)},
        limits={"free_space": "1 KiB", **limits},
    )
    return RelayProcess(config)


def test_a_full_disk_is_452_nothing_is_lost_and_it_goes_on_by_itself(tmp_path: Path, disk: Path) -> None:
    with Sink() as sink, relay_on(disk, tmp_path, sink.port) as relay:
        assert submit(relay.port, "before") == 250
        sink.wait_for(1)
        _fill(disk / "ballast")
        codes = [submit(relay.port, f"full {n}", size=300_000) for n in range(3)]
        assert set(codes) <= {451, 452}
        assert 452 in codes
        (disk / "ballast").unlink()
        wait_until(lambda: submit(relay.port, "after") == 250, what="it takes mail again")
        subjects = {mail.field("Subject")[0] for mail in sink.wait_for(2)}
        assert {b"before", b"after"} <= subjects
        assert relay.find("message_failed") or relay.find("message_rejected", reason="no_disk")


def test_some_room_is_left_for_what_was_accepted(tmp_path: Path, disk: Path) -> None:
    with Sink() as sink, relay_on(disk, tmp_path, sink.port, free_space="3 MiB") as relay:
        assert submit(relay.port) == 250
        sink.wait_for(1)
        (disk / "ballast").write_bytes(b"x" * 3 * MIB)
        wait_until(lambda: submit(relay.port) == 452, what="it takes no more mail")
        assert relay.find("message_rejected", reason="no_disk")
        (disk / "ballast").unlink()
        wait_until(lambda: submit(relay.port) == 250, what="it takes mail again")


def test_what_was_accepted_and_not_settled_when_the_disk_filled_is_settled_later(tmp_path: Path, disk: Path) -> None:
    with Sink("-w", "2") as sink, relay_on(disk, tmp_path, sink.port) as relay:  # two seconds before it takes a mail
        assert submit(relay.port, "under way") == 250
        wait_until(lambda: list(sink.folder.glob("mail.*")), what="it is on its way")
        _fill(disk / "ballast")
        wait_until(lambda: relay.find("activity_failed", activity="settle"), what="the outcome can't be written")
        assert submit(relay.port, "full", size=300_000) in (451, 452)
        (disk / "ballast").unlink()
        relay.wait_for("message_delivered")
        wait_until(lambda: relay.run("queue", "list", "--json") == "[]\n", what="the queue is empty")
        assert len(sink.mails) == 1
        assert not relay.find("possible_duplicate")


def test_the_databases_disk_counts_not_only_the_folders(tmp_path: Path, disk: Path) -> None:
    config = write_config(
        tmp_path,
        accounts=[make_account("sales", 9)],
        storage={"folder": str(tmp_path), "database": f"sqlite:///{disk}/relay.db"},
        limits={"free_space": "3 MiB"},
    )
    with RelayProcess(config) as relay:
        assert submit(relay.port) == 250
        (disk / "ballast").write_bytes(b"x" * 3 * MIB)
        wait_until(lambda: submit(relay.port) == 452, what="it takes no more mail")
        (disk / "ballast").unlink()
        wait_until(lambda: submit(relay.port) == 250, what="it takes mail again")


def test_a_disk_without_inodes_takes_no_mail_and_only_delays_a_notice(tmp_path: Path, disk: Path) -> None:
    with Sink("-w", "2", "-f", ".") as sink, relay_on(disk, tmp_path, sink.port, keep_history="1 day") as relay:
        assert submit(relay.port, "under way") == 250  # will be refused, which makes a notice
        for n in range(64):
            with contextlib.suppress(OSError):
                (disk / f"file{n}").touch()
        assert not os.statvfs(disk).f_favail
        wait_until(lambda: submit(relay.port) == 452, what="it takes no more mail")
        assert relay.find("message_rejected", reason="no_disk")
        bounced = relay.wait_for("message_bounced")[0]["queue_id"]
        relay.wait_for("notice_queued", about=bounced)
        relay.wait_for("delivery_deferred", account="")
        assert not [*disk.glob("inboxes/anna/new/*")]
        for path in disk.glob("file*"):
            path.unlink()
        relay.run("queue", "run")
        # Others may have been refused as well, and told of before.
        wait_until(
            lambda: any(bounced.encode() in path.read_bytes() for path in disk.glob("inboxes/anna/new/*")),
            what="the notice in the inbox",
        )
        assert submit(relay.port) == 250


def test_a_disk_that_is_read_only_is_named_at_the_start(tmp_path: Path, disk: Path) -> None:
    with Sink() as sink:
        relay = relay_on(disk, tmp_path, sink.port)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(RuntimeError, match="Read-only file system"):
            relay.start()
        assert len(relay.errors.splitlines()) == 1
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        with relay:
            assert submit(relay.port) == 250
            sink.wait_for(1)


def test_a_disk_that_takes_no_write_while_it_runs_is_4xx_and_nothing_is_lost(tmp_path: Path) -> None:
    """A mount with open files can't be made read-only: the limit of a file's size makes each write fail as well."""
    with Sink("-w", "2") as sink, relay_on(tmp_path, tmp_path, sink.port) as relay:
        assert submit(relay.port, "under way") == 250
        wait_until(lambda: list(sink.folder.glob("mail.*")), what="it is on its way")
        subprocess.run(["prlimit", f"--pid={relay.pid}", "--fsize=0:unlimited"], check=True)
        assert submit(relay.port, "meanwhile") == 451
        time.sleep(3)  # the provider takes the mail, which nobody can write down
        assert submit(relay.port, "meanwhile") == 451
        subprocess.run(["prlimit", f"--pid={relay.pid}", "--fsize=unlimited:unlimited"], check=True)
        wait_until(lambda: submit(relay.port, "after") == 250, what="it takes mail again")
        wait_until(lambda: relay.run("queue", "list", "--json") == "[]\n", what="the queue is empty")
        subjects = [mail.field("Subject")[0] for mail in sink.wait_for(2)]
        assert sorted(subjects) == [b"after", b"under way"]


def test_a_database_that_another_locks_is_4xx_and_goes_on(tmp_path: Path) -> None:
    with Sink() as sink, relay_on(tmp_path, tmp_path, sink.port) as relay:
        assert submit(relay.port, "before") == 250
        sink.wait_for(1)
        other = sqlite3.connect(tmp_path / "relay.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert submit(relay.port, "meanwhile") == 451
        other.execute("ROLLBACK")
        other.close()
        assert submit(relay.port, "after") == 250
        sink.wait_for(2)


def test_more_connections_than_file_descriptors(tmp_path: Path) -> None:
    with Sink() as sink, relay_on(tmp_path, tmp_path, sink.port) as relay:
        subprocess.run(["prlimit", f"--pid={relay.pid}", "--nofile=64:64"], check=True)
        flood = []
        for _ in range(200):
            with contextlib.suppress(OSError):
                flood.append(socket.create_connection(("127.0.0.1", relay.port), timeout=2))
        assert len([*Path(f"/proc/{relay.pid}/fd").iterdir()]) <= 64
        for one in flood:
            one.close()

        def takes_mail() -> bool:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                return submit(relay.port, "after") == 250
            return False

        wait_until(takes_mail, what="it takes mail again")
        sink.wait_for(1)
        assert relay.errors == ""


def test_many_large_mails_at_once_stay_within_the_budget(tmp_path: Path) -> None:
    body = b"x" * 998 + b"\r\n"
    ends = threading.Event()
    codes: list[int] = []

    def hand_in() -> None:
        with smtplib.SMTP("127.0.0.1", relay.port, timeout=60) as smtp:
            smtp.ehlo()
            smtp.mail("sales@example.com")
            smtp.rcpt("customer@example.net")
            code, _ = smtp.docmd("DATA")
            if code == 354:
                assert smtp.sock is not None
                smtp.sock.sendall(b"From: sales@example.com\r\n\r\n" + body * 4000)
                begun.release()
                ends.wait(60)
                smtp.sock.sendall(b".\r\n")
                code, _ = smtp.getreply()
            codes.append(code)
            begun.release()

    begun = threading.Semaphore(0)
    limits = {"bytes_in_flight": "8 MiB", "connections_per_client": 100}
    with Sink() as sink, relay_on(tmp_path, tmp_path, sink.port, **limits) as relay:
        assert submit(relay.port) == 250
        before, _ = relay.memory()
        clients = [threading.Thread(target=hand_in) for _ in range(60)]
        for client in clients:
            client.start()
        for _ in clients:
            assert begun.acquire(timeout=60)  # 240 MB have come, or were not let in
        assert relay.find("message_rejected", reason="no_room")
        ends.set()
        for client in clients:
            client.join()
        _, peak = relay.memory()
        assert len(codes) == 60
        assert 452 in codes
        assert {*codes} <= {250, 452}
        assert peak - before < 100 * MIB
        wait_until(lambda: submit(relay.port, "after") == 250, what="it takes mail again")
        sink.wait_for(codes.count(250) + 2)


def test_a_database_that_is_deleted_while_it_runs_takes_no_more_mail_and_what_it_has_leaves(tmp_path: Path) -> None:
    with Sink() as sink:
        config = write_config(tmp_path, accounts=[make_account("sales", sink.port)])
        with RelayProcess(config) as relay:
            assert submit(relay.port, "before") == 250
            relay.wait_for("message_delivered")
            for file in filter(Path.is_file, tmp_path.glob("relay.db*")):
                if not file.name.endswith("-lock"):
                    file.unlink()
            relay_says = wait_until(lambda: _refused(relay.port), what="it takes no more mail")
            assert relay_says.startswith("452")
            relay.wait_for("database_gone")


def _refused(port: int) -> str:
    """Give the reply to MAIL where it is no 250."""
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()
        code, text = client.mail("sales@example.com")
    return "" if code == 250 else f"{code} {text.decode()}"


def test_other_programs_that_close_the_database_leave_the_service_its_log(tmp_path: Path) -> None:
    with RelayProcess(write_config(tmp_path, accounts=[make_account("sales", 1)])) as relay:
        for commands in ((), (["queue", "list"], ["queue", "run"]), (["status"],), (["check"],), (["reload"],)):
            for command in commands:
                relay.run(*command, check=False)
            subprocess.run([sys.executable, "-c", _OPEN_AND_CLOSE, tmp_path / "relay.db"], check=True)
            assert submit(relay.port, "hello") == 250
        relay.kill()
    with contextlib.closing(sqlite3.connect(tmp_path / "relay.db")) as database:
        assert database.execute("SELECT count(*) FROM message").fetchone() == (5,)


_OPEN_AND_CLOSE = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT 1 FROM meta'); db.close()"
