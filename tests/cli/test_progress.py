"""Progress of long work: on a terminal's standard error, else nowhere."""

import contextlib
import os
import pty
import sys

import pytest

from relay.cli.progress import progress


def read_all(descriptor: int) -> bytes:
    """Read what a terminal was told, whose other end is closed."""
    shown = b""
    with os.fdopen(descriptor, "rb", buffering=0) as stream, contextlib.suppress(OSError):
        while piece := stream.read(65536):
            shown += piece
    return shown


def test_nothing_is_shown_where_standard_error_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with progress("Copying", 2) as step:
        step(1)
        step(1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("total", [4, None])
def test_a_terminal_sees_what_is_done_and_nothing_of_a_strangers_control_characters(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], total: int | None
) -> None:
    ours, terminal = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with os.fdopen(terminal, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with progress("Copying [bold]\x07", total) as step:
            step(4)
    shown = read_all(ours)
    assert b"Copying [bold]" in shown
    assert b"\x07" not in shown
    assert (b"100%" in shown) is (total is not None)
    assert capfd.readouterr().out == ""


def test_a_fault_within_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with pytest.raises(KeyError), progress("Copying", 1):
            raise KeyError
    os.close(ours)
