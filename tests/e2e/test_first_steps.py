"""From nothing to a mail that was sent and one that was collected: `relay init`, the service, and a mail."""

import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.oauth_provider import provider, sign_in
from tests.peers.oauth_server import CLIENT, USER, OAuthServer
from tests.peers.postfix import Postfix
from tests.peers.relay_process import ROOT, RelayProcess

pytestmark = pytest.mark.peer
ANNA = "anna@example.com"


def init(config: Path, *options: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "relay", "init", "-c", str(config), *options]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False, timeout=60)


def authorities(folder: Path, postfix: Postfix, dovecot: Dovecot) -> str:
    file = folder / "authorities.pem"
    file.write_bytes(postfix.ca_file.read_bytes() + dovecot.ca_file.read_bytes())
    return str(file)


def servers(folder: Path, postfix: Postfix, dovecot: Dovecot) -> list[str]:
    return [
        "--smtp-host", "127.0.0.1", "--smtp-port", str(postfix.port), "--pop3-host", "127.0.0.1",
        "--pop3-port", str(dovecot.pop3s_port), "--ca-file", authorities(folder, postfix, dovecot),
    ]  # fmt: skip


OFFICE = ["--language", "en", "--hostname", "relay.office.example", "--user", f"anna={ANNA}", "--address", ANNA]


def see_mail_go_and_come(config: Path, postfix: Postfix, dovecot: Dovecot) -> None:
    config.write_text(config.read_text() + "\n[[listener]]\nport = 0\n")  # a free one
    with RelayProcess(config) as relay:
        with smtplib.SMTP("127.0.0.1", relay.port, timeout=20) as smtp:
            smtp.sendmail(ANNA, ["customer@example.net"], f"From: {ANNA}\r\nSubject: goes\r\n\r\nhello\r\n")
        assert postfix.wait_for("customer@example.net")
        relay.wait_for("mail_received", account="anna")
    (mail,) = (config.parent / "inboxes" / "anna" / "new").iterdir()
    assert b"Subject: comes" in mail.read_bytes()
    assert len(dovecot.mails(ANNA)) == 1  # it stays there for 14 days


def test_with_a_password(tmp_path: Path) -> None:
    config = tmp_path / "relay.toml"
    with Dovecot() as dovecot, Postfix(logins={ANNA: PASSWORD}) as postfix:
        dovecot.fill(ANNA, [b"Subject: comes\n\nhello\n"])
        said = init(config, *OFFICE, *servers(tmp_path, postfix, dovecot), given=f"{PASSWORD}\n")
        assert said.returncode == 0, said.stdout + said.stderr
        assert "anna works" in said.stdout
        assert said.stdout.endswith(f"Next: relay serve -c {config}\n")
        assert PASSWORD not in said.stdout + said.stderr + config.read_text()
        see_mail_go_and_come(config, postfix, dovecot)


def test_a_wrong_password_is_told_and_the_file_is_there(tmp_path: Path) -> None:
    config = tmp_path / "relay.toml"
    with Dovecot() as dovecot, Postfix(logins={ANNA: PASSWORD}) as postfix:
        said = init(config, *OFFICE, *servers(tmp_path, postfix, dovecot), given="wrong\n")
    assert said.returncode == 1
    assert "FAILED log in" in said.stdout
    assert f"relay account test anna -c {config}\n" in said.stdout
    assert config.exists()
    said = init(config, *OFFICE)
    assert said.returncode == 1
    assert "has an account already" in said.stderr


@pytest.mark.parametrize("flow", ["device", "browser", "app"])
def test_with_a_token(tmp_path: Path, flow: str) -> None:
    config = tmp_path / "relay.toml"
    with OAuthServer() as server, provider(server) as (postfix, dovecot):
        server.signed_in.set()
        server.secret = "the-clients-secret" if flow == "app" else ""
        dovecot.fill(USER, [b"Subject: comes\n\nhello\n"])
        options = [*OFFICE, *servers(tmp_path, postfix, dovecot), "--oauth", "custom", "--flow", flow]
        options += ["--client-id", CLIENT, "--sign-in-as", USER, "--scope", "mail"]
        options += [
            part for one in ("token", "device", "authorize") for part in (f"--{one}-url", f"{server.url}/{one}")
        ]
        if flow == "app":
            file = tmp_path / "client-secret"
            file.write_text(f"{server.secret}\n")
            file.chmod(0o600)
            options += ["--client-secret-file", str(file)]
        said = sign_in(server, "init", "-c", str(config), *options)
        assert "anna works" in said
        assert not any(secret in said + config.read_text() for secret in server.issued)
        see_mail_go_and_come(config, postfix, dovecot)
