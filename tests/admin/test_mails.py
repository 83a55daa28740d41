"""Lists come in pages, and tell what keeps accounts from sending."""

import asyncio
from pathlib import Path

import pytest

from relay.admin.mails import find_standstill
from relay.cli.alone import open_room
from relay.rules.hours import day_of
from tests.cli.conftest import Run, change, hand_in, serve
from tests.peers.relay_process import ANNA, make_account, write_config


def test_a_long_list_comes_in_pages(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = asyncio.run(hand_in(config, ["x"] * 5))
    monkeypatch.setattr("relay.admin.mails.PAGE", 2)
    with serve(config):
        assert [mail["queue_id"] for mail in run("queue", "list", "--json").json] == ids[::-1]
        assert [mail["queue_id"] for mail in run("queue", "list", "--json", "--limit", "3").json] == ids[:1:-1]
        assert run("queue", "list", "--limit", "3").out.count("(the newest 3; --limit shows more)") == 1


def test_what_keeps_accounts_from_sending_is_found(run: Run, config: Path, queued: list[str]) -> None:
    accounts = [
        make_account("sales", 9, smtp={"recipients_per_day": 2}),
        make_account("shut", 9, address="shut@example.com"),
        make_account("old", 9, address="old@example.com", excluded=True),
    ]
    write_config(config.parent, accounts=accounts, users=[ANNA])
    room = open_room(str(config))
    settings, now = room.settings, room.now
    found = find_standstill(room)
    assert (found.refused, found.paused, found.full, found.closed_until) == ([], [], {}, None)
    assert found.sends == ["sales", "shut"]
    change(config, "INSERT INTO counter VALUES ('sales', ?, 2)", day_of(settings.hours, now))
    change(
        config,
        "INSERT INTO pause (account, since, reason, by_person, probes, fingerprint) VALUES ('shut', 1, 'x', 0, 0, '')",
    )
    found = find_standstill(room)
    assert found.refused == ["shut"]
    assert found.full["sales"] > now
    listed = run("queue", "list").out
    assert "waits for tomorrow" in listed
    assert "Account sales has had its recipients of the day: it goes on at " in listed
    assert queued
