"""Reads durations, sizes and times of the day: `5 min`, `50 MiB`, `02:00`. A number without a unit is refused."""

import re

from relay.rules.moments import UNITS

_WRITTEN = re.compile(r"([0-9]{1,12})\s*([A-Za-z]+)")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")

_SECOND, _MINUTE, _HOUR, _DAY = (UNITS[name] for name in ("s", "min", "h", "day"))
_TIMES = {"ms": 1, **UNITS}
_SIZES = {
    "b": 1,
    "bytes": 1,
    **{f"{prefix}b": 1000**n for n, prefix in enumerate(("k", "m", "g"), 1)},
    **{f"{prefix}ib": 1024**n for n, prefix in enumerate(("k", "m", "g"), 1)},
}


def parse_duration(value: object) -> int:
    """Read a duration (`90 s`, `5 min`, `1 h`, `3 days`) in milliseconds. Raises ValueError with a reason."""
    return _parse(
        value, _TIMES, least=_SECOND, most=10 * 366 * _DAY, limits="1 s to 10 years", like='"90 s", "5 min", "3 days"'
    )


def parse_size(value: object) -> int:
    """Read a size (`256 KiB`, `50 MiB`, `10 MB`) in octets. Raises ValueError with a reason."""
    return _parse(
        value, _SIZES, least=1024, most=1024**4, limits="1 KiB to 1024 GiB", like='"256 KiB", "50 MiB", "10 MB"'
    )


def parse_clock(value: object) -> int:
    """Read a time of the day (`02:00`) in milliseconds since midnight. Raises ValueError with a reason."""
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a time of the day in quotes, such as "02:00"')
    hour, minute = int(match[1]), int(match[2])
    if hour > 23 or minute > 59:
        raise ValueError('must be "00:00" to "23:59"')
    return hour * _HOUR + minute * _MINUTE


def _parse(value: object, units: dict[str, int], *, least: int, most: int, limits: str, like: str) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"a number without a unit: must be like {like}")  # noqa: TRY004 - an error of the file, not of the code
    match = _WRITTEN.fullmatch(value.strip()) if isinstance(value, str) else None
    unit = units.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise ValueError(f"must be like {like}")
    amount = int(match[1]) * unit
    if not least <= amount <= most:
        raise ValueError(f"must be {limits}")
    return amount
