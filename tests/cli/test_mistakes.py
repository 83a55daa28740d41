"""Each mistake is told with its place, its cause and its cure: docs/mistakes.md has the whole messages, and is checked.

To write the table anew after a message has changed: RELAY_WRITE_MISTAKES=1 python -m pytest tests/cli/test_mistakes.py;
then read it, as somebody who knows nothing of the program.
"""

import os
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli import main
from tests.cli.mistake_cases import COMMANDS, CONFIGURATION, ID, OFFICE, Misuse, Wrong, set_up, write_office
from tests.peers.machine import require_root
from tests.peers.relay_process import ROOT

PAGE = ROOT / "docs" / "mistakes.md"
SHOWN_ID = "01m8ejq2a1fmea6ddg9fgrjxpm"
PLACE = "/etc/relay"
STRANGER = 54321
"""Of nobody on this machine."""


def run(*arguments: str) -> tuple[int, str]:
    """Run a command in this process; gives its status and all that it says."""
    result = CliRunner().invoke(main, list(arguments), input="", prog_name="relay")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def run_as_stranger(*arguments: str) -> tuple[int, str]:
    """Run a command with the rights of somebody who is nobody; all that it imports has been imported before."""
    require_root("to become somebody else")
    os.seteuid(STRANGER)
    try:
        return run(*arguments)
    finally:
        os.seteuid(0)


def compare(number: str, *cells: str) -> None:
    """Compare a row of the table with what is so; or write it."""
    row = " | ".join(("", number, *(_cell(cell) for cell in cells), "")).strip()
    lines = PAGE.read_text().splitlines()
    there = next((n for n, line in enumerate(lines) if line.startswith(f"| {number} |")), None)
    if os.environ.get("RELAY_WRITE_MISTAKES"):
        if there is None:
            raise LookupError(f"make a row | {number} | in {PAGE}")
        lines[there] = row
        PAGE.write_text("\n".join(lines) + "\n")
    else:
        assert there is not None
        assert lines[there] == row


def _cell(text: str) -> str:
    return "<br>".join(line.replace("|", "\\|") for line in text.strip().splitlines() if line.strip())


def _code(text: str) -> str:
    return "\n".join(f"`{line}`" if "`" not in line else f"`` {line} ``" for line in text.strip().splitlines() if line)


@pytest.mark.parametrize(("number", "wrong"), [(f"C{n}", one) for n, one in enumerate(CONFIGURATION, 1)])
def test_a_mistake_in_the_configuration(number: str, wrong: Wrong, tmp_path: Path) -> None:
    path = write_office(tmp_path)
    path.write_text(OFFICE.replace(wrong.old, wrong.new, 1))
    status, said = run("check", "-c", str(path))
    lines = [line for line in said.splitlines() if status or line.startswith("warning: ")]
    assert lines
    assert all(line.removeprefix("warning: ").startswith("relay.toml: ") for line in lines)
    compare(number, wrong.title, _code(wrong.written), _code("\n".join(lines).replace(str(tmp_path), PLACE)))


def test_the_office_without_a_mistake_is_good_without_a_word(tmp_path: Path) -> None:
    status, said = run("check", "-c", str(write_office(tmp_path)))
    assert status == 0
    assert "warning" not in said


@pytest.mark.peer
@pytest.mark.parametrize(("number", "misuse"), [(f"U{n}", one) for n, one in enumerate(COMMANDS, 1)])
def test_a_mistake_in_the_use_of_a_command(
    number: str, misuse: Misuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "office"
    folder.mkdir()
    queue_id = set_up(folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(folder if misuse.config else empty)
    monkeypatch.delenv("RELAY_CONFIG", raising=False)
    monkeypatch.setattr("relay.places.PLACES", (Path("relay.toml"), tmp_path / "nowhere.toml"))
    config = ["-c", str(folder / "relay.toml")] if misuse.config else []
    arguments = [*shlex.split(misuse.command.replace(ID, queue_id)), *config]
    with misuse.prepare(folder):
        status, said = run_as_stranger(*arguments) if misuse.stranger else run(*arguments)
    assert status in (1, 2)
    assert "Traceback" not in said
    compare(number, misuse.title, _code(f"relay {misuse.command}".replace(ID, SHOWN_ID)),
            _code(_anonymous(said, tmp_path, queue_id)))  # fmt: skip


def _anonymous(said: str, folder: Path, queue_id: str) -> str:
    """Make what a command says the same on each machine."""
    said = said.replace(f"{folder}/office", PLACE).replace(f"{folder}/empty", "/root")
    said = said.replace(f"{folder}/nowhere.toml", f"{PLACE}/relay.toml").replace(queue_id, SHOWN_ID)
    said = re.sub(r"127\.0\.0\.1(:| port |\", port )[0-9]+", r"127.0.0.1\g<1>2525", said)
    said = re.sub(r"\([0-9]+\.[0-9]+ s\)", "(0.01 s)", said)
    said = re.sub(r"grep :[0-9]+", "grep :2525", said)
    said = re.sub(r"schema 99, this program knows [0-9]+", "schema 99, this program knows 4", said)
    return re.sub(r"(process|pid) [0-9]+", r"\1 1234", said)


def test_the_page_has_no_other_rows() -> None:
    rows = re.findall(r"(?m)^\| ([CU][0-9]+) \|", PAGE.read_text())
    assert rows == [f"C{n + 1}" for n in range(len(CONFIGURATION))] + [f"U{n + 1}" for n in range(len(COMMANDS))]
