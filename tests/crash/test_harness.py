"""The shorter form of `make crash`: random moments, and each named point."""

from pathlib import Path

import pytest

from tests.crash import faults
from tests.crash.harness import STOPPED, crash
from tests.crash.points import NAMES
from tests.storage.conftest import empty_postgresql
from tests.storage.conftest import postgresql as postgresql  # noqa: PLC0414 - a fixture

pytestmark = [pytest.mark.peer, pytest.mark.timeout(480)]


def test_nothing_that_was_accepted_is_lost_and_every_possible_duplicate_is_named(tmp_path: Path) -> None:
    report = crash(tmp_path, kills=(len(NAMES) * 3 + 1) // 2, seed=28, most_faults=8)
    assert report.accepted > 100
    assert report.bounced > 0
    assert report.deferred > 0
    assert report.lost == []
    assert report.copies_lost == []
    assert report.unnamed == []
    assert {place for place, count in report.kills.items() if count} == {"a random moment", *NAMES}, str(report)
    assert report.held > 0
    assert report.silent == []
    assert set(report.faults) == set(faults.NAMES)
    assert all(report.faults.values())


def test_nothing_is_lost_by_two_nodes_on_postgresql_either(tmp_path: Path, postgresql: str) -> None:
    report = crash(tmp_path, kills=7, seed=3, database=empty_postgresql(postgresql), nodes=2, most_faults=8)
    assert report.accepted > 20
    assert report.lost == []
    assert report.copies_lost == []
    assert report.unnamed == []
    assert report.silent == []
    assert sum(report.kills.values()) == 7
    assert set(report.faults) == {*faults.NAMES, STOPPED}
    assert all(report.faults.values())
