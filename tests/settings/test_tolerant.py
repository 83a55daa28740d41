"""A configuration read for its places, before its secrets are put in again."""

from pathlib import Path

import pytest

from relay.settings import ConfigurationError
from relay.settings.blanking import blank_secrets
from relay.settings.tolerant import read_places

EXAMPLE = Path(__file__).parents[2] / "config" / "relay.example.toml"


def test_blank_secrets_and_missing_files_are_no_obstacle(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace('# password_hash = "$argon2id$..."', 'password_hash = "$argon2id$..."')
    text = text.replace('# password_file = "sales.password"', "").replace('tls = "none"', 'tls = "starttls"')
    text = text.replace("# certificate", "certificate").replace("# private_key", "private_key")
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
