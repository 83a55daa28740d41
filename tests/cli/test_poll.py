"""`relay poll` without a running service: it is the service for that moment. With one, see the end to end tests."""

import os
import pty
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from relay.admin.requests import Progress, Told
from relay.admin.wire import encode
from relay.cli.telling import Conversation, tell
from relay.demo.provider import PASSWORD, Mailbox
from tests.cli.conftest import Run, serve_mailbox
from tests.cli.test_output import read_all
from tests.peers.relay_process import ANNA, Table, write_config

pytestmark = pytest.mark.usefixtures("both_ways")


@pytest.fixture
def mailbox(config: Path) -> Generator[Mailbox]:
    """A mailbox in a thread of its own, and a configuration whose account `sales` collects it."""
    with serve_mailbox() as mailbox:
        pop3 = {"host": "127.0.0.1", "port": mailbox.port, "security": "none", "username": "u", "password": PASSWORD}
        account: Table = {"name": "sales", "address": "sales@example.com", "owner": "anna"}
        accounts = [{**account, "pop3": pop3}, {**account, "name": "off", "pop3": pop3, "receive": False}]
        write_config(config.parent, accounts=accounts, users=[ANNA])
        yield mailbox


def test_mail_is_collected_and_the_state_is_listed(run: Run, mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.mails = [b"A: b\r\n\r\nx\r\n"]
    assert run("poll").out.startswith("sales: 1 fetched, 1 deleted on the server")
    assert len(list((tmp_path / "inboxes/anna/new").iterdir())) == 1
    result = run("poll", "sales", "--json").json
    assert result["sales"]["fetched"] == 0
    row = run("account", "list", "--json").json[0]
    assert row["last_poll"]
    assert row["collected"]


def say(news: list[Any]) -> Conversation:
    for one in news:
        yield {"is": type(one).__name__, "value": encode(one)}


@pytest.mark.parametrize("quiet", [False, True])
def test_a_terminal_sees_how_far_a_mailbox_is(monkeypatch: pytest.MonkeyPatch, quiet: bool) -> None:
    ours, terminal = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    news = [*(Progress(what="sales", done=n, total=4) for n in range(5)), Told(json=({},))]
    with os.fdopen(terminal, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        tell(say(news), as_json=quiet, single=True)
    shown = read_all(ours)
    assert (b"sales" in shown, b"100%" in shown) == (not quiet, not quiet)


def test_what_can_not_be_polled_says_why(run: Run, mailbox: Mailbox, config: Path) -> None:
    assert "receive = false" in run("poll", "off").err
    assert "no account that is collected and called 'nothing'; there are: sales" in run("poll", "nothing").err
    config.write_text(config.read_text().replace(f'"{PASSWORD}"', '"of-yesterday"'))
    said = run("poll")
    assert (said.status, said.out) == (1, "sales: failed: login: [AUTH] wrong password\n")
    assert "wrong password" in run("account", "list").out
    assert mailbox.sessions == 1


def test_account_test_tells_step_by_step(run: Run, mailbox: Mailbox, config: Path) -> None:
    mailbox.mails = [b"A: b\r\n\r\nx\r\n"]
    said = run("account", "test", "sales")
    assert said.status == 0
    assert "ok     log in" in said.out
    assert "the mailbox: 1 message, " in said.out
    assert "DELETED at the provider" in said.out
    config.write_text(config.read_text().replace(f'"{PASSWORD}"', '"of-yesterday"'))
    said = run("account", "test", "sales")
    assert said.status == 1
    assert "FAILED log in" in said.out
    assert len(mailbox.mails) == 1


def test_explain_incoming_says_who_gets_it(run: Run, mailbox: Mailbox, tmp_path: Path) -> None:
    message = tmp_path / "mail.eml"
    message.write_text("To: somebody@example.com\n\nx\n")
    said = run("explain", "--incoming", str(message), "--account", "sales", "--json").json
    assert said["users"] == [{"user": "anna", "address": "anna@example.com"}]
    assert "stands in the inbox of anna" in run("explain", "--incoming", str(message), "--account", "sales").out
    assert run("explain", "--incoming", str(message)).status == 2
    assert run("explain", "--incoming", str(message), "--account", "x").status == 2
    assert mailbox.sessions == 0


def test_without_a_mailbox_there_is_nothing_to_poll(run: Run) -> None:
    said = run("poll")
    assert said.status == 1
    assert "no account has a mailbox" in said.err
