"""The configuration and what it names, as they go into a backup."""

import datetime as dt
from pathlib import Path

import pytest

from relay.certificates.store import Store
from relay.storage.named_files import OWN, find_names, gather
from tests.peers.relay_process import make_account, write_config


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for name in ("relay.crt", "relay.key", "sales.password", "ca.pem"):
        (tmp_path / name).write_text(name)
    accounts = [
        make_account("sales", 9, smtp={"username": "u", "password_file": "sales.password", "ca_file": "ca.pem"}),
        make_account("other", 9, smtp={"username": "u", "password": "hunter2", "password_command": "x"}),
    ]
    listener = {"tls": "starttls", "certificate": "relay.crt", "private_key": str(tmp_path / "relay.key")}
    return write_config(tmp_path, accounts=accounts, listener=listener)


def test_without_secrets_only_what_holds_none(config: Path) -> None:
    gathered = gather(config, secrets=False)
    assert [(named.path, named.origin) for named in gathered.files] == [
        ("relay.toml", ""),
        ("files/0001-ca.pem", "ca.pem"),
        ("files/0002-relay.crt", "relay.crt"),
    ]
    assert b"hunter2" not in gathered.files[0].content
    assert gathered.blanked == ("account[other].smtp.password", "account[other].smtp.password_command")
    assert gathered.missing == ()


def test_with_secrets_all_that_is_named(config: Path) -> None:
    gathered = gather(config, secrets=True)
    assert gathered.files[0].content == config.read_bytes()
    assert {named.path.rpartition("-")[2]: named.path.partition("/")[0] for named in gathered.files[1:]} == {
        "relay.key": "secrets",
        "ca.pem": "files",
        "relay.crt": "files",
        "sales.password": "secrets",
    }
    assert {named.content.decode() for named in gathered.files[1:]} == {
        "relay.key",
        "ca.pem",
        "relay.crt",
        "sales.password",
    }
    assert gathered.blanked == ()


def test_what_can_not_be_read_is_missing_and_no_more(config: Path) -> None:
    (config.parent / "sales.password").unlink()
    (config.parent / "ca.pem").write_bytes(b"x" * (17 << 20))
    gathered = gather(config, secrets=True)
    assert gathered.missing == (
        f"{config.parent}/ca.pem: is too large for what it should be",
        f"{config.parent}/sales.password: can't be read: No such file or directory",
    )
    assert len(gathered.files) == 3


def test_a_configuration_whose_secrets_can_not_be_told_apart_is_left_out(config: Path) -> None:
    config.write_text('password = "hunter2\n')
    gathered = gather(config, secrets=False)
    assert gathered.files == ()
    assert gathered.missing == (f"{config}: is not TOML whose secrets can be told from the rest",)
    config.unlink()
    assert gather(config, secrets=True).missing == (f"{config}: can't be read: No such file or directory",)


def test_a_content_that_was_read_before_counts(config: Path) -> None:
    assert gather(config, b"a = 1\n", secrets=False).files[0].content == b"a = 1\n"


@pytest.mark.parametrize("kind", ["PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])
def test_a_certificate_with_its_key_in_one_file_is_a_secret(config: Path, kind: str) -> None:
    content = f"-----BEGIN {kind}-----\nsecret\n-----END {kind}-----\n-----BEGIN CERTIFICATE-----\n"
    (config.parent / "relay.crt").write_text(content)
    gathered = gather(config, secrets=False)
    assert not any(b"secret\n" in named.content for named in gathered.files)
    (line,) = gathered.missing
    assert line.startswith(f"{config.parent}/relay.crt: holds a private key beside the certificate")
    assert content.encode() in [named.content for named in gather(config, secrets=True).files]


def test_a_certificate_that_is_named_as_its_own_key_is_left_out_as_keys_are(config: Path) -> None:
    key = config.parent / "relay.key"
    config.write_text(config.read_text().replace('certificate = "relay.crt"', f'certificate = "{key}"'))
    gathered = gather(config, secrets=False)
    assert not any(named.origin == str(key) for named in gathered.files)
    assert gathered.missing == ()
    assert [named.origin for named in gather(config, secrets=True).files].count(str(key)) == 1


def test_the_names_in_a_configuration(config: Path) -> None:
    key = str(config.parent / "relay.key")
    assert find_names(config.read_bytes()) == {"relay.crt", key, "sales.password", "ca.pem"}
    assert find_names(b"not TOML") == find_names(b"\xff") == frozenset()


def test_the_key_of_the_tokens_is_a_secret_and_nothing_that_must_be_there(config: Path) -> None:
    oauth = {"provider": "microsoft", "flow": "device", "client_id": "0"}
    write_config(config.parent, accounts=[make_account("sales", 9, oauth=oauth)])
    assert gather(config, secrets=True).missing == ()
    (config.parent / "tokens.key").write_text("k")
    assert [named.origin for named in gather(config, secrets=True).files] == ["", "tokens.key"]
    assert [named.path for named in gather(config, secrets=False).files] == ["relay.toml"]
    assert "tokens.key" in OWN


def test_the_offices_own_authority_is_a_secret_that_comes_once_however_it_is_named(config: Path) -> None:
    store = Store(config.parent)
    store.make(["relay.example"], "Mail", dt.datetime.now(dt.UTC))
    write_config(config.parent, accounts=[make_account("sales", 9)])
    own = ["", "certificates/authority.pem", "certificates/relay.pem"]
    assert [named.origin for named in gather(config, secrets=True).files] == own
    assert [named.path for named in gather(config, secrets=False).files] == ["relay.toml"]
    listener = {"tls": "starttls", "certificate": str(store.server), "private_key": str(store.server)}
    write_config(config.parent, accounts=[make_account("sales", 9)], listener=listener)
    found = gather(config, secrets=True)
    assert sorted(named.origin for named in found.files) == ["", str(store.server), "certificates/authority.pem"]
    assert all(named.path.startswith("secrets/") for named in found.files[1:])
