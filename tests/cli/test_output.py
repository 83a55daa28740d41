"""What commands print: lines, tables and progress, of which nothing reaches a terminal raw."""

import contextlib
import io
import json
import os
import pty
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from relay.cli.output import Column, lay_out, print_facts, print_json, print_list, progress, say
from relay.escaping import HARMFUL


@given(st.text())
def test_nothing_reaches_a_terminal_raw(text: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        say(text)
        print_facts([("Name", text)])
    shown = out.getvalue()
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "\r" not in shown


def test_facts_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts([("Name", "a\nb"), ("Nothing", ""), ("Longer name", "1")])
    assert capsys.readouterr().out == "Name         a\n             b\nLonger name  1\n"
    print_json([{"name": "ä"}])
    assert json.loads(capsys.readouterr().out) == [{"name": "ä"}]


HOSTILE = "ok\r\n2026-01-01 00:00:00  held\x1b[2J\x9b31m\u202e\u2028\u200b\x7f[red]x[/red][link=https://evil.example]y"


def test_one_line_stays_one_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    print_facts([("Name", HOSTILE.replace("\n", ""))])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert all("[link=https://evil.example]" in line for line in lines if "held" in line)


def test_json_holds_nothing_that_a_terminal_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([HOSTILE, "\udcff"])
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == [HOSTILE, "\udcff"]


ID = "01kb2x3y4z5a6b7c8d9e0f1g2h"
COLUMNS = (
    Column(title="Queue id"),
    Column(title="To", least=14),
    Column(title="How it stands", least=28, most=70),
    Column(title="Account", least=8, optional=1),
    Column(title="Subject", least=12, optional=2),
)
LONG = "somebody.with.a.long.name@customer.example"
ROW = (ID, (LONG, " +3"), "waits, next try 14:05: " + "why " * 20, "sales", "x" * 80)


@pytest.mark.parametrize("width", [80, 100, 132, 200])
def test_an_id_is_whole_and_a_row_is_one_line(width: int) -> None:
    lines = lay_out(COLUMNS, [ROW, ROW], width)
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)
    assert all(line.startswith(f"{ID}  ") for line in lines[1:])
    assert all(" +3  waits, next try 14:05" in line for line in lines[1:])


def test_what_has_no_room_is_left_out_the_least_important_first() -> None:
    assert "Account" not in lay_out(COLUMNS, [ROW], 80)[0]
    at_100 = lay_out(COLUMNS, [ROW], 92)[0]
    assert "Account" in at_100
    assert "Subject" not in at_100
    assert "Subject" in lay_out(COLUMNS, [ROW], 120)[0]


def test_what_is_most_wanted_comes_before_what_is_optional() -> None:
    columns = (Column(title="Id"), Column(title="Why", least=5, wish=30), Column(title="Size", optional=1))
    row = (ID, "because " * 10, "9 KiB")
    assert lay_out(columns, [row], 60)[0].split() == ["Id", "Why"]
    assert lay_out(columns, [row], 70)[0].split() == ["Id", "Why", "Size"]


def test_where_no_terminal_is_nothing_is_cut() -> None:
    (_, line) = lay_out(COLUMNS, [ROW], None)
    assert all(str(part) in line for part in (ID, f"{LONG} +3", "x" * 80))
    assert "…" not in line


def test_a_table_is_as_wide_as_the_terminal_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_list(COLUMNS, [ROW])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
    monkeypatch.delenv("COLUMNS")
    print_list(COLUMNS, [ROW])
    assert "x" * 80 in capsys.readouterr().out


@given(st.lists(st.tuples(st.text(), st.tuples(st.text(), st.just(" +1")), st.text(), st.text(), st.text())))
def test_any_text_stays_in_its_line_and_its_place(rows: list[tuple[object, ...]]) -> None:
    lines = lay_out(COLUMNS, [(ID, *row[1:]) for row in rows], 80)
    assert len(lines) == len(rows) + 1
    assert all(line.startswith(ID) and not HARMFUL.search(line) and cell_len(line) <= 80 for line in lines[1:])


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
