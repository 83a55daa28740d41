"""A command and the service: who asks, what is logged, and what can't be understood."""

import json
import os
import pwd
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from relay.admin import desk
from relay.admin.desk import name_user
from relay.admin.requests import VERSION, ListAccounts, Poll, Progress
from relay.admin.wire import write_request
from relay.control.client import ControlError, ask
from relay.settings import load_settings
from tests.cli.conftest import Run, serve

if TYPE_CHECKING:
    from relay.admin.room import Service


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


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"version": VERSION, "name": "Nothing"},
        {"version": VERSION, "name": "ListMails", "value": {"filter": 5}},
        {"version": VERSION, "name": ["ListMails"]},
        {"version": VERSION, "name": "ListMails", "value": {"filter": {"older": 10**40}}},
    ],
)
def test_what_can_not_be_understood_is_refused(config: Path, told: dict[str, Any]) -> None:
    with serve(config), pytest.raises(ControlError, match=r"bad request|restart"):
        ask(load_settings(config).folder, "ask", **told)


def test_polls_that_wait_for_a_provider_keep_no_other_request_waiting(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, polling = threading.Event(), threading.Semaphore(0)

    def poll(_room: object, _request: object) -> Iterator[Progress]:
        polling.release()
        provider.wait(30)
        yield Progress(what="a", done=0)

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
        assert told["is"] == "Told"
        assert all(one.result(10) for one in polls)


def test_each_request_has_a_function() -> None:
    desk.load_all()


async def test_a_function_that_can_not_be_imported_is_named_in_the_log(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "load_all", Mock(side_effect=ImportError("half an upgrade")))
    settings = load_settings(config)
    room = desk.Desk(lambda: settings, cast("Service", None))
    with capture_logs() as lines:
        room.load()
        await room.close()
    (line,) = lines
    assert (line["event"], line["activity"]) == ("activity_failed", "functions of the admin room")
    assert line["error"] == "ImportError('half an upgrade')"
