"""Whose address other programs may read in a From or Sender that we read in another way, or not at all.

Programs do not agree on what a broken address field holds: one drops a control character, a blank that can't be seen or
a backslash, another decodes an encoded word where none may stand, joins what a fold has parted, takes one of two `@`.
None of that is guessed at. Each `@` outside of comments and of names (closed quoted strings, and encoded words, beside
an address) is looked at with all of it undone at once, and what stands around it is compared with the addresses in
question, letters in either case: so this is no parser that finds addresses, and what it finds is nobody's unless it
equals one of those.

Linear: one pass for each step, and before and behind an `@` no more than an address has room for.
"""

import itertools
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import idna

from relay.model.address import Address
from relay.rules.address import check_domain
from relay.rules.charsets import decode_word

_JOINT: Final = "\0"
"""Stands where something was that programs drop, or take for a blank: both readings count."""
_HIDDEN_AT: Final = "\ud800"
"""An `@` within an encoded word or a quoted string."""
_UNREAD: Final = "\ud801"
"""An encoded word that can't be decoded."""
_EDGE: Final = "\ud802"
"""Where an encoded word begins and ends."""
_ASIDE: Final = "\ud803"
"""Where what is left of a comment with comments in it begins and ends. No octets are decoded to one of these four."""
_EDGES: Final = str.maketrans(dict.fromkeys((_EDGE, _ASIDE), _JOINT))
_ASIDES: Final = re.compile("\ud803[^\ud803]*\ud803")
_MARKS: Final = re.compile(r'\\.|["()]', re.DOTALL)
_WORD: Final = re.compile(r"=[\0>]?\?([^?*]{0,80})(?:\*[^?]{0,80})?\?[\0>]?([bBqQ])[\0>]?\?([^?]*)\?[\0>]?=")
_WHOLE_WORD: Final = re.compile(r"=\?[^?]{0,80}\?[bBqQ]\?[^?]*\?=")
_QUOTES: Final = re.compile(r'["()]')
_NO_WORD: Final = re.compile(r"[ \0,;:<>]")
_BETWEEN_WORDS: Final = re.compile(r"\?=[ \t\r\n]+(?==\?)")
_FOLDS: Final = re.compile(r"[ \t\r\n]+")
_FOLD: Final = re.compile(r"[\r\n]")
_TERMINAL: Final = re.compile(r"\x1b\[[0-9;?]*+[A-Za-z]")
"""What a terminal obeys."""
_BLANKS: Final = re.compile(r"[ \0]+")
_ATS: Final = re.compile(r"@[@.< \0]*")
_DOTS: Final = re.compile(r"\.{2,}")
_SEPARATORS: Final = re.compile("[<>,;:]")
_WITHIN_QUOTES: Final = re.compile(r"[\s<>,;:]")
_DECORATION: Final = "'`{}|*~^!?=/$%&#"
"""What may stand around an address and is no part of it, though an atom may hold it."""
_DOMAIN: Final = re.compile(r"[A-Za-z0-9_.\-\0\x80-\U0010ffff]*+")
_MEMBER: Final = re.compile("(?<![^,;:])[^,;:\ud800\ud801]*+[\ud800\ud801][^,;:]*+")
"""A member of a list with something hidden in it, or not read."""
_DOMAIN_ALONE: Final = re.compile(r"[ \0]*+([A-Za-z0-9_.\-\x80-\ud7ff\ue000-\U0010ffff]++)[ \0]*+(>[^@]*+)?")
"""A domain, or what is left of an address literal, and what is behind its bracket."""
_ROUTE: Final = re.compile(r"<[ \0]*+@[^@<,;:]*+(?>(?:,[ \0]*+@[^@<,;:]*+)*):")
_MASKED_ROUTE: Final = re.compile(r"<(?>(?:[ \0]*+@[^@<]*+<)+)")
_AT_AND_DOTS: Final = {0xFF20: "@", 0xFE6B: "@", 0x3002: ".", 0xFF0E: ".", 0xFF61: ".", 0x2024: "."}
_FILLERS: Final = frozenset({0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810),
                             *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)})  # fmt: skip
"""Letters and marks that can't be seen."""
_LONGEST_LOCAL: Final = 64
_LONGEST_DOMAIN: Final = 255


def find_disguised(values: Sequence[bytes], addresses: Collection[Address]) -> Iterator[Address | None]:
    """Give those of some addresses that may be read in fields, and None for an `@` beside what nobody can decode."""
    known: dict[str, list[tuple[frozenset[str], Address]]] = {}
    for address in addresses:
        local, _, domain = address.key.rpartition("@")
        known.setdefault(local, []).append((frozenset({domain, _spell(domain)}), address))
    if not known:
        return
    for value in values:
        for reading in _readings(value.decode("utf-8", "surrogateescape")):
            for left, right, joined in _around(reading):
                if _UNREAD in left or _UNREAD in right:
                    yield None
                yield from _compare(left, joined, known)


def _readings(text: str) -> Iterator[str]:
    """Give what stands outside of quoted strings and comments, in each way to find these."""
    bare, escaped = _without_quotes(text)
    yield bare
    if escaped:  # not all programs read a quote behind a backslash as none
        yield text
    atoms = _WHOLE_WORD.sub(lambda found: _QUOTES.sub(_JOINT, found[0]), text)
    if atoms != text:  # nor one within an encoded word
        yield _without_quotes(atoms)[0]


def _compare(left: str, right: str, known: dict[str, list[tuple[frozenset[str], Address]]]) -> Iterator[Address]:
    """Compare what stands before an `@` and behind it, each beginning and end that it may have."""
    found = known.keys() & set(_grow(reversed(left.split(_JOINT)), _LONGEST_LOCAL, before=True))
    if found:
        forms = {right, right.translate(_MAPPED)}
        domains = {one for form in forms for one in _grow(form.split(_JOINT), _LONGEST_DOMAIN, before=False)}
        yield from (address for local in found for keys, address in known[local] if keys & domains)


def _grow(pieces: Iterator[str] | Sequence[str], most: int, *, before: bool) -> Iterator[str]:
    """Give the first piece, the first two joined, and so on, as they are compared."""
    joined = ""
    for piece in pieces:
        plain = piece.strip(_DECORATION)
        if not plain:
            continue
        joined = _DOTS.sub(".", plain + joined if before else joined + plain)
        if len(joined) > most:
            return
        yield unicodedata.normalize("NFC", joined.strip(".")).lower()


def _spell(domain: str) -> str:
    """Give a domain of A-labels as people read it."""
    try:
        return idna.decode(domain)
    except idna.IDNAError:
        return domain.strip("[]")


def _around(text: str) -> Iterator[tuple[str, str, str]]:
    """Give what stands before each `@`, from the last blank on, and behind it, up to the next one.

    What is behind it comes twice: blanks end it, and are joints in it, for some programs drop them there.
    """
    plain = _FOLDS.sub(lambda found: _JOINT if _FOLD.search(found[0]) else " ", _TERMINAL.sub(_JOINT, text))
    plain = _decode(_BETWEEN_WORDS.sub("?=", plain).translate(_CHARACTERS))
    plain = plain.replace(">", _JOINT)
    plain = _BLANKS.sub(lambda found: " " if " " in found[0] else _JOINT, plain)
    plain = plain.replace(" .", "\0.").replace(". ", ".\0").replace(" @", "@")
    parts = _ATS.sub("@", plain).split("@")
    for before, behind in itertools.pairwise(parts):
        left = re.split(r"[ <,;:]", before)[-1]
        right = behind.lstrip(_DECORATION)
        yield left, _find_domain(right), _find_domain(right.replace(" ", _JOINT))


def _find_domain(text: str) -> str:
    found = _DOMAIN.match(text)
    return found[0] if found is not None else ""


def _decode(text: str) -> str:
    """Decode encoded words. They and quoted strings are names only in a member of the list that has an address.

    In any other one an `@` within them counts, and what can't be decoded may hold one.
    """
    decoded = _WORD.sub(_read_word, text)
    if _HIDDEN_AT not in decoded and _UNREAD not in decoded:
        return decoded.translate(_EDGES)
    masked = _ROUTE.sub(lambda found: re.sub("[,:]", "<", found[0]), decoded)
    return _MEMBER.sub(_read_member, masked).translate(_EDGES)


def _read_member(found: re.Match[str]) -> str:
    if _has_address(found[0]):
        return found[0].replace(_HIDDEN_AT, " ")
    return found[0].replace(_HIDDEN_AT, "@").replace(_UNREAD, f"{_UNREAD}@")


def _has_address(member: str) -> bool:
    """Tell whether a member of a list has an address beside what may be its name."""
    before, _, behind = _MASKED_ROUTE.sub("<", _ASIDES.sub(_JOINT, member)).partition("@")
    local = re.split("[ <]", before.rstrip(" \0"))[-1].strip(_JOINT)
    found = _DOMAIN_ALONE.fullmatch(re.sub(" +", " ", behind).replace(" .", ".").replace(". ", "."))
    if (
        found is None
        or (found[2] and "<" not in before)
        or not 0 < len(local) <= _LONGEST_LOCAL
        or _JOINT in local
        or _HIDDEN_AT in local
    ):
        return False
    try:
        return bool(check_domain(found[1]))
    except ValueError:
        return False


def _read_word(found: re.Match[str]) -> str:
    charset, encoding, content = found.groups()
    content = content.replace(_HIDDEN_AT, "@")
    if "@" in content and _NO_WORD.search(content):
        return found[0]
    word = decode_word(charset, encoding, content)
    if word is None:
        return f"{_EDGE}{_UNREAD}{_EDGE}"
    plain = re.sub(r"[,;:<]", " ", word.translate(_CHARACTERS))
    return f"{_EDGE}{plain.replace('>', _JOINT).replace('@', _HIDDEN_AT)}{_EDGE}"


def _without_quotes(text: str) -> tuple[str, bool]:
    """Leave out comments, and give quoted strings as atoms; say whether a backslash may take one away.

    What has no end stays. Of comments within comments only the innermost go: not every program knows that they nest.
    """
    kept: list[str] = []
    begun, at, depth, escaped, last = -1, 0, 0, False, ""
    for mark in _MARKS.finditer(text):
        sign = mark[0]
        if sign.startswith("\\"):
            escaped = escaped or (begun < 0 and sign[1] in '"()')
            continue
        if begun < 0 and sign != ")":
            kept.append(text[at : mark.start()])
            begun, depth = mark.start(), int(sign == "(")
        elif depth and sign != '"':
            aside = f"{_ASIDE}{_SEPARATORS.sub(_JOINT, text[at : mark.start()])}{_ASIDE}"
            kept.append(_JOINT if last + sign == "()" else aside)
            depth += 1 if sign == "(" else -1
            begun = begun if depth else -1
        elif begun >= 0 and not depth and sign == '"':
            kept.append(_unquote(text[at : mark.start()]))
            begun = -1
        else:
            continue
        at, last = mark.end(), sign
    kept.append(text[at if begun < 0 else begun :])
    return _JOINT.join(kept), escaped


def _unquote(content: str) -> str:
    """Give what a quoted string says, as one atom, or where it holds an `@` as words."""
    if "@" in content:
        return _WITHIN_QUOTES.sub(" ", content).replace("@", _HIDDEN_AT)
    return _WITHIN_QUOTES.sub("?", content.strip())


class _Mapped(dict[int, str]):
    """What a character becomes in a domain (UTS 46); one that is not allowed there stays."""

    def __missing__(self, code: int) -> str:
        try:
            mapped = idna.uts46_remap(chr(code), std3_rules=False)
        except idna.IDNAError:
            mapped = chr(code)
        return mapped  # not kept: there are a million characters


_MAPPED: Final = _Mapped({code: chr(code).lower() for code in range(0x80)})
_ = _MAPPED[0xE4]  # the table of idna is read now, not while the first mail waits


class _Characters(dict[int, str]):
    """What becomes of each character: a joint where programs differ in whether it is there."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if code in _AT_AND_DOTS:
            return _AT_AND_DOTS[code]
        if unicodedata.category(char)[0] == "S" and _MAPPED[code].isalnum():
            return f"{_JOINT}{char}{_JOINT}"  # in a domain it stands for letters
        return char if unicodedata.category(char)[0] in "LMN" and code not in _FILLERS else _JOINT


_CHARACTERS: Final = _Characters(
    {code: chr(code) for code in (*range(0x80), ord(_HIDDEN_AT), ord(_ASIDE))}
    | dict.fromkeys([*range(0x20), 0x7F, *map(ord, '\\()[]"')], _JOINT)
    | {9: " "}
)
