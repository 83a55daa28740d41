import asyncio
from pathlib import Path

import pytest

from tests.cli.conftest import Run, hand_in, serve


def test_a_long_list_comes_in_pages(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = asyncio.run(hand_in(config, ["x"] * 5))
    monkeypatch.setattr("relay.admin.mails.PAGE", 2)
    with serve(config):
        assert [mail["queue_id"] for mail in run("queue", "list", "--json").json] == ids[::-1]
        assert [mail["queue_id"] for mail in run("queue", "list", "--json", "--limit", "3").json] == ids[:1:-1]
        assert run("queue", "list", "--limit", "3").out.count("(the newest 3; --limit shows more)") == 1
