"""The shorter form of `make crash`: random moments, and each named point."""

from pathlib import Path

import pytest

from tests.crash.harness import crash
from tests.crash.points import NAMES

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]


def test_nothing_that_was_accepted_is_lost_and_every_possible_duplicate_is_named(tmp_path: Path) -> None:
    report = crash(tmp_path, kills=2 * len(NAMES), seed=28)
    assert report.accepted > 100
    assert report.bounced > 0
    assert report.lost == []
    assert report.copies_lost == []
    assert report.unnamed == []
    assert {place for place, count in report.kills.items() if count} == {"a random moment", *NAMES}, str(report)
