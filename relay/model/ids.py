"""Ids that sort by time: UUIDv7 (RFC 9562 section 5.7) in 26 characters of Crockford's base 32, lower case."""

import os
import random
import re

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PATTERN = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")
_RANDOM_BYTES = 10
COPY_DIGITS = 3
"""How many characters at the end differ between the copies of one mail."""
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_SHIFTS = tuple(range(120, -1, -10))
# Ids are no secrets: nobody gets at anything by guessing one. The kernel's random numbers would give up the
# interpreter's lock for each, and get it back late where the writer's thread is busy.
_random = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=_random.seed)


def new_id(milliseconds: int) -> str:
    """Make an id that nobody else makes, from a time (milliseconds since 1970, UTC). Ids sort by their times."""
    return make_id(milliseconds, _random.randbytes(_RANDOM_BYTES))


def new_token() -> str:
    """Make the token of a claim, which nobody else makes."""
    return f"{_random.getrandbits(80):020x}"


def make_id(milliseconds: int, random: bytes) -> str:
    """Make an id from a time (milliseconds since 1970, UTC) and 10 random bytes."""
    if len(random) != _RANDOM_BYTES:
        raise ValueError(f"an id takes {_RANDOM_BYTES} random bytes, not {len(random)}")
    bits = int.from_bytes(random, "big")
    value = (
        (milliseconds & (1 << 48) - 1) << 80
        | 0x7 << 76
        | (bits >> 66 & 0xFFF) << 64
        | 0b10 << 62
        | bits & (1 << 62) - 1
    )
    return "".join([_PAIRS[value >> shift & 1023] for shift in _SHIFTS])


def first_id(milliseconds: int) -> str:
    """Return the id before all those that are made at a moment or later, as a bound for queries."""
    return make_id(max(0, milliseconds), bytes(_RANDOM_BYTES))


def make_copy_ids(milliseconds: int, random: bytes, count: int) -> list[str]:
    """Make ids for up to 32,768 copies of one mail; they differ in their last COPY_DIGITS characters only."""
    if count > len(_ALPHABET) ** COPY_DIGITS:
        raise ValueError(f"a mail has at most {len(_ALPHABET) ** COPY_DIGITS} copies, not {count}")
    mail = make_id(milliseconds, random)[:-COPY_DIGITS]
    return [f"{mail}{_ALPHABET[n >> 10]}{_PAIRS[n & 1023]}" for n in range(count)]


def is_id(text: str) -> bool:
    """Return whether a text has the form of an id."""
    return _PATTERN.fullmatch(text) is not None
