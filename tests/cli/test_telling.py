import json
from pathlib import Path

import click
import pytest

from relay.admin.answers import Answer, Note, Question, Sheet, Told
from relay.admin.requests import MisuseError
from relay.admin.wire import encode
from relay.cli.table import Column
from relay.cli.telling import Conversation, tell
from relay.control.lines import Answer as Line
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
    sheet = Told(sheet=Sheet(facts=(("Name", "sales"),), lines=("below",)), lines=("at the end",), exit_status=1)
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
