"""What the README says can be typed as it stands: its configurations have no mistake, and its questions an answer."""

import re
import shlex
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.upgrade import prepare_database
from tests.peers.relay_process import ROOT

README: Final = (ROOT / "README.md").read_text()


def section(heading: str) -> str:
    """Give the text below a heading."""
    level = heading.partition(" ")[0]
    return re.split(rf"^#{{1,{len(level)}}} ", README.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def configuration(folder: Path) -> Path:
    """Make the configuration that the README's call without questions makes, as far as no provider is needed."""
    (line,) = re.findall(r"^    relay (init --.*)$", section("### The package: Debian 12 or 13"), re.MULTILINE)
    path = folder / "relay.toml"
    words = [*shlex.split(line), "--no-test", "-c", str(path)]
    said = CliRunner().invoke(main, words, input="secret\n")
    assert said.exit_code == 0, said.output
    return path


def test_its_configuration_is_good_and_deletes_nothing_at_the_provider_for_two_weeks(tmp_path: Path) -> None:
    settings = load_settings(configuration(tmp_path))
    assert settings.warnings == ()
    (account,) = settings.directory.accounts
    assert account.pop3 is not None
    assert account.pop3.leave_on_server == 14 * 86_400_000


def test_the_package_way_is_four_whole_commands_and_a_look_at_what_came_of_them() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", section("### The package: Debian 12 or 13"), re.MULTILINE | re.DOTALL)
    commands = "".join(blocks)
    order = ["apt install ./", "relay init", "systemctl start", "sendmail", "relay poll"]
    places = [commands.index(word) for word in order]
    assert places == sorted(places)
    assert len(blocks) == len(order)
    # A document within a command is one with it.
    assert [re.sub(r"(?s)<<'END'.*END\n", "\n", block).count("\n") for block in blocks[:4]] == [1, 1, 1, 1]
    assert commands.count("<<'END'\n") == len(re.findall(r"^END$", commands, re.MULTILINE))


def test_each_question_fits_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configuration(tmp_path)
    engine = open_engine(load_settings(config).database)
    prepare_database(engine)
    engine.dispose()
    (tmp_path / "mail.eml").write_bytes(b"From: anna@example.com\r\nTo: a@b.example\r\n\r\nhello\r\n")
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^    relay ([^#\n]+)", section("## Ask it"), re.MULTILINE)
    assert len(lines) > 8
    for line in lines:
        words = shlex.split(line)
        said = CliRunner().invoke(main, [*words, "-c", str(config)], input="n\n")
        if words[0] == "poll" or "ID" in words:  # there is neither that provider nor that mail
            assert said.exit_code in {0, 1}, (line, said.output)
        else:
            assert said.exit_code == 0 or words == ["status"], (line, said.output)
        assert "Traceback" not in said.output


def test_it_tells_how_to_upgrade_who_rotates_the_log_and_what_a_virtual_environment_needs() -> None:
    living = section("## Live with it")
    assert re.search(r"^    apt install \./lan-mail-relay_NEWER\S+\.deb\s+# an upgrade", living, re.MULTILINE)
    assert "logrotate" in living
    assert "`python3-venv`" in section("### A virtual environment by hand: another Linux with systemd")
    assert "`python3-venv`" in section("### From the source, to try it")
