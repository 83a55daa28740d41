"""A command and the service: who asks, what they say where their releases differ, and what it costs to ask."""

import asyncio
import json
import os
import pwd
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from relay.admin import desk
from relay.admin.answers import PollNews
from relay.admin.asking import write_request
from relay.admin.desk import name_user
from relay.admin.requests import VERSION, ListAccounts, Poll
from relay.control.client import ControlError, ask
from relay.settings import load_settings
from tests.cli.conftest import Run, hand_in, serve


def test_root_is_whoever_called_sudo_and_nobody_else_is_believed() -> None:
    assert name_user(0, "otto\x1b[31m" + "x" * 99) == ("otto\\u001b[31m" + "x" * 99)[:64]
    assert name_user(1, "otto") == pwd.getpwuid(1).pw_name
    assert name_user(54321) == "uid 54321"
    assert name_user(0) == "root"


def test_what_was_changed_is_logged_with_who_asked(
    run: Run, config: Path, queued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    me = name_user(os.getuid())
    with serve(config) as lines:
        assert run("queue", "hold", queued[0]).out == "1 mail held\n"
    (line,) = [one for one in lines if one["event"] == "admin_action"]
    assert (line["action"], line["by"], line["count"], line["queue_ids"]) == ("hold", me, 1, (queued[0],))
    assert f"held: by command of {me}\n" in run("trace", queued[0]).out


def test_without_a_service_the_logs_file_has_it(run: Run, config: Path, queued: list[str]) -> None:
    with config.open("a") as stream:
        stream.write('\n[log]\nfile = "relay.log"\n')
    assert run("queue", "hold", *queued).out == "2 mails held\n"
    (line,) = map(json.loads, (config.parent / "relay.log").read_text().splitlines())
    assert (line["event"], line["count"], line["queue_ids"]) == ("admin_action", 2, queued)


def test_another_release_is_told_in_plain_words(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(config):
        monkeypatch.setattr("relay.admin.asking.VERSION", VERSION + 1)
        said = run("queue", "list")
        assert (said.status, said.out) == (1, "")
        assert "restart the service (`systemctl restart relay`)" in said.err


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"version": VERSION, "name": "Nothing"},
        {"version": VERSION, "name": "ListMails", "value": {"filter": 5}},
        {"version": VERSION, "name": ["ListMails"]},
    ],
)
def test_what_can_not_be_understood_is_refused(config: Path, told: dict[str, Any]) -> None:
    with serve(config), pytest.raises(ControlError, match=r"bad request|restart"):
        ask(load_settings(config).folder, "ask", **told)


def test_polls_that_wait_for_a_provider_keep_no_other_request_waiting(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, polling = threading.Event(), threading.Semaphore(0)

    def poll(_room: object, _request: object) -> Iterator[PollNews]:
        polling.release()
        provider.wait(30)
        yield PollNews(account="a")

    monkeypatch.setattr("relay.admin.service.poll", poll)
    with serve(config), ThreadPoolExecutor() as people:
        folder = load_settings(config).folder
        try:
            polls = [people.submit(ask, folder, "ask", **write_request(Poll())) for _ in range(4)]
            assert all(polling.acquire(timeout=10) for _ in polls)
            told = people.submit(ask, folder, "ask", **write_request(ListAccounts())).result(10)
        finally:
            provider.set()
        assert told is not None
        assert told["is"] == "AccountList"
        assert all(one.result(10) for one in polls)


def test_a_long_list_comes_in_pages(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = asyncio.run(hand_in(config, ["x"] * 5))
    monkeypatch.setattr("relay.admin.mails.PAGE", 2)
    with serve(config):
        assert [mail["queue_id"] for mail in run("queue", "list", "--json").json] == ids[::-1]
        assert [mail["queue_id"] for mail in run("queue", "list", "--json", "--limit", "3").json] == ids[:1:-1]
        assert run("queue", "list", "--limit", "3").out.count("(the newest 3; --limit shows more)") == 1


def test_many_are_changed_in_steps_and_each_is_one(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(hand_in(config, ["x"] * 5))
    monkeypatch.setattr("relay.storage.steps.STEP", 2)
    with serve(config):
        assert run("queue", "hold", "--all", "--yes").out == "5 mails held\n"
    with sqlite3.connect(config.parent / "relay.db") as database:
        assert database.execute("SELECT count(*) FROM delivery WHERE state = 'held'").fetchone() == (5,)


def test_asking_a_service_needs_neither_settings_nor_database(config: Path, queued: list[str]) -> None:
    program = (
        "import sys; from relay.cli import main\n"
        "try: main()\n"
        "finally: print(*sorted({name.split('.')[0] for name in sys.modules}), *sys.modules, file=sys.stderr)"
    )
    with serve(config):
        for more in (["list", "--json"], ["list"], ["show", queued[0]]):
            asked = [sys.executable, "-c", program, "queue", *more, "-c", str(config)]
            ended = subprocess.run(asked, capture_output=True, text=True, check=True)
            loaded = set(ended.stderr.split())
            assert queued[0] in ended.stdout
            assert not loaded & {"pydantic", "sqlalchemy", "structlog", "asyncio", "relay.settings", "relay.storage"}
            assert ("rich" in loaded) is (more == ["list"])


def test_each_request_has_a_function() -> None:
    desk.load_all()
