"""Accounts that log in by a token: a real authorization server, Dovecot that asks it, Postfix that asks Dovecot."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from tests.peers.dovecot import Dovecot
from tests.peers.machine import wait_until
from tests.peers.oauth_provider import account_at, authorize, provider
from tests.peers.oauth_server import USER, OAuthServer, Rotation
from tests.peers.postfix import Postfix
from tests.peers.relay_process import ANNA, RelayProcess, write_config

pytestmark = pytest.mark.peer

MAILS = int(os.environ.get("MAILS", "40"))
"""Mails that leave with tokens that live 2 s; the full size is 500."""
DOWN = float(os.environ.get("DOWN", "3"))
"""Seconds for which the token server is down; the full size is 30."""
KILLS = int(os.environ.get("KILLS", "5"))
"""How often the service is killed while it refreshes a token; the full size is 50."""
_BATCH = max(MAILS // 10, 10)


@pytest.fixture
def server() -> Iterator[OAuthServer]:
    with OAuthServer() as running:
        running.signed_in.set()
        yield running


def look_for_secrets(server: OAuthServer, folder: Path, *more: str) -> None:
    """Look through all files and some texts for what the server gave, as it is and in base64."""
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    texts += [text.encode() for text in more]
    assert server.issued
    for secret in server.issued:
        assert not any(secret.encode() in text for text in texts)


def notices(folder: Path) -> list[EmailMessage]:
    """Give what stands in the postmaster's inbox."""
    files = (folder / "inboxes" / "anna" / "new").glob("*")
    return [message_from_bytes(path.read_bytes(), policy=default) for path in files]


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
            tmp_path, accounts=[account_at(postfix, dovecot, table)], users=[{**ANNA, "notify": "inbox"}], archive=[],
            backup=backup,
        )  # fmt: skip
        with RelayProcess(config) as relay:
            said = ""
            if flow != "app":
                relay.send(USER)
                (paused,) = relay.wait_for("account_paused", account="anna")
                assert "relay account authorize anna" in paused["reply"]
                said = authorize(relay, server)
                assert f"anna is signed in as {USER}" in said
            else:
                relay.send(USER)
            assert postfix.wait_for("customer@example.net")
            relay.wait_for("mail_received", account="anna")
            for words in (("account", "test", "anna"), ("account", "list", "--json"), ("status", "--json")):
                said += relay.run(*words, check=words[0] != "status")
            relay.run("backup")
            assert "ok     log in" in said
            assert "sesame" not in said
        look_for_secrets(server, tmp_path, said)


@pytest.mark.parametrize("mechanism", ["xoauth2", "oauthbearer"])
def test_each_mechanism_at_each_protocol_is_taken_or_refused_to_its_end(
    server: OAuthServer, tmp_path: Path, mechanism: str
) -> None:
    """One that refuses sends its error as a challenge first; its last word comes only once that is answered."""
    server.secret = "the-clients-secret"
    with OAuthServer() as stranger:
        for asked in (server, stranger):
            with provider(asked, mechanisms=mechanism) as (postfix, dovecot):
                whole = account_at(postfix, dovecot, server.settings("app"))
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
    """Two persons sign in at once, and the service goes on with the login, long before the next probe is due."""
    server.life = 2
    with provider(server) as (postfix, dovecot):
        given = account_at(postfix, dovecot, server.settings("device"))
        del given["pop3"]
        config = write_config(
            tmp_path, accounts=[given], users=[{**ANNA, "notify": "inbox"}], archive=[], retry={"intervals": ["2 h"]}
        )
        with RelayProcess(config) as relay:
            authorize(relay, server)
            relay.send(USER)
            postfix.wait_for("customer@example.net")
            server.revoke()
            relay.stop()
            relay.start()
            relay.send(USER, 3)
            (paused,) = relay.wait_for("account_paused", account="anna")
            assert "the login is over: relay account authorize anna (invalid_grant" in paused["reply"]
            server.life = 3600  # who was refused waits for seconds at Dovecot
            with ThreadPoolExecutor() as threads:
                list(threads.map(lambda _: authorize(relay, server), range(2)))
            postfix.wait_for("customer@example.net", 4)
            assert len(relay.find("admin_action", action="authorize")) == 3
            assert len(relay.find("account_resumed", account="anna", reason="the login works again")) == 1
        (alert,) = [one for one in notices(tmp_path) if "Account anna cannot log in" in one["Subject"]]
        assert "relay account authorize anna" in alert.get_content()
        look_for_secrets(server, tmp_path)


def test_a_token_that_is_withdrawn_before_its_end_is_replaced_and_nobody_notices(
    server: OAuthServer, tmp_path: Path
) -> None:
    """As where somebody changes the password at the provider, and the login goes on."""
    server.life = 40
    with provider(server) as (postfix, dovecot):
        config = write_config(tmp_path, accounts=[account_at(postfix, dovecot, server.settings("device"))], archive=[])
        with RelayProcess(config) as relay:
            authorize(relay, server)
            came = time.monotonic()
            relay.send(USER)
            postfix.wait_for("customer@example.net")
            relay.stop()
            wait_until(lambda: time.monotonic() - came > 3, what="a token that is not brand-new")
            server.withdraw()
            relay.start()
            relay.send(USER)
            postfix.wait_for("customer@example.net", 2)
        assert "authentication failed" in postfix.log
        assert_nobody_saw_a_failure(relay, tmp_path)
        look_for_secrets(server, tmp_path)


def test_tokens_of_two_seconds_need_no_hand(server: OAuthServer, tmp_path: Path) -> None:
    """Each batch begins when all tokens of before have ended, and Postfix has closed its connections."""
    server.life = 2
    with provider(server, smtpd_timeout="1s") as (postfix, dovecot):
        config = write_config(tmp_path, accounts=[account_at(postfix, dovecot, server.settings("device"))], archive=[])
        with RelayProcess(config) as relay:
            authorize(relay, server)
            for done in range(0, MAILS, _BATCH):
                relay.send(USER, min(_BATCH, MAILS - done))
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
        config = write_config(tmp_path, accounts=[account_at(postfix, dovecot, server.settings("device"))], archive=[])
        with RelayProcess(config) as relay:
            authorize(relay, server)
            relay.send(USER, 10)
            relay.wait_for("message_delivered", count=10)
            server.is_down, until = True, time.monotonic() + DOWN
            wait_for_the_end_of_tokens(server, postfix)
            dovecot.fill(USER, [b"Subject: comes\n\nhello\n"])
            relay.send(USER, 10)
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


def account_without_mailbox(server: OAuthServer, postfix: Postfix, dovecot: Dovecot) -> dict[str, Any]:
    given = account_at(postfix, dovecot, server.settings("device"))
    del given["pop3"]
    return given


def kill_during_refresh(relay: RelayProcess, server: OAuthServer, postfix: Postfix, *, answered: bool = False) -> None:
    """Let a mail need another token, and kill the service when its issuer has used up the old one.

    `answered`: when the answer has just left the issuer, and may be on its way, read, or being committed.
    """
    wait_for_the_end_of_tokens(server, postfix)
    server.before_answer = held = threading.Event()
    server.was_asked.clear()
    relay.send(USER)
    assert server.was_asked.wait(30)
    if answered:
        held.set()
    relay.kill()
    held.set()
    server.before_answer = None


@pytest.mark.timeout(60 + 60 * KILLS)
def test_a_service_that_is_killed_while_it_refreshes_keeps_the_login_of_an_issuer_that_lets_it(
    server: OAuthServer, tmp_path: Path
) -> None:
    """The old refresh token holds until the new one is used: whatever moment it is, nobody has to do anything."""
    server.life = 2
    with provider(server, smtpd_timeout="1s") as (postfix, dovecot):
        given = account_without_mailbox(server, postfix, dovecot)
        config = write_config(
            tmp_path, accounts=[given], users=[{**ANNA, "notify": "inbox"}], archive=[], retry={"intervals": ["1 s"]}
        )
        with RelayProcess(config) as relay:
            authorize(relay, server)
            for n in range(1, KILLS + 1):
                kill_during_refresh(relay, server, postfix, answered=n % 2 == 0)
                relay.start()
                relay.wait_for("message_delivered", count=n)
            assert len(postfix.wait_for("customer@example.net", KILLS)) == KILLS
            refreshes = [form for form in server.asked if form["grant_type"] == "refresh_token"]
            assert len(refreshes) >= KILLS
            assert not relay.find("account_paused")
            assert notices(tmp_path) == []
            assert "ok     log in" in relay.run("account", "test", "anna")
        look_for_secrets(server, tmp_path)


def test_a_service_that_is_killed_while_it_refreshes_at_an_issuer_that_ends_the_login_says_the_one_command(
    server: OAuthServer, tmp_path: Path
) -> None:
    """The old refresh token is dead at once, and the new one was lost with the process: nobody could survive that."""
    server.life, server.rotation = 2, Rotation.STRICT
    with provider(server, smtpd_timeout="1s") as (postfix, dovecot):
        given = account_without_mailbox(server, postfix, dovecot)
        config = write_config(
            tmp_path, accounts=[given], users=[{**ANNA, "notify": "inbox"}], archive=[], retry={"intervals": ["1 s"]}
        )
        with RelayProcess(config) as relay:
            authorize(relay, server)
            kill_during_refresh(relay, server, postfix)
            relay.start()
            (paused,) = relay.wait_for("account_paused", account="anna")
            assert "the login is over: relay account authorize anna (invalid_grant" in paused["reply"]
            (notice,) = wait_until(lambda: notices(tmp_path), what="the postmaster's notice")
            assert '"relay account authorize anna"' in notice.get_content()
            assert postfix.inbox("customer@example.net") == []
            authorize(relay, server)
            assert len(postfix.wait_for("customer@example.net")) == 1
            assert len(relay.find("account_paused")) == 1
        look_for_secrets(server, tmp_path)
