"""Figures of several rounds become a Markdown table: pure."""

import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Figures = Mapping[str, float]
"""What one round gave: a name with its unit, such as `accepted, mails/s`, and the value."""


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the smallest value that is not exceeded by so many per cent of them. Raises ValueError if there are none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


def rate(events: Sequence[Mapping[str, Any]]) -> float:
    """Give how many of these lines of the log came a second, from the first to the last of them."""
    moments = [datetime.fromisoformat(line["timestamp"]) for line in events]
    return (len(moments) - 1) / (max(moments) - min(moments)).total_seconds()


def show(value: float) -> str:
    """Write a value with about three digits."""
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}"


def spread(values: Sequence[float]) -> str:
    """Write the median, and the lowest and highest of several rounds."""
    median = show(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({show(min(values))} to {show(max(values))})"


def tabulate(found: Mapping[str, Sequence[Figures]]) -> str:
    """Write a table of two sides: a row for each figure with both medians, both ranges and the ratio of the medians.

    A figure that one of the two does not have is a dash.
    """
    (name_of_ours, ours), (name_of_theirs, theirs) = found.items()
    rows = "".join(f"| {name} | {_row(name, ours, theirs)} |\n" for name in _names(ours, theirs))
    both = f"{name_of_ours} | {name_of_theirs}"
    return f"| | {both} | {both.replace(' | ', ' / ')} |\n|---|---|---|---|\n{rows}"


def _names(*sides: Sequence[Figures]) -> list[str]:
    return list(dict.fromkeys(name for rounds in sides for figures in rounds for name in figures))


def _row(name: str, ours: Sequence[Figures], theirs: Sequence[Figures]) -> str:
    a, b = ([figures[name] for figures in rounds if name in figures] for rounds in (ours, theirs))
    ratio = f"{statistics.median(a) / statistics.median(b):.2f}" if a and b and statistics.median(b) else "-"
    return " | ".join((spread(a) if a else "-", spread(b) if b else "-", ratio))
