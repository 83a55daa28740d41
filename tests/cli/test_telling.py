"""What a command does with the answers, and with those of a service that lies: the folder's owner may give any."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import click
import pytest

from relay.admin.requests import Answer, MisuseError, Note, Question, Told
from relay.admin.wire import encode
from relay.cli.output import Bars, Column, confirm_many
from relay.cli.telling import Conversation, print_answers, tell
from relay.control.client import NAME
from relay.control.client import Answer as Line
from relay.model.errors import RelayError
from tests.cli.conftest import Run

ROWS = Told(json=({"name": "sales"}, {"name": "info"}), rows=(("sales",), ("info",)), exit_status=3)


def line(answer: Answer) -> Line:
    return {"is": type(answer).__name__, "value": encode(answer)}


def conversation(*answers: Answer) -> Conversation:
    for answer in answers:
        yield line(answer)


def test_people_get_tables_sheets_and_lines_and_the_highest_status_is_the_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sheet = Told(facts=(("Name", "sales"),), lines=("below", "at the end"), exit_status=1)
    with pytest.raises(SystemExit) as ended:
        tell(conversation(ROWS, sheet, sheet), columns=[Column(title="account")])
    assert ended.value.code == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["account", "sales", "info"]
    # An empty line parts a sheet from the one before.
    assert [one.split() for one in lines[3:]] == [
        *[["Name", "sales"], ["below"], ["at", "the", "end"], []],
        *[["Name", "sales"], ["below"], ["at", "the", "end"]],
    ]


def test_who_goes_on_gets_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    told = [Told(lines=("one",), exit_status=1), Told(lines=("two",))]
    assert print_answers(conversation(*told)) == 1
    assert print_answers(conversation(told[1])) == 0
    assert capsys.readouterr().out == "one\ntwo\ntwo\n"


def test_programs_get_one_list_and_no_words_but_of_faults(capsys: pytest.CaptureFixture[str]) -> None:
    tell(
        conversation(
            Told(json=({"n": 1},), lines=("words",)), Note(text="all is well"), Note(text="not done", is_fault=True)
        ),
        as_json=True,
    )
    said = capsys.readouterr()
    assert json.loads(said.out) == [{"n": 1}]
    assert said.err.strip() == "not done"


def test_one_thing_is_in_no_list(capsys: pytest.CaptureFixture[str]) -> None:
    tell(conversation(Told(json=({"n": 1},))), as_json=True, single=True)
    assert json.loads(capsys.readouterr().out) == {"n": 1}


@pytest.mark.parametrize(("matters", "said"), [(True, "no mail"), (False, "")])
def test_that_there_is_nothing_is_said_to_programs_where_it_matters(
    capsys: pytest.CaptureFixture[str], matters: bool, said: str
) -> None:
    tell(conversation(Told(nothing="no mail", nothing_matters=matters)), as_json=True)
    assert capsys.readouterr().err.strip() == said


@pytest.mark.parametrize(("is_right", "asked"), [(True, ["asked", "yes"]), (False, ["asked"])])
def test_a_question_goes_to_the_person_and_only_a_yes_goes_back(
    monkeypatch: pytest.MonkeyPatch, is_right: bool, asked: list[str]
) -> None:
    heard = []

    def talk() -> Conversation:
        heard.append("asked")
        reply = yield line(Question(text="Hold these 3 mails"))
        assert reply == {"yes": True}
        heard.append("yes")

    def confirm(_text: str, *, yes: bool, unasked: str) -> None:
        assert not yes
        assert unasked == ""
        if not is_right:
            raise click.Abort

    monkeypatch.setattr("relay.cli.telling.confirm_many", confirm)
    if is_right:
        tell(talk())
    else:
        with pytest.raises(click.Abort):
            tell(talk())
    assert heard == asked


def test_wrong_usage_is_clicks_and_another_fault_is_ours() -> None:
    def fail(error: RelayError) -> Conversation:
        raise error
        yield {}

    with pytest.raises(click.UsageError, match="no such state"):
        tell(fail(MisuseError("no such state")))
    with pytest.raises(RelayError, match="other columns"):
        tell(conversation(ROWS), columns=[Column(title="account"), Column(title="state")])


def test_what_is_said_to_people_comes_behind_the_whole_list(
    run: Run, config: Path, queued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.cli.telling.say", lambda text, **_: click.echo(text))  # one terminal for both
    whole, said = run("queue", "list", "--json").out.split("\n]\n")
    assert len(json.loads(f"{whole}]")) == len(queued)
    assert said.startswith(f"The service is not running ({config.parent}")


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
        {"is": "Told", "value": {"json": [], "facts": [["a"]]}},
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
        ("Told", {"facts": [1]}),
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
    monkeypatch.setattr("relay.cli.output._MOST", 5)
    with Bars() as bars:
        for n in range(10):
            bars.show(f"{n}" + "x" * 60_000, 0, None)
        assert len(bars._shown) == 5
        assert max(map(len, bars._shown)) < 100
