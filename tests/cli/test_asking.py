"""What a command does with the answers of a service that lies: whoever owns the folder may give root any."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import click
import pytest

from relay.cli.output import confirm_many
from relay.cli.progress import Bars
from relay.control.lines import NAME
from tests.cli.conftest import Run

ESCAPE = "\x1b]0;forged\x07\nforged line"
Lie = Callable[..., None]


@pytest.fixture
def lie(config: Path) -> Generator[Lie]:
    """Give a function that lets a service answer the next command with these objects."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(config.with_name(NAME)))
        listening.listen()
        threads: list[threading.Thread] = []

        def answer(*answers: object) -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(BrokenPipeError):
                connection.recv(1 << 16)
                connection.sendall(b"".join(json.dumps(one).encode() + b"\n" for one in answers))

        def begin(*answers: object) -> None:
            threads.append(threading.Thread(target=answer, args=answers, daemon=True))
            threads[-1].start()

        yield begin
        for thread in threads:
            thread.join(10)


def test_a_refusal_can_not_forge_a_line_or_move_the_cursor(run: Run, lie: Lie) -> None:
    lie({"ok": False, "error": ESCAPE, "kind": "misuse"})
    said = run("queue", "list")
    assert said.status == 2
    assert "\\u001b]0;forged\\u0007\\u000aforged line" in said.err
    assert "\x1b" not in said.err


def test_nor_can_a_question(run: Run, lie: Lie, monkeypatch: pytest.MonkeyPatch) -> None:
    question = {"text": ESCAPE, "unasked": ESCAPE}
    lie({"ok": True, "is": "", "zone": "UTC"}, {"ok": True, "is": "Question", "value": question})
    assert "\x1b" not in run("queue", "hold", "--all").err
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(click, "confirm", lambda text, **_: asked.append(text))
    confirm_many(ESCAPE, yes=False)
    assert asked == ["\\u001b]0;forged\\u0007\\u000aforged line?"]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"is": ""},
        {"is": ["x"], "value": 1},
        {"is": "Told", "value": None},
        {"is": "Told", "value": {"json": [], "sheet": {"facts": [["a"]], "lines": []}}},
        {"is": "Told", "value": {"json": 5, "rows": 5}},
        {"is": "Told", "value": {"rows": [[]]}},
    ],
)
def test_what_makes_no_sense_is_no_traceback(run: Run, lie: Lie, answer: dict[str, object]) -> None:
    lie({"ok": True, **answer})
    assert "Traceback" not in run("trace", "id").err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Told", 5),
        ("Told", None),
        ("Told", [1]),
        ("Told", {"json": 5}),
        ("Told", {"json": {"a": 1}}),
        ("Told", {"rows": 5}),
        ("Told", {"nothing": {"a": 1}}),
        ("Told", {"lines": 5}),
        ("Told", {"lines": [5]}),
        ("Told", {"sheet": [1]}),
        ("Told", {"whatever": 1}),
        ("Whatever", [1]),
    ],
)
@pytest.mark.parametrize("command", ["queue list", "trace id", "quarantine show id"])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_answer_of_wrong_types_is_named(
    run: Run, lie: Lie, command: str, name: str, value: object, form: list[str]
) -> None:
    lie({"ok": True, "is": "", "zone": "UTC"}, {"ok": True, "is": name, "value": value})
    said = run(*command.split(), *form)
    assert "Traceback" not in said.err
    assert said.status == 1
    assert "the answer can't be read: " in said.err


def test_news_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("relay.cli.progress._MOST", 5)
    with Bars() as bars:
        for n in range(10):
            bars.show(f"{n}" + "x" * 60_000, 0, None)
        assert len(bars._shown) == 5
        assert max(map(len, bars._shown)) < 100
