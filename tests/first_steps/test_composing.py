import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.editing import EditError
from relay.first_steps.answers import AccountAnswer, Answers, CertificateAnswer, UserAnswer
from relay.first_steps.composing import compose, has_account, read_before
from relay.presets.preset import preset_names
from relay.settings import load_settings
from tests.peers.relay_process import ROOT

START = (ROOT / "config" / "relay.start.toml").read_text()
ACCOUNT = AccountAnswer(
    name="anna",
    address="anna@example.com",
    owner="anna",
    sending={"host": "smtp.provider.example", "username": "anna@example.com", "password_file": "p"},
    collecting={"host": "pop.provider.example", "username": "a", "password_file": "p", "leave_on_server": "14 days"},
)
ANSWERS = Answers(
    language="en",
    hostname="mail.office.lan",
    users=(UserAnswer(name="anna", address="anna@example.com"),),
    account=ACCOUNT,
)


def load(tmp_path: Path, text: str) -> Any:  # noqa: ANN401 - settings
    return load_settings(tmp_path / "relay.toml", secrets=False, written=text.encode())


def test_the_packages_file_is_filled_and_nothing_of_its_samples_is_left(tmp_path: Path) -> None:
    bert = replace(ANSWERS, users=(UserAnswer(name="bert", address="bert@firma.example"),))
    text = compose(replace(bert, account=replace(ACCOUNT, owner="bert")), START)
    settings = load(tmp_path, text)
    assert [user.name for user in settings.directory.users] == ["bert"]
    assert settings.hostname == "mail.office.lan"
    assert str(settings.folder) == "/var/lib/relay"
    assert "relay.office.example" not in text
    assert tomllib.loads(text)["server"]["postmaster"] == "bert"


def test_what_stood_there_beside_stays_with_its_comments(tmp_path: Path) -> None:
    before = (
        '\ufefflanguage = "de"\r\n[server]\r\nhostname = "old.office.lan"\r\npostmaster = "carl"\r\nsite = "x"\r\n'
        '[archive]\r\nstrip_tiff = true\r\n\r\n# who else is here\r\n[[user]]\r\nname = "carl"\r\n'
        'address = "carl@example.com"\r\n# and the log\r\n[log]\r\nlevel = "warning" # only\r\n'
    ).replace('site = "x"\r\n', "")
    text = compose(replace(ANSWERS, archive=("c@example.com",), storage="/s"), before)
    settings = load(tmp_path, text)
    assert [user.name for user in settings.directory.users] == ["anna", "carl"]
    document = tomllib.loads(text)
    assert document["server"] == {"hostname": "mail.office.lan", "postmaster": "carl"}
    assert document["archive"] == {"strip_tiff": True, "bcc": ["c@example.com"]}
    assert (document["storage"], document["log"]) == ({"folder": "/s"}, {"level": "warning"})
    assert '# who else is here\n[[user]]\nname = "carl"' in text
    assert 'level = "warning" # only' in text


def test_listeners_are_one_for_scanners_and_one_with_a_login_where_that_is_encrypted(tmp_path: Path) -> None:
    closed = load(tmp_path, compose(ANSWERS))
    assert [(one.host, one.port) for one in closed.listeners] == [("127.0.0.1", 2525)]
    office = replace(ANSWERS, networks=("192.168.1.0/24",))
    listeners = tomllib.loads(compose(office))["listener"]
    assert listeners == [{"host": "0.0.0.0", "port": 2525, "networks": ["127.0.0.0/8", "192.168.1.0/24"]}]
    user = UserAnswer(name="anna", address="anna@example.com", password_hash="hash")
    encrypted = replace(office, certificate=CertificateAnswer(certificate="c", private_key="k"), users=(user,))
    scanner, login = tomllib.loads(compose(encrypted))["listener"]
    assert (scanner["tls"], "require_auth" in scanner) == ("starttls", False)
    assert (login["port"], login["require_auth"], login["private_key"]) == (587, True, "k")
    six = tomllib.loads(compose(replace(office, networks=("fd00::/64",))))["listener"]
    assert six[0]["host"] == "::"


@pytest.mark.parametrize(
    ("before", "said"),
    [('user = [{name = "a"}]\n', "user"), ("server.hostname = 'x'\n", "server"), ("[[storage]]\n", "storage")],
)
def test_what_cant_be_kept_as_it_is_written_is_named(before: str, said: str) -> None:
    with pytest.raises(EditError, match=f"^{said}: "):
        read_before(before)


def test_an_account_is_seen_however_it_is_written() -> None:
    assert has_account("[[account]]\nname = 'x'\n")
    assert has_account("account = [{name = 'x'}]\n")
    assert not has_account(START)
    assert not has_account("")


@pytest.mark.parametrize("name", preset_names())
def test_with_each_preset_the_file_passes_the_check(tmp_path: Path, name: str) -> None:
    from relay.presets.preset import find_preset  # noqa: PLC0415 - beside its use

    preset = find_preset(name)
    assert preset is not None
    tables: dict[str, Any] = {
        kind: {
            **({} if preset.servers[kind].host else {"host": preset.example or "h.example"}),
            "password_file": "p",
        }
        for kind in ("smtp", "pop3")
        if kind in preset.servers
    }
    account = replace(ACCOUNT, preset=name, sending=tables["smtp"], collecting=tables.get("pop3"))
    settings = load(tmp_path, compose(replace(ANSWERS, account=account), START))
    assert settings.directory.accounts[0].sends


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40), st.sampled_from(["en", "de"]))
def test_what_was_answered_is_what_the_file_says(text: str, language: str) -> None:
    account = replace(ACCOUNT, sending={"username": text, "password_file": f"/s/{text}"})
    made = tomllib.loads(compose(replace(ANSWERS, account=account, language=language), START))
    assert made["account"][0]["smtp"] == {"username": text, "password_file": f"/s/{text}"}
    assert made["language"] == language
