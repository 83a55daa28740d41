"""A refusal as a reply, in the office's language: German first, then English, ASCII, no line longer than RFC 5321 has.

The reply itself holds both languages; which of them leave is chosen where it is sent, so that nothing that decides
has to know. The log keeps the English one.
"""

import math
import unicodedata
from dataclasses import replace
from typing import Final

from relay.escaping import HARMFUL
from relay.model.address import Address, ascii_domain, quote_local
from relay.model.reply import Reply
from relay.rules.refusal_texts import ADDRESS_FAULTS, OTHER_FAULT, Part, Refused, Sentence

LONGEST_LINE: Final = 512
"""Octets of a reply line with its code and its CRLF (RFC 5321 section 4.5.3.1.5)."""
MOST_LINES: Final = 2
"""Lines of a reply in one language."""
_SHOWN: Final = 100
"""Characters of what a client or the configuration named: the advice behind it must have room."""
_UMLAUTS: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ẞ": "SS", "„": '"', "“": '"'}
)
_UNITS: Final = ((1 << 20, "MiB"), (1 << 10, "KiB"))


def say(part: Part, /, **facts: str | Sentence) -> Sentence:
    """Give a part of a sentence, for another one."""
    return _fill(part.value, facts)


def refuse(kind: Refused, /, **facts: str | Sentence) -> Reply:
    """Give the reply of a refusal. A fact is a text of strangers, which is cleaned and bounded, or a part of ours."""
    words = _fill(kind.words, facts)
    return Reply(code=kind.code, enhanced=kind.enhanced, text=words.english, german=words.german)


def refuse_address(whose: Part, fault: str) -> Reply:
    """Refuse an address of MAIL or RCPT for what `parse_addr_spec` says of it."""
    words = Sentence(fault, ADDRESS_FAULTS.get(fault, OTHER_FAULT))
    reply = refuse(Refused.ADDRESS_FAULT, whose=say(whose), fault=words)
    return replace(reply, enhanced="5.1.7") if whose is Part.SENDER else reply


def refuse_size(size: int | None, *, most: int, by_provider: bool = False) -> Reply:
    """Refuse a mail of more than `most` octets; `size` is None where nobody knows how large it becomes."""
    octets, unit = next((one for one in _UNITS if most >= one[0]), (1, "octets"))
    whole = math.floor(10 * most / octets) / 10
    shown = Sentence(f"{whole:g} {unit}", f"{whole:g} {unit}".replace(".", ",").replace("octets", "Zeichen"))
    if size is None:
        return refuse(Refused.TOO_LARGE, most=shown)
    kind = Refused.PROVIDER_TOO_LARGE if by_provider else Refused.TOO_LARGE_KNOWN
    return refuse(kind, most=shown, size=str(math.ceil(size / octets)))


def show_address(address: Address | None) -> str:
    r"""Write an address in ASCII, shortened where it is long: the domain as A-labels, the rest as `\x{FC}` (RFC 6533).

    No umlaut is spelled out: `mueller@` may be somebody else than `müller@`.
    """
    if address is None:
        return "None"
    domain = address.domain if address.domain.isascii() else ascii_domain(address.domain)
    text = f"{quote_local(address.local)}@{domain}"
    text = "".join(c if c.isascii() else f"\\x{{{ord(c):X}}}" for c in text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 2 :]}"


def speak(reply: Reply, language: str) -> Reply:
    """Give a refusal as it is sent: in English, behind the German where that is the office's language.

    Its lines, at most `MOST_LINES` for each language, are ASCII, and each fits into LONGEST_LINE with its codes.
    """
    texts = (reply.german, reply.text) if reply.german and language == "de" else (reply.text,)
    room = LONGEST_LINE - len(f"{reply.code}- \r\n") - len(reply.enhanced)
    return replace(reply, text="\n".join(line for text in texts for line in _fold(text, room)), german="")


def write_lines(reply: Reply) -> list[str]:
    """Give the lines of a reply, without their line ends (RFC 5321 section 4.2.1)."""
    lines = reply.text.split("\n")
    last = len(lines) - 1
    return [f"{reply.code}{'-' if n < last else ' '}{reply.enhanced} {line}" for n, line in enumerate(lines)]


def to_ascii(text: str) -> str:
    """Spell a text in printable ASCII: umlauts as two letters, other accents left out, what can't be as `?`."""
    if text.isascii() and text.isprintable():
        return text
    spelled = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).translate(_UMLAUTS))
    kept = "".join(c for c in spelled if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in kept)


def _fill(words: Sentence, facts: dict[str, str | Sentence]) -> Sentence:
    known = {
        name: fact if isinstance(fact, Sentence) else Sentence(*[_clean(fact)] * 2) for name, fact in facts.items()
    }
    return Sentence(
        words.english.format_map({name: fact.english for name, fact in known.items()}),
        words.german.format_map({name: fact.german for name, fact in known.items()}),
    )


def _clean(text: str) -> str:
    """Make what strangers wrote one harmless, short line."""
    plain = " ".join(HARMFUL.sub("?", text[: 2 * _SHOWN]).split())
    return plain if len(plain) <= _SHOWN + 3 else f"{plain[:_SHOWN]}..."


def _fold(text: str, room: int) -> list[str]:
    """Part a text at blanks into lines that fit; what is too long for all of them ends in dots."""
    rest = to_ascii(text.replace("\n", " "))
    lines: list[str] = []
    while len(rest) > room and len(lines) < MOST_LINES - 1:
        at = rest.rfind(" ", room // 2, room + 1)
        lines.append(rest[: at if at > 0 else room])
        rest = rest[at + 1 if at > 0 else room :]
    lines.append(rest if len(rest) <= room else f"{rest[: room - 3]}...")
    return lines
