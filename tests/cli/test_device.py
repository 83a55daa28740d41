import json
import tomllib
from pathlib import Path

from tests.cli.conftest import Run


def test_a_device_is_added_and_removed(run: Run, config: Path) -> None:
    before = config.read_bytes()
    said = run("device", "add", "Scanner 2", "--network", "192.168.1.40", "--network", "fd00::1", "--user", "anna")
    assert (said.status, said.err) == (0, "")
    assert tomllib.loads(config.read_text())["device"] == [
        {"name": "Scanner 2", "networks": ["192.168.1.40", "fd00::1"], "user": "anna"}
    ]
    assert (
        "the device Scanner 2 is there already"
        in run("device", "add", "Scanner 2", "--network", "1", "--user", "x").err
    )
    said = run("device", "remove", "Scanner 2")
    assert said.out.startswith(f"Scanner 2 is no longer in {config}\n")
    assert config.read_bytes() == before


def test_what_is_missing_or_wrong_is_said(run: Run, config: Path) -> None:
    before = config.read_bytes()
    assert "--network is missing: its address" in run("device", "add", "s", "--user", "anna").err
    said = run("device", "add", "s", "--network", "192.168.1.400", "--user", "ana")
    assert said.status == 2
    assert "device[s].networks" in said.err
    assert "device[s].user" in said.err
    assert config.read_bytes() == before
    assert run("device", "remove", "s").status == 1


def test_devices_are_listed_with_their_addresses(run: Run, config: Path) -> None:
    assert run("device", "list").out == "There is no device yet: relay device add NAME --network ADDRESS --user USER\n"
    assert json.loads(run("device", "list", "--json").out) == []
    run("device", "add", "Scanner 2", "--network", "192.168.1.40", "--network", "10.0.0.0/8", "--user", "anna")
    said = run("device", "list")
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines()[1].split("  ") == ["Scanner 2", "anna", "192.168.1.40, 10.0.0.0/8"]
    assert json.loads(run("device", "list", "--json").out) == [
        {"name": "Scanner 2", "networks": ["192.168.1.40/32", "10.0.0.0/8"], "user": "anna"}
    ]
    assert config.exists()
