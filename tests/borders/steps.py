"""How many steps a call takes: the lines of Python that it runs. Seconds would say more of the machine than of it.

What the interpreter does in C within a line, such as matching an expression, is no step; that it does not stall is held
by a bound on the processor's time, which is coarse.
"""

import itertools
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

STALL = 3.0
"""Seconds of this process that a single input may take, however large: a machine that is busy takes no part in it.

What takes 2 us for each of 128 Ki octets, as a header of nothing but line feeds does, needs 0.3 to 1 s, by the machine;
what looks back at all octets before each of them, at a nanosecond each, 8 s and more.
"""
_GROWTH = 2.4
"""How many times the steps may grow where the input is doubled."""
_FEW = 2_000
"""Steps that are no matter."""


def count_steps(work: Callable[[], object]) -> int:
    """Count the lines that a call runs."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:  # noqa: ANN401 - itself
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def grows_in_line(function: Callable[[bytes], object], build: Callable[[int], bytes], size: int) -> str:
    """Double an input twice, and say how the steps grew where they grew by more than the input did; else empty."""
    inputs = [build(n) for n in (size, size * 2, size * 4)]
    counts = [count_steps(partial(function, data)) for data in inputs]
    bad = any(after > _FEW and after > before * _GROWTH for before, after in itertools.pairwise(counts))
    return f"{counts} steps" if bad else ""


def stalls(function: Callable[[bytes], object], data: bytes) -> str:
    """Run a call once, and say so where it takes this process longer than STALL; else empty."""
    begun = time.process_time()
    function(data)
    took = time.process_time() - begun
    return f"{took:.1f} s for {len(data)} octets" if took > STALL else ""
