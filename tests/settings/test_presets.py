"""What a preset fills in, and what it leaves alone; each mistake with its words is in bad/presets.toml."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from relay.cli.check import command
from relay.model.account import Security
from relay.presets.preset import Preset, all_presets
from relay.settings import ConfigurationError
from relay.settings.load import load_settings, read_places
from relay.settings.presets import fill_in, fill_table
from relay.settings.quantities import parse_duration
from tests.peers.relay_process import to_toml

PRESETS = all_presets()


def configuration(preset: Preset) -> str:
    """Write the shortest account that uses all that a provider offers us."""
    address = f"anna@{preset.domains[0] if preset.domains else 'example.com'}"
    account: dict[str, object] = {"name": "it", "address": address, "preset": preset.name, "owner": "anna"}
    for kind in ("smtp", "pop3"):
        if kind in preset.servers:
            own = {} if preset.servers[kind].host else {"host": preset.example}
            login = {} if preset.oauth and preset.oauth.needed else {"password": "x"}
            account[kind] = {**own, **login}
    if preset.oauth and preset.oauth.needed:
        account["oauth"] = {"provider": preset.oauth.provider, "flow": preset.oauth.flows[0], "client_id": "0-0"}
    user = {"name": "anna", "address": "anna@example.com"}
    return to_toml({
        "server": {"hostname": "relay.office.example", "postmaster": "anna"},
        "user": [user],
        "account": [account],
    })  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_passes_relay_check(preset: Preset, tmp_path: Path) -> None:
    config = tmp_path / "relay.toml"
    config.write_text(configuration(preset))
    config.chmod(0o600)
    said = CliRunner().invoke(command, ["-c", str(config)])
    assert said.exit_code == 0, said.output
    assert "warning:" not in said.output
    assert f"  Preset {preset.name}: {preset.title}, as of {preset.checked}\n    Password: " in said.output
    for words, shown in ((preset.switch_on, "Switch on first"), (preset.limits, "Limits")):
        assert (words is not None) is (f"    {shown}: " in said.output)
        assert words is None or words.en in said.output
    assert (preset.files_sent is not None) is ("    Sent mail: " in said.output)
    (account,) = load_settings(config).directory.accounts
    assert account.preset == preset.name
    for kind, server in (("smtp", account.smtp), ("pop3", account.pop3)):
        assert (server is not None) is (kind in preset.servers)
        if server is not None:
            assert server.port == preset.servers[kind].ports[0]
            assert server.security is not Security.NONE
            assert server.username == preset.servers[kind].login.of(str(account.address))


LIMITED = [
    (preset, kind, key)
    for preset in PRESETS
    for kind in ("smtp", "pop3")
    if kind in preset.servers
    for key in preset.servers[kind].settings
]


def limits(text: str, preset: Preset, folder: Path) -> dict[str, object]:
    """Give what the servers of the one account keep to, by table and key."""
    config = folder / "relay.toml"
    config.write_text(text)
    (account,) = load_settings(config).directory.accounts
    servers = (("smtp", account.smtp), ("pop3", account.pop3))
    return {
        f"{kind}.{key}": getattr(server, key)
        for kind, server in servers
        if server is not None
        for key in preset.servers[kind].settings
    }


@pytest.mark.parametrize(("preset", "kind", "key"), LIMITED, ids=lambda value: getattr(value, "name", value))
def test_a_limit_that_has_a_key_is_its_default_and_what_is_written_holds(
    preset: Preset, kind: str, key: str, tmp_path: Path
) -> None:
    value = preset.servers[kind].settings[key]
    expected = parse_duration(value) if isinstance(value, str) else value
    text = configuration(preset)
    assert limits(text, preset, tmp_path)[f"{kind}.{key}"] == expected
    written = '"90 min"' if isinstance(value, str) else "7"
    header = f"[account.{kind}]\n"
    assert header in text
    found = limits(text.replace(header, f"{header}{key} = {written}\n"), preset, tmp_path)
    assert found[f"{kind}.{key}"] == (5_400_000 if isinstance(value, str) else 7)


def test_the_limits_that_providers_publish_are_kept_to() -> None:
    known = {(preset.name, f"{kind}.{key}"): preset.servers[kind].settings[key] for preset, kind, key in LIMITED}
    assert known["ionos", "smtp.recipients_per_message"] == 200
    assert known["google", "smtp.recipients_per_message"] == 100
    assert known["microsoft365", "smtp.messages_per_minute"] == 30
    assert known["microsoft365", "smtp.recipients_per_day"] == 10_000
    assert known["microsoft365", "smtp.connections"] == 2
    assert known["infomaniak", "smtp.recipients_per_message"] == 10
    assert known["web.de", "pop3.interval"] == "15 min"


@pytest.mark.parametrize("preset", [one for one in PRESETS if "imap" in one.servers], ids=lambda one: one.name)
def test_a_table_of_imap_can_be_filled_in_once_the_configuration_has_one(preset: Preset) -> None:
    found = fill_table({}, preset.servers["imap"], "anna@example.com")
    assert (found["port"], found["security"]) == (993, "tls")
    assert ("host" in found) is (preset.servers["imap"].host is not None)


def test_a_table_of_imap_beside_a_preset_is_an_unknown_key_and_nothing_else(tmp_path: Path) -> None:
    config = tmp_path / "relay.toml"
    config.write_text(configuration(next(one for one in PRESETS if one.name == "ionos")) + "[account.imap]\n")
    with pytest.raises(ConfigurationError) as raised:
        load_settings(config)
    assert [line.partition(": unknown key")[0] for line in raised.value.errors] == ["relay.toml: account[it].imap"]


def filled(smtp: dict[str, object], preset: str = "ionos") -> dict[str, object]:
    document = fill_in({"account": [{"address": "a@example.com", "preset": preset, "smtp": smtp}]})
    found = document["account"][0]["smtp"]
    assert isinstance(found, dict)
    return found


def test_what_is_not_written_is_filled_in() -> None:
    assert filled({"password": "x"}) == {
        "password": "x",
        "host": "smtp.ionos.de",
        "port": 465,
        "security": "tls",
        "username": "a@example.com",
        "recipients_per_message": 200,
    }


@pytest.mark.parametrize(
    ("written", "port", "security"),
    [
        ({"port": 587}, 587, "starttls"),
        ({"security": "starttls"}, 587, "starttls"),
        ({"security": "tls"}, 465, "tls"),
        ({"port": 2525}, 2525, None),
        ({"security": "none"}, None, "none"),
        ({"port": 587, "security": "tls"}, 587, "tls"),
    ],
)
def test_port_and_security_fit_to_the_one_that_is_written(
    written: dict[str, object], port: int | None, security: str | None
) -> None:
    found = filled(written)
    assert (found.get("port"), found.get("security")) == (port, security)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "host": st.text(max_size=5),
            "port": st.one_of(st.integers(), st.text(max_size=2)),
            "security": st.sampled_from(["tls", "starttls", "none", 1]),
            "username": st.text(max_size=5),
            "recipients_per_message": st.integers(),
        },
    ),
    st.sampled_from([preset.name for preset in PRESETS]),
)
def test_what_is_written_stays(written: dict[str, object], preset: str) -> None:
    assert filled(written, preset).items() >= written.items()


@pytest.mark.parametrize(
    "document",
    [{}, {"account": 1}, {"account": [1, {"preset": 1}, {"preset": "gmx", "smtp": 1}, {"preset": "../gmx"}]}],
)
def test_what_is_wrong_is_left_to_the_checks(document: dict[str, object]) -> None:
    assert fill_in(document) == document


def test_a_backup_is_read_with_its_presets(tmp_path: Path) -> None:
    text = configuration(next(one for one in PRESETS if one.name == "ionos")).replace('"x"', '""')
    (account,) = read_places(text.encode(), tmp_path / "relay.toml").directory.accounts
    assert account.smtp is not None
    assert account.smtp.host == "smtp.ionos.de"
