"""What people may see in a From or Sender whose spelling is broken: the address for which it was written.

The rules refuse an address that "would leave in From or Sender". An address that every program but ours reads leaves,
too. So this looks for one address at a time, letter by letter, with anything between the letters that can't be seen.
"""

import re
import unicodedata
from collections.abc import Iterator

from tests.oracle.grammar import decode, end_of_comment, read_mailboxes

_UNSEEN = r"(?:\r\n[ \t]|[\x00-\x08\x0b-\x1f\x7f\\\u00a0\u00ad\u200b-\u200f\u2060\ufeff])*"
_WORD = re.compile(r"=\?[^?\s]+\?[bq]\?[^?\s]*\?=", re.IGNORECASE)
_BESIDE = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)', re.DOTALL)


def shows(value: str, key: str) -> bool:
    """Tell whether somebody may see an address, given by its key, in a field's value."""
    text = unicodedata.normalize("NFC", " , ".join(map(_read_member, _cut(value)))).lower()
    local, _, domain = key.rpartition("@")
    return any(re.search(_pattern(local, form), text) for form in {domain, _spelled(domain)})


def _cut(value: str) -> Iterator[str]:
    """Cut a list into its members; the name of a group is one, too."""
    begin, position, angle = 0, 0, False
    while position < len(value):
        sign, step = value[position], 1
        if sign == "(":
            step = end_of_comment(value, position) - position
        elif sign == '"' and (quoted := _BESIDE.match(value, position)) is not None:
            step = len(quoted[0])
        elif sign in "<>":
            angle = sign == "<"
        elif sign in ",;:" and not angle:
            yield value[begin:position]
            begin = position + 1
        position += step
    yield value[begin:]


def _read_member(member: str) -> str:
    """Leave the names out; in a member without an address there is none, only what may be read as one."""
    if any(mailbox.domain for mailbox in read_mailboxes(member)):
        return "".join(_plain_words(_BESIDE.sub(_keep, member)))
    return decode(_BESIDE.sub(lambda beside: " " if beside[0][0] == "(" else beside[0][1:-1], member))


def _keep(beside: re.Match[str]) -> str:
    return " " if "@" in beside[0] or beside[0][0] == "(" else beside[0][1:-1]


def _plain_words(text: str) -> Iterator[str]:
    """Decode the encoded words; what holds an address of its own is a name."""
    end = 0
    for found in _WORD.finditer(text):
        word = decode(found[0])
        yield text[end : found.start()]
        yield " " if "@" in word else word
        end = found.end()
    yield text[end:]


def _pattern(local: str, domain: str) -> str:
    before, behind = (_UNSEEN.join(map(_sign, part)) for part in (local, domain))
    return rf"(?<![\w.+-]){before}{_UNSEEN}[\s.]*{_UNSEEN}@[@\s.]*{_UNSEEN}{behind}(?![\w-]|\.\w)"


def _sign(sign: str) -> str:
    return r"\s*\.+\s*" if sign == "." else re.escape(sign)


def _spelled(domain: str) -> str:
    return ".".join(
        label.removeprefix("xn--").encode().decode("punycode") if label.startswith("xn--") else label
        for label in domain.split(".")
    )
