"""What a command connects to, and what it says where that is not the service."""

import os
import socket
from pathlib import Path

import pytest

from relay.control.client import ControlError, NoAnswerError, ask, connect
from relay.control.lines import LONGEST_LINE, NAME, Joiner, write
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


@pytest.mark.parametrize("text", ["", "x" * 100, '\n"\\\x00ä' * LONGEST_LINE])
def test_what_is_too_long_for_a_line_comes_in_parts(text: str) -> None:
    lines = [*write({"do": "x", "text": text})]
    assert all(len(line) <= LONGEST_LINE for line in lines)
    joiner = Joiner(1 << 25)
    *parts, whole = [joiner.read(line) for line in lines]
    assert parts == [None] * (len(lines) - 1)
    assert whole == {"do": "x", "text": text}


def test_parts_are_bounded() -> None:
    joiner = Joiner(1000)
    assert joiner.read(b'{"part": "%s"}' % (b"x" * 999)) is None
    with pytest.raises(ValueError, match="too long"):
        joiner.read(b'{"part": "xx"}')


def test_parts_of_nothing_are_bounded_as_well() -> None:
    joiner = Joiner(1000)
    for _ in range(15):
        joiner.read(b'{"part": ""}')
    with pytest.raises(ValueError, match="too long"):
        joiner.read(b'{"part": ""}')
