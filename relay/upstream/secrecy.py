"""Hides an account's secret that its server repeats, so that no log, trace, notice or command shows it.

Guarantee: each reply passes through the connection's `Veil` once, as the bytes that came in, before it is decoded, cut
or stored. If it holds the secret in any form in which we sent it, none of the reply's words are shown: with stars in
place of the secret alone, its length and place would still be known.
"""

import base64
import re
from collections.abc import Sequence
from typing import Final

WITHHELD: Final = b"(withheld: the server repeats the account's password)"
_DISTINCT: Final = 6
"""Octets. A shorter secret could be part of any word by chance, so it is only looked for as a whole word."""
_RUN: Final = 24
"""Octets of a long secret, in any form, which are not shown either: servers like to cut what they repeat."""
_LONG: Final = 2 * _RUN
"""Octets of a form from which on a run of it is looked for; below, half of it is."""
_BLOCK: Final = _RUN // 2
"""Octets: each run holds one of the blocks that a form consists of."""
_BLANKS: Final = bytes([*range(33), 127])
"""White space and control characters."""
_ENHANCED: Final = re.compile(rb"\A[245]\.\d{1,3}\.\d{1,3}(?=[ \t]|$)")


class Veil:
    """Knows the forms in which one account's secret may come back; upper and lower case are the same."""

    __slots__ = ("_anywhere", "_blocks", "_parts", "_tight", "_words")

    def __init__(self, username: str | None, password: str | None) -> None:
        self._parts = {form.lower() for form in _parts_of_base64(password)} if password else set()
        forms = {form.lower() for form in _forms(username or "", password)} if password else set()
        forms |= self._parts
        self._anywhere = tuple(form for form in forms if len(form) >= _DISTINCT)
        self._tight = tuple(form for form in map(_tighten, self._anywhere) if len(form) >= _DISTINCT)
        short = [re.escape(form) for form in forms if len(form) < _DISTINCT]
        self._blocks = _blocks_of(password) if password else {}
        self._words = re.compile(rb"(?<!\w)(?:%s)(?!\w)" % b"|".join(short)) if short else None

    def hides(self, said: bytes) -> bool:
        """Return whether a server's words hold the secret, even with white space inserted into it."""
        lowered = said.lower()
        for form in self._anywhere:
            if form in lowered:
                return True
        return (self._words is not None and self._words.search(lowered) is not None) or self._is_parted((said,))

    def cover(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        """Return the texts of a reply's lines as they may be shown.

        An enhanced status code (RFC 2034) at the beginning stays, unless it may be the secret or a part of it. A secret
        of six octets or more is also found if line ends or white space are inserted into it.
        """
        if not (self.hides(b" ".join(lines)) or self._is_parted(lines)):
            return lines
        enhanced = _ENHANCED.match(lines[0])
        if enhanced is None or self._touches(enhanced[0], [lines[0][enhanced.end() :], *lines[1:]]):
            return (WITHHELD,)
        return (enhanced[0] + b" " + WITHHELD,)

    def _touches(self, code: bytes, rest: Sequence[bytes]) -> bool:
        """Return whether the secret may be in an enhanced code, contain it, or reach into it."""
        if self.hides(code) or any(code in form for form in self._anywhere):
            return True
        return not (self.hides(b" ".join(rest)) or self._is_parted(rest))

    def _is_parted(self, lines: Sequence[bytes]) -> bool:
        said = b"".join(_tighten(_ENHANCED.sub(b"", line.lstrip())) for line in lines).lower()
        return any(form in said for form in self._tight) or self._holds_run(said)

    def _holds_run(self, said: bytes) -> bool:
        """Return whether a run of a long secret is in what a server said, without blanks and in lower case."""
        if not self._blocks:
            return False
        for at in range(len(said) - _BLOCK + 1):
            for form, start in self._blocks.get(said[at : at + _BLOCK], ()):
                near = said[max(at - _BLOCK, 0) : at + _RUN]
                firsts = range(max(start - _BLOCK, 0), min(start, len(form) - _RUN) + 1)
                if any(form[first : first + _RUN] in near for first in firsts):
                    return True
        return False

    def cover_id(self, unique_id: bytes) -> bytes:
        """Return a message's unique id with the secret replaced by stars.

        Only a secret of six octets or more is looked for: a shorter one may be a number that ids hold by chance, and an
        id that changes with the secret would stand for another message.
        """
        lowered = unique_id.lower()
        found = [form for form in self._anywhere if form in lowered]
        if not found:
            return unique_id
        pattern = b"|".join(re.escape(form) for form in sorted(found, key=len, reverse=True))
        if not self._parts.isdisjoint(found):
            pattern = b"(?:%s)[A-Za-z0-9+/=]*" % pattern  # what follows half of a token is its other half
        return re.sub(pattern, b"***", unique_id, flags=re.IGNORECASE)


def _tighten(text: bytes) -> bytes:
    return text.translate(None, _BLANKS)


def _forms(username: str, password: str) -> set[bytes]:
    """Return the secret as it is, in Latin-1, in hexadecimal, and in base64, alone and as SASL PLAIN sends it."""
    raw = password.encode("utf-8", "surrogateescape")
    token = b"\0" + username.encode("utf-8", "surrogateescape") + b"\0" + raw
    forms = {raw, raw.hex().encode(), *(base64.b64encode(sent).rstrip(b"=") for sent in (token, raw))}
    if all(ord(char) < 256 for char in password):
        forms.add(password.encode("latin-1"))
    return forms


def _parts_of_base64(password: str) -> set[bytes]:
    """Return how a secret of six octets or more appears inside of base64, at each of the three alignments."""
    raw = password.encode("utf-8", "surrogateescape")
    return {_within_base64(raw, shift) for shift in range(3)} if len(raw) >= _DISTINCT else set()


def _blocks_of(password: str) -> dict[bytes, list[tuple[bytes, int]]]:
    """Return the blocks of each form of a long secret, with the form and the block's place in it."""
    raw = password.encode("utf-8", "surrogateescape")
    found: dict[bytes, list[tuple[bytes, int]]] = {}
    if len(raw) < _RUN:
        return found
    for form in {_tighten(raw), raw.hex().encode(), *(_decided(raw, shift) for shift in range(3))}:
        lowered = form.lower()
        for start in range(0, len(lowered) - _BLOCK + 1 if len(lowered) >= _LONG else 0, _BLOCK):
            found.setdefault(lowered[start : start + _BLOCK], []).append((lowered, start))
    return found


def _within_base64(raw: bytes, shift: int) -> bytes:
    """Return the first half of the base64 characters that depend on the secret alone: it suffices."""
    decided = _decided(raw, shift)
    return decided[: max(_DISTINCT, len(decided) // 2)]


def _decided(raw: bytes, shift: int) -> bytes:
    """Return the base64 characters that depend on the secret alone after `shift` other octets."""
    first, last = -(-8 * shift // 6), 8 * (shift + len(raw)) // 6
    return base64.b64encode(b"\0" * shift + raw)[first:last]
