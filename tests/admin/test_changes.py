import asyncio
import itertools
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from relay.model.errors import StorageError
from relay.storage import commands
from relay.storage.commands import Done
from tests.cli.conftest import Run, hand_in, serve


def test_many_are_changed_in_steps_and_each_is_one(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(hand_in(config, ["x"] * 5))
    monkeypatch.setattr("relay.storage.commands.STEP", 2)
    monkeypatch.setattr("relay.admin.mails.CHOSEN_PAGE", 3)
    with serve(config):
        assert run("queue", "hold", "--all", "--yes").out == "5 mails held\n"
    with sqlite3.connect(config.parent / "relay.db") as database:
        assert database.execute("SELECT count(*) FROM delivery WHERE state = 'held'").fetchone() == (5,)


def test_a_fault_in_a_step_leaves_those_before_it_and_they_are_logged(
    run: Run, config: Path, queued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with config.open("a") as stream:
        stream.write('\n[log]\nfile = "relay.log"\n')
    monkeypatch.setattr("relay.storage.commands.STEP", 1)
    hold, before = commands.hold, itertools.count()

    def break_down(*args: Any, **more: Any) -> Done:  # noqa: ANN401 - as they come
        if next(before):
            raise StorageError("the disk fails")
        return hold(*args, **more)

    monkeypatch.setattr(commands, "hold", break_down)
    said = run("queue", "hold", *queued)
    assert (said.status, said.err) == (1, "the disk fails\n")
    (line,) = map(json.loads, (config.parent / "relay.log").read_text().splitlines())
    assert (line["event"], line["count"], line["queue_ids"]) == ("admin_action", 1, queued[:1])
    with sqlite3.connect(config.parent / "relay.db") as database:
        assert database.execute("SELECT count(*) FROM delivery WHERE state = 'held'").fetchone() == (1,)
