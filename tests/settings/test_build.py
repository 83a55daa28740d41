from pathlib import Path

import trustme

from relay.model.account import FirstPoll, OnUncertain, Security
from relay.settings import Limits, Listener, load_settings
from tests.peers.relay_process import ANNA, to_toml


def test_defaults_paths_and_ports(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "p").touch(0o600)
    (tmp_path / "p").write_text("secret\n")
    table = {
        "server": {"hostname": "h", "postmaster": "anna"},
        "storage": {"folder": "data"},
        "user": [ANNA],
        "account": [
            {"name": "a", "address": "a@b.example", "owner": "anna",
             "smtp": {"host": "h", "security": "tls", "username": "u", "password_file": "../p", "ca_file": "../ca.pem"},
             "pop3": {"host": "h", "username": "u", "password_env": "HOME", "leave_on_server": "14 days"}},
            {"name": "b", "address": "b@b.example", "owner": "anna", "on_uncertain": "hold", "archive": ["x@y.example"],
             "smtp": {"host": "h"}},
        ],
    }  # fmt: skip
    (tmp_path / "data").mkdir()
    path = tmp_path / "relay.toml"
    path.write_text(to_toml(table))
    settings = load_settings(path)
    assert settings.folder == tmp_path / "data"
    assert settings.inboxes == tmp_path / "data" / "inboxes"
    assert settings.database == f"sqlite:///{tmp_path}/data/relay.db"
    assert settings.listeners == (Listener(),)
    assert settings.limits == Limits()
    one, two = settings.directory.accounts
    assert one.smtp is not None
    assert one.pop3 is not None
    assert two.smtp is not None
    assert (one.smtp.port, one.smtp.security) == (465, Security.TLS)
    assert Path(one.smtp.password.file or "").resolve() == tmp_path / "p"
    assert (one.pop3.port, one.pop3.leave_on_server, one.pop3.first_poll) == (995, 14 * 86_400_000, FirstPoll.ALL)
    assert settings.listeners[0].max_message_size == 75 << 20  # a file of 50 MB, once it is base64
    assert (two.smtp.port, two.on_uncertain) == (587, OnUncertain.HOLD)
    assert [str(address) for address in two.archive or ()] == ["x@y.example"]  # type: ignore[union-attr]


def test_no_secret_is_in_a_repr(tmp_path: Path) -> None:
    smtp = {"host": "h", "username": "u", "password": "hunter2"}
    account = {"name": "a", "address": "a@b.example", "owner": "anna", "smtp": smtp}
    table = {
        "server": {"hostname": "h", "postmaster": "anna"},
        "storage": {"database": "postgresql://u:hunter2@db/relay"},
        "user": [ANNA],
        "account": [account],
    }
    path = tmp_path / "relay.toml"
    path.write_text(to_toml(table))
    assert "hunter2" not in repr(load_settings(path))


def test_who_signs_in_and_whose_mailbox_it_is(tmp_path: Path) -> None:
    (tmp_path / "s").touch(0o600)
    (tmp_path / "s").write_text("hunter2\n")
    oauth = {"provider": "microsoft", "flow": "browser", "client_id": "0"}
    shared = {
        "name": "b",
        "address": "b@b.example",
        "owner": "anna",
        "pop3": {"host": "::1", "username": "c@b.example"},
    }
    table = {
        "server": {"hostname": "h", "postmaster": "anna"},
        "user": [ANNA],
        "account": [
            {"name": "a", "address": "a@b.example", "owner": "anna", "smtp": {"host": "::1"}, "oauth": oauth},
            {**shared, "oauth": {**oauth, "user": "d@b.example", "client_secret_file": "s"}},
        ],
    }
    path = tmp_path / "relay.toml"
    path.write_text(to_toml(table))
    one, two = load_settings(path).directory.accounts
    assert one.smtp is not None
    assert two.pop3 is not None
    assert one.smtp.username == "a@b.example"
    assert two.pop3.username == "c@b.example"
    assert one.smtp.oauth is one.oauth
    assert one.oauth is not None
    assert two.oauth is not None
    assert (one.oauth.account, one.oauth.user, one.oauth.protocols) == ("a", "a@b.example", ("smtp",))
    assert (two.oauth.account, two.oauth.user, two.oauth.protocols) == ("b", "d@b.example", ("pop3",))
    assert two.oauth.client_secret.file == str(tmp_path / "s")
    assert not one.oauth.client_secret.is_given
