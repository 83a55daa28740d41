"""Fuzz for a while: `python -m tests.fuzz.run --minutes 10 --only header` is a part of `make fuzz`.

Each target gets inputs by hypothesis, built from runs; the first one that breaks what must hold is made small and
printed, and the status is 1. What is found belongs into the tests of the module that was wrong.
"""

import argparse
import itertools
import os
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.targets import TARGETS, Target

_AT_A_TIME = 20
"""Inputs between two looks at the clock."""


def fuzz(target: Target, *, examples: int, number: int, check: Callable[[Any], None], shrink: bool = False) -> None:
    """Give a target so many inputs, which follow from a number. Raises what it raises, with the input.

    To `shrink` an input that stalls takes as many stalls as there are smaller ones.
    """
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

    @seed(number)
    @settings(
        max_examples=examples, phases=phases, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(target.inputs)
    def once(value: Any) -> None:  # noqa: ANN401 - what the target takes
        check(value)

    once()


def main() -> None:
    """Fuzz each target for so long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", choices=sorted(TARGETS), action="append")
    parser.add_argument("--shrink", action="store_true", help="make what is found as small as it can be")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    chosen = parser.parse_args()
    for name in chosen.only or sorted(TARGETS):
        target, count = TARGETS[name], 0
        ends = time.monotonic() + chosen.minutes * 60
        print(f"{name}: {chosen.minutes:g} minutes from seed {chosen.seed}", flush=True)
        with target.open() as check:
            for number in itertools.count(chosen.seed):
                if time.monotonic() > ends:
                    break
                fuzz(target, examples=_AT_A_TIME, number=number, check=check, shrink=chosen.shrink)
                count += _AT_A_TIME
        print(f"{name}: {count:,} inputs, nothing found", flush=True)


if __name__ == "__main__":
    main()
