from pathlib import Path

import pytest

from relay.first_steps.faults import explain, require_sound
from relay.settings import ConfigurationError, load_settings
from tests.peers.relay_process import ROOT

BEFORE = """# mine
[log]
# loud
level = "loud"

[[listener]]
port = 25

[[listener]]
port = 99999
"""
USER = '[[user]]\nname = "anna"\naddress = "a@example.com"\n'
OWN = """
[[user]]
name = "bert"
address = "bert"
"""


def said(error: ConfigurationError) -> list[str]:
    return list(error.errors)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_no_answer_mends_is_told_with_its_line_before_anything_is_asked(tmp_path: Path, end: str) -> None:
    path = tmp_path / "relay.toml"
    with pytest.raises(ConfigurationError) as caught:
        require_sound(path, "\ufeff" + BEFORE.replace("\n", end))
    level, port, advice = said(caught.value)
    assert level.startswith("relay.toml: log.level: loud: ")
    assert level.endswith(" (line 4)")
    assert port.startswith("relay.toml: listener[2].port: 99999: ")
    assert port.endswith(" (line 10)")
    assert advice.startswith(f"relay.toml: this stood in {path} before, and `relay init` keeps it: mend it there")


LOGIN = "[[listener]]\nport = 25\nrequire_auth = true\n"


@pytest.mark.parametrize("before", ["", LOGIN, "[log]\n", '[server]\npostmaster = "anna"\n', OWN])
def test_what_answers_may_mend_is_no_reason_to_ask_nothing(tmp_path: Path, before: str) -> None:
    require_sound(tmp_path / "relay.toml", before)


def test_a_mistake_that_only_the_end_shows_is_told_to_be_the_files_own(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    server = '[server]\nhostname = "h.lan"\npostmaster = "anna"\n[storage]\nfolder = 5\n'
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, secrets=False, written=(server + USER + OWN).encode())
    lines = said(explain(path, OWN, caught.value))
    assert lines[0].startswith("relay.toml: storage.folder: ")
    assert lines[0] == said(caught.value)[0]
    assert "bert" in lines[1]
    assert "(line " in lines[1]
    assert "this stood in" in lines[2]
    assert explain(path, "", caught.value) is caught.value


def test_the_packages_file_is_sound(tmp_path: Path) -> None:
    require_sound(tmp_path / "relay.toml", (ROOT / "config" / "relay.start.toml").read_text())
