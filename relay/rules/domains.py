"""Domains as people write them: `müller.example` for `xn--mller-kva.example`, where that can mislead nobody.

A label whose letters are of one alphabet other than Latin is shown with its A-label behind it, since letters of two
alphabets may look alike; one that mixes alphabets, or that IDNA refuses, is shown as its A-label alone.
"""

import functools
import unicodedata
from typing import Final

import idna

_ACE: Final = "xn--"
_LONGEST: Final = 253
_LATIN_END: Final = 0x17F
"""Latin-1 and Latin Extended-A: the letters of Europe's languages; what stands behind it holds many that look alike."""
_LOOK_ALIKE: Final = frozenset("\u0131\u0138\u0149\u017f\u00b7\u0140\u00fe\u00f0")
"""Of these few are known in Germany, or they look like another letter or a dot."""


def readable_address(address: str) -> str:
    """Give an addr-spec with its domain as people write it; anything else stays as it is. Never raises."""
    local, at, domain = address.rpartition("@")
    return f"{local}@{readable_domain(domain)}" if at else address


@functools.lru_cache(maxsize=4096)
def readable_domain(domain: str) -> str:
    """Give a domain, in A-labels or not, as people write it, where that is safe; else as A-labels. Never raises."""
    if len(domain) > _LONGEST or domain.startswith("[") or (domain.isascii() and _ACE not in domain.lower()):
        return domain
    labels = domain.lower().split(".")
    shown, foreign = [], False
    for label in labels:
        wire, text = _both(label)
        alphabet = _alphabet(text)
        foreign = foreign or alphabet not in ("", "LATIN")
        shown.append(wire if alphabet is None else text)
    if not foreign:
        return ".".join(shown)
    wires = ".".join(_both(label)[0] for label in labels)
    return wires if ".".join(shown) == wires else f"{'.'.join(shown)} ({wires})"


def _both(label: str) -> tuple[str, str]:
    """Give a label as A-label and as U-label; where it is none of both, as it is."""
    try:
        if label.startswith(_ACE):
            text = idna.decode(label)
            return label, text if idna.encode(text).decode("ascii") == label else label
        return (label, label) if label.isascii() else (idna.encode(label, uts46=True).decode("ascii"), label)
    except (idna.IDNAError, UnicodeError):
        return label, label


def _alphabet(text: str) -> str | None:
    """Give the one alphabet of a label's letters, "" where it is ASCII; None where it mixes some, or is unsafe."""
    if text.isascii():
        return ""
    alphabets = set()
    for letter in text:
        category = unicodedata.category(letter)
        if letter.isascii() and not letter.isalpha():
            continue
        if category[0] not in "LMN":
            return None
        alphabet = unicodedata.name(letter, "?").split(" ")[0]
        if alphabet == "LATIN" and (ord(letter) > _LATIN_END or letter in _LOOK_ALIKE):
            return None
        alphabets.add(alphabet)
    return alphabets.pop() if len(alphabets) == 1 else None
