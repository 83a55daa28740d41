import contextlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.cli.output import print_facts, print_json, say


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
