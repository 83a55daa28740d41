import asyncio
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Run, hand_in, serve


def test_many_are_changed_in_steps_and_each_is_one(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(hand_in(config, ["x"] * 5))
    monkeypatch.setattr("relay.storage.steps.STEP", 2)
    monkeypatch.setattr("relay.admin.choosing.PAGE", 3)
    with serve(config):
        assert run("queue", "hold", "--all", "--yes").out == "5 mails held\n"
    with sqlite3.connect(config.parent / "relay.db") as database:
        assert database.execute("SELECT count(*) FROM delivery WHERE state = 'held'").fetchone() == (5,)
