import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "there is no command 'chek'; did you mean check?"),
        (["queue", "lst"], "there is no command 'lst'; did you mean list?"),
        (["account", "show"], "there is no command 'show'; there are: list, pause, resume, test"),
        (["\x1b[31m"], "there is no command '\\x1b[31m'; there are: serve,"),
    ],
)
def test_the_nearest_command_is_named(run: Run, arguments: list[str], said: str) -> None:
    found = run(*arguments, config_file=None)
    assert found.status == 2
    assert said in found.err


def test_help_and_options_are_as_before(run: Run) -> None:
    assert run("--help", config_file=None).status == 0
    assert "No such option" in run("--nonsense", config_file=None).err


@pytest.mark.parametrize("group", [[], ["queue"], ["account"], ["quarantine"], ["user"]])
def test_no_command_is_described_by_half_a_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, group: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    described = run(*group, "--help", config_file=None).out.partition("Commands:")[2]
    assert described
    assert "..." not in described
