import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from relay.cli import COMMANDS, main
from tests.cli.conftest import Run


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there_and_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 4
    command = main.get_command(click.Context(main), name)
    assert command is not None
    for sub in getattr(command, "commands", {}):
        assert CliRunner().invoke(main, [name, sub, "--help"]).exit_code == 0


def test_the_help_names_every_command_and_needs_none_of_them() -> None:
    code = (
        "import sys\nfrom relay.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'pydantic', 'aiosmtpd', 'aiosmtplib', 'rich', 'structlog', 'asyncio', 'argon2'}\n"
        "print('heavy:', *sorted(heavy & set(sys.modules)))\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(f"  {name} " in out for name in COMMANDS)
    assert out.splitlines()[-1] == "heavy:"


def test_an_unknown_command_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["dance"]).exit_code == 2


def test_the_version_is_told() -> None:
    assert "relay, version " in CliRunner().invoke(main, ["--version"]).output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "there is no command 'chek'; did you mean check?"),
        (["queue", "lst"], "there is no command 'lst'; did you mean list?"),
        (
            ["account", "show"],
            "there is no command 'show'; there are: add, authorize, edit, list, pause, remove, resume,",
        ),
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


@pytest.mark.parametrize("group", [[], ["queue"], ["account"], ["quarantine"], ["user"], ["device"]])
def test_no_command_is_described_by_half_a_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, group: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    described = run(*group, "--help", config_file=None).out.partition("Commands:")[2]
    assert described
    assert "..." not in described
