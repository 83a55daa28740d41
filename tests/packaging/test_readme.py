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
_CONFIGURATION: Final = re.compile(r"^( *)cat > (\S*relay\.toml) <<'END'\n(.*?)^ *END$", re.MULTILINE | re.DOTALL)


def section(heading: str) -> str:
    """Give the text below a heading."""
    level = heading.partition(" ")[0]
    return re.split(rf"^#{{1,{len(level)}}} ", README.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def configuration(target: str, folder: Path) -> Path:
    """Write the configuration that the README has for a file, its storage and passwords in a folder of the test."""
    (text,) = [match[3] for match in _CONFIGURATION.finditer(README) if match[2] == target]
    for place in ("/var/lib/relay", "/etc/relay/secrets"):
        text = text.replace(place, str(folder))
    path = folder / "relay.toml"
    path.write_text(re.sub("^    ", "", text, flags=re.MULTILINE))
    for name in ("anna", "anna.password"):
        (folder / name).write_text("secret\n")
        (folder / name).chmod(0o600)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("target", ["/etc/relay/relay.toml", "relay.toml"])
def test_its_configurations_are_good_and_delete_nothing_at_the_provider(tmp_path: Path, target: str) -> None:
    settings = load_settings(configuration(target, tmp_path))
    assert settings.warnings == ()
    (account,) = settings.directory.accounts
    assert account.pop3 is not None
    assert account.pop3.leave_on_server is True


def test_the_package_way_is_whole_blocks_of_commands() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", section("### The package: Debian 12 or 13"), re.MULTILINE | re.DOTALL)
    commands = "".join(blocks)
    order = [
        "apt install ./",
        "/etc/relay/secrets/anna",
        "cat > /etc/relay/relay.toml",
        "relay check",
        "systemctl start",
    ]
    places = [commands.index(word) for word in order]
    assert places == sorted(places)
    assert commands.count("<<'END'\n") == len(re.findall(r"^END$", commands, re.MULTILINE))


def test_each_question_fits_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configuration("relay.toml", tmp_path)
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
