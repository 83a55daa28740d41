"""Many mails at once, and one that is large: nothing is lost or deferred, and memory stays small."""

import smtplib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.programs import submit_many, unnumbered
from tests.peers.relay_process import RelayProcess, make_account, write_config
from tests.peers.sink import Sink

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

_MB = 1_000_000


def test_a_thousand_mails_are_delivered_and_none_is_deferred(tmp_path: Path) -> None:
    with Sink() as sink:
        config = write_config(tmp_path, accounts=[make_account("sales", sink.port, smtp={"connections": 10})])
        with RelayProcess(config) as relay:
            # Generated mail comes with a From of our account, so that rule 1a chooses it.
            submission = submit_many(relay.port, messages=1000, sessions=20, length=4096)
            assert submission.status == 0, submission.transcript
            mails = sink.wait_for(1000, timeout=90)
            relay.wait_for("message_delivered", count=1000)
            assert not relay.find("delivery_deferred")
            assert not relay.find("possible_duplicate")
            relay.stop()
    assert len(mails) == 1000
    assert {tuple(map(unnumbered, mail.recipients)) for mail in mails} == {
        ("customer@example.net", "central@example.com")
    }
    assert len({mail.field("Message-ID")[0] for mail in mails}) == 1000


def test_memory_is_small_when_idle_and_does_not_grow_with_a_mail(
    tmp_path: Path, show_figure: Callable[[str], None]
) -> None:
    with Sink() as sink:
        config = write_config(
            tmp_path, accounts=[make_account("sales", sink.port)], listener={"max_message_size": "50 MiB"}
        )
        with RelayProcess(config, fresh=True) as relay:
            idle, _ = relay.memory()
            show_figure(f"idle: {idle / _MB:.0f} MB")
            assert idle < 80 * _MB
            mail = b"From: sales@example.com\r\nSubject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * (30 * _MB // 78)
            longest = _measure_noop(relay.port, while_running=lambda: _submit(relay.port, mail))
            (received,) = sink.wait_for(1)
            relay.wait_for("message_delivered")
            _, peak = relay.memory()
            show_figure(f"30 MB: peak {peak / _MB:.0f} MB, another session waited {longest * 1000:.0f} ms at most")
            assert peak < 100 * _MB
    assert received.body == mail.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")


def _submit(port: int, mail: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
        smtp.sendmail("sales@example.com", ["customer@example.net"], mail)


def _measure_noop(port: int, *, while_running: Callable[[], None]) -> float:
    """Give the longest wait for an answer to NOOP, in seconds, while something else goes on."""
    longest = 0.0
    work = threading.Thread(target=while_running, daemon=True)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as session, session.makefile("rb") as replies:
        replies.readline()
        session.sendall(b"EHLO other.example\r\n")
        while replies.readline()[3:4] == b"-":
            pass
        work.start()
        while work.is_alive():
            asked = time.monotonic()
            session.sendall(b"NOOP\r\n")
            assert replies.readline().startswith(b"250")
            longest = max(longest, time.monotonic() - asked)
            work.join(0.02)
    return longest
