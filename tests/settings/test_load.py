"""A folder of bad configurations, each with its messages, and one of good ones, each with its warnings."""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.places import digest_of
from relay.settings import ConfigurationError, find_configuration, load_settings
from relay.settings.blanking import blank_secrets
from relay.settings.load import read_places
from relay.settings.schema import TABLES
from relay.settings.validate import validate_document
from tests.peers.relay_process import to_toml

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "config" / "relay.example.toml"


@pytest.mark.parametrize("path", sorted((HERE / "bad").glob("*.toml")), ids=lambda path: path.stem)
def test_each_error_is_named_as_it_must_be(path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_settings(path)
    expected = path.with_suffix(".expected").read_text().replace("HERE", str(path.parent)).splitlines()
    assert list(error.value.errors) == expected
    assert expected
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("path", sorted((HERE / "good").glob("*.toml")), ids=lambda path: path.stem)
def test_each_good_one_is_accepted_with_its_warnings(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    copy.chmod(0o600)
    assert list(load_settings(copy).warnings) == path.with_suffix(".expected").read_text().splitlines()


def test_the_example_is_accepted_and_asks_for_what_it_can_not_know() -> None:
    device, *passwords = load_settings(EXAMPLE).warnings
    assert "no [[listener]] lets 192.168.1.40 in: add it to the networks of the [[listener]]" in device
    assert len(passwords) == 3
    assert all("smtp.password: is still" in line or "pop3.password: is still" in line for line in passwords)


def test_the_example_shows_every_key() -> None:
    shown = EXAMPLE.read_text()
    for place, keys in TABLES.items():
        header = f"[{'.'.join(place)}]"
        assert not place or header in shown, header
        for key in keys - {place[0] for place in TABLES if place} - {"smtp", "pop3", "oauth"}:
            assert f"{key} = " in shown, f"{header} {key}"


@pytest.mark.parametrize("content", [b"", b"\xff", b"= 1", b"[" * 5000, b"a = " + b"9" * 5000, b"\x00", b"x" * 100])
def test_a_file_that_is_none_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "relay.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as error:
        load_settings(path)
    assert all(line.startswith("relay.toml: ") for line in error.value.errors)
    assert len(error.value.errors) == (1 if content else 2)


def test_a_pipe_is_read_as_well_which_can_be_done_once() -> None:
    reader, writer = os.pipe()
    os.write(writer, EXAMPLE.read_bytes())
    os.close(writer)
    try:
        settings = load_settings(Path(f"/dev/fd/{reader}"))
    finally:
        os.close(reader)
    assert settings.digest == digest_of(EXAMPLE)


def test_a_file_beyond_4_mib_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_bytes(EXAMPLE.read_bytes() + b"# \n" * (4 << 20))
    with pytest.raises(ConfigurationError, match="larger than 4194304 octets"):
        load_settings(path)


@pytest.mark.parametrize(
    ("nested", "expected"),
    [
        ("a = " + "[" * 100_000 + "]" * 100_000, "this is not TOML: a number or a nesting beyond all measure"),
        ("a = " + "{a=" * 100_000, "this is not TOML: a number or a nesting beyond all measure"),
        ("[" + "a." * 50_000 + "a]", "line 2: a key of too many parts"),
        ("a." * 50_000 + "a = 1", "line 2: a key of too many parts"),
        ("\"a\" . 'a.b' ." * 500 + "a = 1", "line 2: a key of too many parts"),
    ],
)
def test_deep_nesting_is_one_line(tmp_path: Path, nested: str, expected: str) -> None:
    path = tmp_path / "relay.toml"
    path.write_text(f"# .................. {'.' * 200}\n{nested}\n")
    with pytest.raises(ConfigurationError) as error:
        load_settings(path)
    assert error.value.errors == (f"relay.toml: {expected}",)


def test_many_dots_in_values_and_comments_are_no_key(tmp_path: Path) -> None:
    networks = ", ".join(f'"10.0.{n}.0/24"' for n in range(200))
    path = tmp_path / "relay.toml"
    path.write_text(f"{EXAMPLE.read_text()}\n[[listener]]\nport = 2526\nnetworks = [{networks}] # {'.' * 200}\n")
    assert len(load_settings(path).listeners[1].networks) == 200


def steps(action: Callable[[], object]) -> int:
    """Count the calls that an action makes, those of C functions too."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    "line", ["k{} = 1\n", "[[user]]\n", '[[user]]\nname = "u"\naddress = "u"\n', "[t{}]\n", '[[user]]\nname = "-{}"\n']
)
def test_twice_as_many_errors_take_twice_as_long_and_are_cut(tmp_path: Path, line: str) -> None:
    found = []
    for number in (2000, 4000):
        path = tmp_path / "relay.toml"
        path.write_text("".join(line.format(n) for n in range(number)))

        def load(path: Path = path) -> None:
            with pytest.raises(ConfigurationError) as error:
                load_settings(path)
            assert len(error.value.errors) == 1001
            assert "more of the kind" in error.value.errors[-1]

        found.append(steps(load))
    assert found[1] < 2.3 * found[0]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "relay.toml", tmp_path):
        with pytest.raises(ConfigurationError, match="can't be read: "):
            load_settings(path)


def test_where_the_configuration_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RELAY_CONFIG", raising=False)
    monkeypatch.setattr("relay.places.PLACES", (Path("relay.toml"), tmp_path / "etc.toml"))
    with pytest.raises(ConfigurationError, match="RELAY_CONFIG"):
        find_configuration(None)
    (tmp_path / "etc.toml").touch()
    assert find_configuration(None) == tmp_path / "etc.toml"
    (tmp_path / "relay.toml").touch()
    assert find_configuration(None) == Path("relay.toml")
    monkeypatch.setenv("RELAY_CONFIG", "/x")
    assert find_configuration(None) == Path("/x")
    assert find_configuration("/y") == Path("/y")


def test_commands_that_log_in_nowhere_need_no_passwords(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_text((HERE / "bad" / "password-file-missing.toml").read_text())
    assert load_settings(path, secrets=False).directory.accounts


# Junk over the known keys

SECRET = "s3cr3t-of-the-office"
names = st.sampled_from(sorted({key for keys in TABLES.values() for key in keys} | {"onwer", "x y", "\x1b"}))
values = st.recursive(
    st.one_of(st.text(max_size=12), st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False),
              st.sampled_from(["5 min", "anna", "a@b.example", "10.0.0.0/8", "1 MiB", "starttls"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(names, values, max_size=6))
def test_junk_is_named_and_nothing_else_is_raised(document: dict[str, object]) -> None:
    found = validate_document(document)
    if isinstance(found, list):
        assert all(finding.reason for finding in found)


@given(key=st.sampled_from(["password", "password_file", "password_env", "passwrod"]), account=values)
def test_no_junk_shows_a_password(tmp_path_factory: pytest.TempPathFactory, key: str, account: object) -> None:
    smtp: dict[str, object] = {"host": "h", "password": SECRET, "username": "u"}
    table = {
        "name": "sales",
        "address": "a@b.example",
        "owner": account if isinstance(account, str) else "x",
        "smtp": smtp,
    }
    path = tmp_path_factory.getbasetemp() / "junk.toml"
    with contextlib.suppress(UnicodeEncodeError):
        path.write_text(to_toml({"account": [table], key: SECRET}))
        with pytest.raises(ConfigurationError) as error:
            load_settings(path)
        assert SECRET not in str(error.value)


_EXAMPLE = Path(__file__).parents[2] / "config" / "relay.example.toml"


def test_blank_secrets_and_missing_files_are_no_obstacle(tmp_path: Path) -> None:
    text = _EXAMPLE.read_text().replace('# password_hash = "$argon2id$..."', 'password_hash = "$argon2id$..."')
    text = text.replace('# password_file = "sales.password"', "").replace('tls = "none"', 'tls = "starttls"')
    text = text.replace("# certificate", "certificate", 1).replace("# private_key", "private_key", 1)
    content = blank_secrets(text.encode()).content
    settings = read_places(content, tmp_path / "relay.toml")
    assert settings.inboxes == tmp_path / "inboxes"
    assert settings.path == tmp_path / "relay.toml"


def test_other_errors_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"relay.toml: server: missing"):
        read_places(b"language = 'de'", Path("/x/relay.toml"))
    with pytest.raises(ConfigurationError, match=r"relay.toml: this is not TOML") as error:
        read_places(b"password = hunter2", Path("/x/relay.toml"))
    assert "hunter2" not in str(error.value)
