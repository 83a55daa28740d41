from pathlib import Path

import click
import pytest

from relay.cli.editing import (
    Key,
    change,
    find_file,
    hand_over,
    naming_options,
    nest,
    read_changes,
    read_path,
    read_text,
)
from relay.settings import ConfigurationError, load_settings
from tests.cli.conftest import Run, serve

KEYS = (Key("--host", ("smtp", "host"), "A host."), Key("--alias", ("aliases",), "A name.", many=True))


def _read(*pairs: str, host: str | None = None, aliases: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    return read_changes(KEYS, {"key_smtp_host": host, "key_aliases": aliases, "settings": pairs})


def test_values_are_read_as_toml_and_else_as_text() -> None:
    pairs = ("a.b=5", "c=true", "d=5 min", 'e="5"', 'f=["x", "y"]', "g=", "h=a=b")
    assert _read(*pairs) == {
        ("a", "b"): 5, ("c",): True, ("d",): "5 min", ("e",): "5", ("f",): ["x", "y"], ("g",): "", ("h",): "a=b",
    }  # fmt: skip
    assert _read(host="x", aliases=("y",)) == {("smtp", "host"): "x", ("aliases",): ["y"]}
    assert nest(_read("smtp.port=1", host="x")) == {"smtp": {"port": 1, "host": "x"}}


@pytest.mark.parametrize(
    "pair",
    [
        "password=x", "smtp.password=x", "oauth.client_secret=x", "hook.new_token=x", "smtp.password",
        'pop3={host="p.example",username="u",password="X"}', 'a={b={"client_secret"="X"}}', 'a=[[{token="X"}]]',
        'pop3={auth.password="X"}', "password.x=1",
    ],
)  # fmt: skip
def test_a_secret_is_no_argument(pair: str) -> None:
    with pytest.raises(click.UsageError, match="is a secret"):
        _read(pair)


def test_a_file_or_variable_of_a_secret_is_none() -> None:
    assert _read("smtp.password_file=x", "smtp.password_env=Y")


def test_an_empty_part_is_no_key() -> None:
    with pytest.raises(click.UsageError, match="is no key"):
        read_path("smtp.")


def test_a_change_of_what_is_so_already_gives_nothing_to_take_over(config: Path) -> None:
    path = find_file(str(config))
    assert change(str(config), path, lambda text: text) is None
    settings = change(str(config), path, lambda text: text.replace('language = "en"', 'language = "de"'))
    assert settings is not None
    assert settings.language == "de"
    with pytest.raises(ConfigurationError, match=r"language: fr.*(\n.*)*nothing was changed"):
        change(str(config), path, lambda text: text.replace('language = "de"', 'language = "fr"'))
    assert 'language = "de"' in read_text(path)


def test_a_file_that_is_not_there_is_said(run: Run, tmp_path: Path) -> None:
    said = run("device", "remove", "x", config_file=tmp_path / "none.toml")
    assert said.status == 2
    assert said.err.startswith("none.toml: can't be read: No such file or directory")


def test_a_running_service_takes_a_change_over_and_without_one_that_is_told(config: Path) -> None:
    assert hand_over(load_settings(config)) is None
    with serve(config):
        assert hand_over(load_settings(config)) == 0


def test_a_key_that_is_missing_is_named_by_its_option_where_it_has_one() -> None:
    keys = (*KEYS, Key("--secret-file", ("oauth", "secret_file"), "A file."))
    lines = [
        "relay.toml: account[new].smtp.host: missing: add host",
        "relay.toml: account[new].oauth.secret: missing: add it",
        "relay.toml: account[new].smtp.port: missing: it has no option",
        "relay.toml: account[new].smtp.host: x y: is no host",
        "relay.toml: account[old].smtp.host: missing: of another",
    ]
    with pytest.raises(ConfigurationError) as caught, naming_options("account[new]", keys):
        raise ConfigurationError(lines)
    assert caught.value.errors == ("--host is missing: add host", "--secret-file is missing: add it", *lines[2:])
