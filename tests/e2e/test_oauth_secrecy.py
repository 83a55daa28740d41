"""What an issuer gives is told nowhere, whatever the way to sign in; what a backup has of it, and a restore makes."""

import base64
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.peers.oauth_provider import account_at, authorize, provider
from tests.peers.oauth_server import USER, OAuthServer
from tests.peers.relay_process import ANNA, RelayProcess, write_config
from tests.peers.warm_start import run_warm

pytestmark = pytest.mark.peer

CLIENT_SECRET = "the-clients-own-secret"
COMMANDS = (
    ("account", "list", "--json"),
    ("account", "test", "anna"),
    ("account", "test", "anna", "--json"),
    ("account", "test", "--all", "--json"),
    ("status",),
    ("status", "--json"),
    ("queue", "list", "--all", "--json"),
    ("quarantine", "list", "--json"),
    ("check", "--json"),
    ("explain", "--user", "anna", "--from", USER, "--to", "customer@example.net", "--json"),
    ("poll", "anna", "--json"),
)
_ASKED = ("refresh_token", "code", "device_code", "code_verifier", "client_secret", "client_assertion")
"""What of the forms that the issuer got is secret."""


def forms_of(secret: str) -> set[bytes]:
    """Give a text as it may stand somewhere: as it is, in a form's encoding, and within something in base64."""
    found = {secret.encode(), quote(secret, safe="").encode()}
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + secret.encode())
        found.add(whole[4 if before else 0 : -4])  # without what depends on what stands before and behind
    return found


def secrets_of(server: OAuthServer) -> set[str]:
    """Give all that the issuer gave and got."""
    got = {form[key] for form in server.asked for key in _ASKED if key in form}
    return server.issued | got


def look_through(secrets: Iterable[str], texts: Iterable[bytes]) -> None:
    """Fail where one of the texts holds a secret, in any form."""
    wanted = {one for secret in secrets for one in forms_of(secret)}
    assert wanted
    for text in texts:
        assert not [one for one in wanted if one in text]


def files_of(folder: Path, *but: str) -> list[bytes]:
    """Give what all files hold, and their names, but for those of these names."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in but]
    return [path.read_bytes() for path in paths] + [str(path).encode() for path in paths]


def processes_of(pid: int) -> list[bytes]:
    """Give arguments, environment and title of a process and of all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ", "comm")]
    return own + [text for child in children for text in processes_of(int(child))]


def tell(relay: RelayProcess, *words: str) -> bytes:
    """Run a command, and give all that it said."""
    done = run_warm("relay", *words, "-c", str(relay.config), timeout=100)
    assert "Traceback" not in done.stderr
    return (done.stdout + done.stderr).encode()


@pytest.mark.parametrize("way", ["device", "browser", "browser here", "app"])
def test_nothing_that_the_issuer_gave_is_told_anywhere(tmp_path: Path, way: str) -> None:
    """A browser is on another computer, or here, where the command itself takes what it brings."""
    flow = way.split(maxsplit=1)[0]
    secret = tmp_path / "client-secret"
    secret.write_text(CLIENT_SECRET)
    secret.chmod(0o600)
    backups = tmp_path / "backups"
    backups.mkdir()
    with OAuthServer(secret=CLIENT_SECRET, life=3) as server, provider(server) as (postfix, dovecot):
        server.signed_in.set()
        dovecot.fill(USER, [b"Subject: comes\n\nhello\n"])
        table = server.settings(flow, client_secret_file=str(secret))
        del table["client_secret"]
        config = write_config(
            tmp_path, accounts=[account_at(postfix, dovecot, table)], users=[{**ANNA, "notify": "inbox"}], archive=[],
            backup={"folder": str(backups)}, log={"level": "debug"},
        )  # fmt: skip
        with RelayProcess(config, fresh=True) as relay:
            said: list[bytes] = []
            if flow != "app":
                here = way == "browser here"
                told = authorize(relay, server, here=here, look=lambda pid: said.extend(processes_of(pid)))
                assert ("You can close this window" in told) is here
                said.append(told.encode())
                assert (len(said) > 1) is (flow == "browser")
            relay.send(USER)
            (mail,) = relay.wait_for("message_delivered", account="anna")
            relay.wait_for("mail_received", account="anna")
            said += [tell(relay, *words) for words in (COMMANDS if way == "browser" else COMMANDS[:2])]
            said.append(tell(relay, "backup"))
            said.append(tell(relay, "trace", mail["queue_id"], "--json"))
            said.append(tell(relay, "report", str(tmp_path / "report"), "--test"))
            said += processes_of(relay.pid)
            server.revoke()
            said.append(tell(relay, "account", "test", "anna", "--json"))
            relay.send(USER)
            relay.wait_for("message_accepted", count=2)
        known = secrets_of(server)
        assert CLIENT_SECRET in known
        assert any(one.startswith("code-") for one in known) is (flow == "browser")
        look_through(known, said + files_of(tmp_path, "client-secret"))
        key = (tmp_path / "tokens.key").read_text().strip()
        look_through({key}, said + files_of(tmp_path, "tokens.key"))


@pytest.mark.parametrize("secrets", [False, True], ids=["without secrets", "with secrets"])
def test_a_restore_without_the_key_pauses_the_account_and_names_the_command(tmp_path: Path, secrets: bool) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    with OAuthServer() as server, provider(server) as (postfix, dovecot):
        server.signed_in.set()
        given = account_at(postfix, dovecot, server.settings("device"))
        del given["pop3"]
        config = write_config(
            tmp_path, accounts=[given], users=[{**ANNA, "notify": "inbox"}], archive=[],
            backup={"folder": str(backups), "secrets": secrets},
        )  # fmt: skip
        with RelayProcess(config) as relay:
            authorize(relay, server)
            relay.run("backup")
            relay.stop()
            key = (tmp_path / "tokens.key").read_bytes()
            (tmp_path / "tokens.key").unlink()
            for path in filter(Path.is_file, tmp_path.glob("relay.db*")):
                path.unlink()
            assert (key in files_of(backups)) is secrets
            said = tell(relay, "restore", "--yes", str(backups)).decode()
            assert ("relay account authorize anna" in said) is not secrets
            relay.start()
            relay.send(USER)
            if not secrets:
                (paused,) = relay.wait_for("account_paused", account="anna")
                assert "sign in again: relay account authorize anna" in paused["reply"]
                assert "relay account authorize anna" in relay.run("account", "list")
                authorize(relay, server)
            assert postfix.wait_for("customer@example.net")
            assert len(relay.find("account_paused")) == int(not secrets)


def test_an_app_needs_nobody_after_a_restore_without_the_key(tmp_path: Path) -> None:
    secret = tmp_path / "client-secret"
    secret.write_text(CLIENT_SECRET)
    secret.chmod(0o600)
    with OAuthServer(secret=CLIENT_SECRET) as server, provider(server) as (postfix, dovecot):
        table = server.settings("app", client_secret_file=str(secret))
        del table["client_secret"]
        given = account_at(postfix, dovecot, table)
        del given["pop3"]
        with RelayProcess(write_config(tmp_path, accounts=[given], archive=[])) as relay:
            relay.send(USER)
            assert postfix.wait_for("customer@example.net")
            relay.stop()
            (tmp_path / "tokens.key").unlink()
            relay.start()
            relay.send(USER)
            assert postfix.wait_for("customer@example.net", 2)
            assert not relay.find("account_paused")
