"""Each target of `make fuzz` gets a few inputs, so that none of them rots."""

import pytest

from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_few_hostile_inputs_break_nothing(name: str) -> None:
    target = TARGETS[name]
    with target.open() as check:
        fuzz(target, examples=40, number=7, check=check)
