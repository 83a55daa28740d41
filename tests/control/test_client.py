"""What a command connects to, and what it says where that is not the service."""

import contextlib
import os
import socket
import threading
from pathlib import Path

import pytest

from relay.control.client import ControlError, NoAnswerError, ask, connect, follow
from relay.control.lines import NAME, Answer
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


def test_a_service_that_answers_without_an_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.control.client._MOST_LINES", 50)
    with socket.socket(socket.AF_UNIX) as endless:
        endless.bind(str(tmp_path / NAME))
        endless.listen()

        def answer() -> None:
            for line in (b'{"ok": true}\n', b'{"alive": true}\n'):
                connection, _ = endless.accept()
                with connection, contextlib.suppress(OSError):
                    while True:
                        connection.sendall(line)

        threading.Thread(target=answer, daemon=True).start()
        for most in (50, 0):
            came: list[Answer] = []
            with pytest.raises(ControlError, match="without an end"):
                came.extend(follow(tmp_path, "poll", patience=5))
            assert len(came) <= most
            monkeypatch.undo()
            monkeypatch.setattr("relay.control.client._MOST_SIGNS", 5)
