"""Accounts that log in by a token: a real authorization server, Dovecot that asks it, Postfix that asks Dovecot."""

import os
import signal
import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.peers.dovecot import Dovecot
from tests.peers.machine import wait_until
from tests.peers.oauth_provider import provider, sign_in
from tests.peers.oauth_server import USER, OAuthServer, Rotation
from tests.peers.postfix import Postfix
from tests.peers.relay_process import ANNA, ROOT, RelayProcess, write_config

pytestmark = pytest.mark.peer

MAILS = int(os.environ.get("MAILS", "40"))
"""Mails that leave with tokens that live 2 s; the full size is 500."""
DOWN = float(os.environ.get("DOWN", "3"))
"""Seconds for which the token server is down; the full size is 30."""
KILLS = int(os.environ.get("KILLS", "50"))
SOON = timedelta(seconds=8)
"""Sooner than the look that finds another login by itself."""
_BATCH = max(MAILS // 10, 10)


@pytest.fixture
def server() -> Iterator[OAuthServer]:
    with OAuthServer() as running:
        running.signed_in.set()
        yield running


def account(table: dict[str, Any], postfix: Postfix, dovecot: Dovecot) -> dict[str, Any]:
    smtp = {"host": "127.0.0.1", "port": postfix.port, "security": "starttls", "ca_file": str(postfix.ca_file)}
    pop3 = {"host": "127.0.0.1", "port": dovecot.pop3_port, "security": "none", "interval": "1 s"}
    return {"name": "anna", "address": USER, "owner": "anna", "oauth": table, "smtp": smtp, "pop3": pop3}


def send(relay: RelayProcess, count: int = 1) -> None:
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=20) as smtp:
        for n in range(count):
            smtp.sendmail(USER, ["customer@example.net"], f"From: {USER}\r\nSubject: {n}\r\n\r\nhello\r\n")


def look_for_secrets(server: OAuthServer, folder: Path, *more: str) -> None:
    """Look through all files and some texts for what the server gave, as it is and in base64."""
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    texts += [text.encode() for text in more]
    assert server.issued
    for secret in server.issued:
        assert not any(secret.encode() in text for text in texts)


@pytest.mark.parametrize("flow", ["device", "browser", "app"])
def test_somebody_signs_in_and_mail_leaves_and_comes(server: OAuthServer, tmp_path: Path, flow: str) -> None:
    server.secret = "the-clients-secret" if flow == "app" else ""
    file = tmp_path / "client-secret"
    file.write_text(server.secret)
    file.chmod(0o600)
    with provider(server) as (postfix, dovecot):
        dovecot.fill(USER, [b"Subject: comes\n\nhello\n"])
        table = server.settings(flow)
        if table.pop("client_secret", ""):
            table["client_secret_file"] = str(file)
        backup = {"folder": str(tmp_path / "backups")}
        (tmp_path / "backups").mkdir()
        config = write_config(
            tmp_path, accounts=[account(table, postfix, dovecot)], users=[{**ANNA, "notify": "inbox"}], archive=[],
            backup=backup,
        )  # fmt: skip
        with RelayProcess(config) as relay:
            said = ""
            if flow != "app":
                send(relay)
                (paused,) = relay.wait_for("account_paused", account="anna")
                assert "relay account authorize anna" in paused["reply"]
                said = authorize(relay, server, flow)
                assert f"anna is signed in as {USER}" in said
            else:
                send(relay)
            assert postfix.wait_for("customer@example.net")
            relay.wait_for("mail_received", account="anna")
            for words in (("account", "test", "anna"), ("account", "list", "--json"), ("status", "--json")):
                said += relay.run(*words, check=words[0] != "status")
            relay.run("backup")
            assert "ok     log in" in said
            assert "sesame" not in said
        look_for_secrets(server, tmp_path, said)


def authorize(relay: RelayProcess, server: OAuthServer, flow: str) -> str:
    """Run `relay account authorize`; in a browser that is on another computer, from which the address is pasted."""
    assert flow in ("device", "browser")
    return sign_in(server, "account", "authorize", "anna", "-c", str(relay.config))


@pytest.mark.parametrize("mechanism", ["xoauth2", "oauthbearer"])
def test_each_mechanism_at_each_protocol_is_taken_or_refused_to_its_end(
    server: OAuthServer, tmp_path: Path, mechanism: str
) -> None:
    """One that refuses sends its error as a challenge first; its last word comes only once that is answered."""
    server.secret = "the-clients-secret"
    with OAuthServer() as stranger:
        for asked in (server, stranger):
            with provider(asked, mechanisms=mechanism) as (postfix, dovecot):
                whole = account(server.settings("app"), postfix, dovecot)
                sends = {key: value for key, value in whole.items() if key != "pop3"}
                collects = {key: value for key, value in whole.items() if key != "smtp"}
                collects |= {"name": "ben", "address": "ben@example.com"}
                collects["pop3"] = {**whole["pop3"], "username": USER}
                relay = RelayProcess(write_config(tmp_path, accounts=[sends, collects], archive=[]))
                said = [relay.run("account", "test", name, check=False) for name in ("anna", "ben")]
                if asked is server:
                    assert all("ok     log in" in one or "ok     the mailbox" in one for one in said), said
                    assert "ok     send as" in said[0]
                    assert f"method={mechanism.upper()}" in dovecot.log
                else:
                    assert "FAILED log in: 535 5.7.8" in said[0], said
                    assert "FAILED log in: [AUTH] Authentication failed." in said[1], said


def test_a_login_that_is_over_is_told_once_with_the_command_that_mends_it(server: OAuthServer, tmp_path: Path) -> None:
    """Two persons sign in at once, and the service goes on with the login at once, long before the next probe."""
    server.life = 2
    with provider(server) as (postfix, dovecot):
        given = account(server.settings("device"), postfix, dovecot)
        del given["pop3"]
        config = write_config(
            tmp_path, accounts=[given], users=[{**ANNA, "notify": "inbox"}], archive=[], retry={"intervals": ["2 h"]}
        )
        with RelayProcess(config) as relay:
            authorize(relay, server, "device")
            send(relay)
            postfix.wait_for("customer@example.net")
            server.revoke()
            relay.stop()
            relay.start()
            send(relay, 3)
            (paused,) = relay.wait_for("account_paused", account="anna")
            assert "the login is over: relay account authorize anna (invalid_grant" in paused["reply"]
            with ThreadPoolExecutor() as threads:
                list(threads.map(lambda _: authorize(relay, server, "device"), range(2)))
            postfix.wait_for("customer@example.net", 4)
            done = relay.find("admin_action", action="authorize")[1]
            (resumed,) = relay.find("account_resumed")
            assert datetime.fromisoformat(resumed["timestamp"]) - datetime.fromisoformat(done["timestamp"]) < SOON
        inbox = [path.read_text() for path in (tmp_path / "inboxes" / "anna" / "new").iterdir()]
        (alert,) = [mail for mail in inbox if "Login refused: account anna" in mail]
        assert "relay account authorize anna" in alert
        look_for_secrets(server, tmp_path)


def test_tokens_of_two_seconds_need_no_hand(server: OAuthServer, tmp_path: Path) -> None:
    """Each batch begins when all tokens of before have ended, and Postfix has closed its connections."""
    server.life = 2
    with provider(server, smtpd_timeout="1s") as (postfix, dovecot):
        config = write_config(tmp_path, accounts=[account(server.settings("device"), postfix, dovecot)], archive=[])
        with RelayProcess(config) as relay:
            authorize(relay, server, "device")
            for done in range(0, MAILS, _BATCH):
                send(relay, min(_BATCH, MAILS - done))
                relay.wait_for("message_delivered", count=min(done + _BATCH, MAILS))
                wait_for_the_end_of_tokens(server, postfix)
            assert len(postfix.wait_for("customer@example.net", MAILS)) == MAILS
            refreshes = [form for form in server.asked if form["grant_type"] == "refresh_token"]
            assert len(refreshes) >= MAILS // _BATCH - 1  # the first batch has the token of the sign-in
        assert_nobody_saw_a_failure(relay, tmp_path)
        look_for_secrets(server, tmp_path)


def test_a_token_server_that_is_down_needs_no_hand(server: OAuthServer, tmp_path: Path) -> None:
    server.life = 2
    with provider(server, smtpd_timeout="1s") as (postfix, dovecot):
        config = write_config(tmp_path, accounts=[account(server.settings("device"), postfix, dovecot)], archive=[])
        with RelayProcess(config) as relay:
            authorize(relay, server, "device")
            send(relay, 10)
            relay.wait_for("message_delivered", count=10)
            server.is_down, until = True, time.monotonic() + DOWN
            wait_for_the_end_of_tokens(server, postfix)
            dovecot.fill(USER, [b"Subject: comes\n\nhello\n"])
            send(relay, 10)
            relay.wait_for("delivery_deferred")
            wait_until(lambda: time.monotonic() > until, what="the server's coming back", timeout=DOWN + 1)
            assert len(postfix.inbox("customer@example.net")) == 10
            server.is_down = False
            assert len(postfix.wait_for("customer@example.net", 20)) == 20
            relay.wait_for("mail_received", account="anna")
        assert_nobody_saw_a_failure(relay, tmp_path)
        look_for_secrets(server, tmp_path)


def wait_for_the_end_of_tokens(server: OAuthServer, postfix: Postfix) -> None:
    """Wait until no token of now holds any more, and no connection is logged in by one."""
    given = set(server.issued)
    wait_until(lambda: not any(map(server.holds, given)), what="the end of all tokens")
    wait_until(
        lambda: postfix.log.count(": connect from") == postfix.log.count(": disconnect from"),
        what="the end of all connections",
    )


def assert_nobody_saw_a_failure(relay: RelayProcess, folder: Path) -> None:
    """Look for all that a person would see: a notice, an alert, a pause, a mail that came back."""
    for event in ("account_paused", "message_bounced", "possible_duplicate"):
        assert not relay.find(event)
    inbox = [path.read_text() for path in (folder / "inboxes" / "anna" / "new").glob("*")]
    assert [mail for mail in inbox if "Subject: comes" not in mail] == []


_REFRESH = """
import asyncio, os, sys, time
from pathlib import Path
from cryptography import fernet
import h11
from relay.accounts.keeping import TokenKeeper
from relay.accounts.sealing import Sealer
from relay.model.errors import CredentialError
from relay.settings import load_settings
from relay.storage.engine import open_engine
settings = load_settings(Path(sys.argv[1]))

def refresh(hours):
    keeper = TokenKeeper(
        open_engine(settings.database), Sealer(settings.folder), node="n",
        now=lambda: time.time_ns() // 1_000_000 + 3_600_000 * hours,
    )
    keeper.begin()
    try:
        print(asyncio.run(keeper.token(settings.directory.accounts[0].oauth))[:6], flush=True)
    except CredentialError as error:
        print(error, flush=True)

for line in sys.stdin:
    if (child := os.fork()) == 0:
        refresh(int(line))
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("over", flush=True)
"""
"""For each line, the hours that have passed, a process of its own refreshes the login: it says its number, what it
got, and that it is over."""


@pytest.mark.parametrize("rotation", [Rotation.KIND, Rotation.STRICT])
def test_killed_between_the_answer_and_its_commit(server: OAuthServer, tmp_path: Path, rotation: Rotation) -> None:
    """A server that ends the old refresh token at once can't be survived: then somebody must sign in again."""
    server.rotation = rotation
    table = {"name": "anna", "address": USER, "owner": "anna", "oauth": server.settings("device")}
    config = write_config(tmp_path, accounts=[{**table, "smtp": {"host": "127.0.0.1"}}], archive=[])
    with RelayProcess(config) as relay:
        authorize(relay, server, "device")
    command = [sys.executable, "-c", _REFRESH, str(config)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        into, out = process.stdin, process.stdout
        assert into is not None
        assert out is not None

        def begin(hours: int) -> int:
            print(hours, file=into, flush=True)
            return int(out.readline())

        for n in range(1, KILLS + 1):
            server.before_answer, asked = threading.Event(), len(server.asked)
            server.was_asked.clear()
            child = begin(n)
            assert server.was_asked.wait(30)
            os.kill(child, signal.SIGKILL)
            assert out.readline() == "over\n"
            server.before_answer.set()
            server.before_answer = None
            begin(n)
            said = out.readline()
            assert out.readline() == "over\n"
            if rotation is Rotation.STRICT:
                assert "the login is over: relay account authorize anna (invalid_grant" in said
                break
            assert said == "access\n"
            assert len(server.asked) == asked + 2
        into.close()
