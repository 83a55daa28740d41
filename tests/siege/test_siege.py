"""The shorter form of `make siege`: fewer headers and commands, smaller bodies; the bound is one against a stall."""

from pathlib import Path

import pytest

from tests.siege.inputs import HEADER, MIB
from tests.siege.siege import Siege, besiege

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

STALL = 2.0
"""Seconds; on a machine that has nothing else to do it is less than 0.1."""


def test_no_input_makes_another_session_wait(tmp_path: Path) -> None:
    with Siege(tmp_path) as siege:
        waits = [*besiege(siege, header=HEADER, body=4 * MIB, reply=2 * MIB, every=61)]
    assert len(waits) > 120
    stalls = [str(wait) for wait in waits if wait.longest > STALL]
    assert not stalls, "\n".join(stalls)
