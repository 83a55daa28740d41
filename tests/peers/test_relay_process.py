import tomllib
from pathlib import Path

from tests.peers.relay_process import make_account, to_toml, write_config


def test_toml_is_what_was_meant() -> None:
    table = {"a": 'quoted "x" \\ ü', "b": [1, 2], "t": {"c": True, "d": {"e": []}}, "l": [{"f": 1, "g": {"h": "i"}}]}
    assert tomllib.loads(to_toml(table)) == table


def test_a_configuration_has_what_a_test_gives(tmp_path: Path) -> None:
    account = make_account("sales", 2525, excluded=True, smtp={"connections": 4})
    table = tomllib.loads(write_config(tmp_path, accounts=[account], limits={"drain_timeout": "1 s"}).read_text())
    assert table["account"][0]["smtp"] == {"host": "127.0.0.1", "port": 2525, "security": "none", "connections": 4}
    assert table["account"][0]["excluded"] is True
    assert table["listener"][0]["port"] == 0
    assert table["limits"] == {"drain_timeout": "1 s"}
