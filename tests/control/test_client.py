"""What a command connects to, what it says where that is not the service, and lines of a length that is bounded."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from relay.control.client import (
    LONGEST_REQUEST,
    NAME,
    Answer,
    ControlError,
    NoAnswerError,
    ask,
    connect,
    follow,
    read,
    write,
)
from relay.control.server import ControlServer
from tests.peers.machine import require_root


def test_a_link_to_another_socket_is_not_followed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "other.sock"))
        other.listen()
        (tmp_path / NAME).symlink_to(tmp_path / "other.sock")
        with pytest.raises(ControlError, match="is no socket: remove it"):
            connect(tmp_path, 1)


def test_root_talks_to_no_socket_of_a_stranger(tmp_path: Path) -> None:
    require_root("to own a socket of another user")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / NAME))
        other.listen()
        os.chown(tmp_path / NAME, 54321, 54321)
        with pytest.raises(ControlError, match="neither root's nor of the owner of its folder"):
            connect(tmp_path, 1)
        os.chown(tmp_path, 54321, 54321)
        connection = connect(tmp_path, 1)
        assert connection is not None
        connection.close()


def test_a_service_that_says_nothing_is_told_from_one_that_refuses(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / NAME))
        silent.listen()
        with pytest.raises(NoAnswerError, match=r"no answer within 0.1 s"):
            ask(tmp_path, "status", patience=0.1)


@contextlib.contextmanager
def answering(folder: Path, *lines: bytes) -> Generator[None]:
    """Serve in a thread; each who connects is sent the next of these lines again and again, until he leaves."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / NAME))
        listening.listen()

        def answer() -> None:
            for line in lines:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    while True:
                        connection.sendall(line)
                        time.sleep(0 if line.endswith(b"\n") else 0.01)

        threading.Thread(target=answer, daemon=True).start()
        yield


def test_a_service_that_answers_without_an_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.control.client._MOST_LINES", 50)
    with answering(tmp_path, b'{"ok": true}\n', b'{"alive": true}\n'):
        for most in (50, 0):
            came: list[Answer] = []
            with pytest.raises(ControlError, match="without an end"):
                came.extend(follow(tmp_path, "poll", patience=5))
            assert len(came) <= most


def test_nor_does_one_hold_a_command_that_answers_slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.control.client._LONGEST_WORK", 0.2)
    with answering(tmp_path, b" ", b'{"ok": true}\n ', b'{"alive": true}\n '):
        for _ in range(3):
            with pytest.raises(ControlError, match="without an end"):
                ask(tmp_path, "status", patience=5)


def test_long_work_goes_on_while_it_reports_its_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.control.client._LONGEST_WORK", 1.0)
    with answering(tmp_path, b'{"ok": true, "is": "Progress"}\n '):
        begun, came = time.monotonic(), 0
        for _ in follow(tmp_path, "poll", patience=5):
            came += 1
            if time.monotonic() - begun > 1.5:
                break
    assert came > 10


@pytest.mark.parametrize("text", ["", "x" * 100, '\n"\\\x00ä' * 100_000])
def test_an_object_is_one_line(text: str) -> None:
    line = write({"do": "x", "text": text})
    assert line.index(b"\n") == len(line) - 1
    assert read(line) == {"do": "x", "text": text}


@pytest.mark.parametrize("line", [b"", b"[]\n", b"5\n", b"\xff\n"])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"object|Expecting|decode"):
        read(line)


async def test_a_long_request_is_taken_and_one_that_is_too_long_is_not(tmp_path: Path) -> None:
    server = ControlServer(tmp_path, {"count": lambda request, _: {"size": len(request["text"])}})
    await server.start()
    long: Answer = {"ok": True, "size": LONGEST_REQUEST - 100}
    assert await asyncio.to_thread(ask, tmp_path, "count", text="x" * long["size"]) == long
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / NAME))
    writer.write(write({"do": "count", "text": "x" * LONGEST_REQUEST}))
    assert b"unknown request" in await reader.read()
    writer.close()
    await server.close()
