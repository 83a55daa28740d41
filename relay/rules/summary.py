"""What is kept of a mail for people who look for it: its Message-ID, From and Subject, decoded and bounded."""

import re
from typing import Final, NamedTuple

from relay.rules.charsets import decode_octets, decode_words

_ID: Final = re.compile(rb"<[^<>\s]{1,990}>")
_LONGEST_SUBJECT: Final = 120
_LONGEST_SENDER: Final = 200
_TURNS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Bidirectional embeddings, overrides and isolates (Unicode Standard Annex 9)."""
# A field as `rules.headers` splits a block into them, which takes three times as long: this is done for each mail.
_WANTED = re.compile(
    rb"^(from|subject|message-id)[ \t]*+:([^\n]*+(?>(?:\n[ \t][^\n]*+)*))", re.IGNORECASE | re.MULTILINE
)


class Summary(NamedTuple):
    """Of one header."""

    header_message_id: str
    """With its brackets; empty where there is none that could be one."""
    sender: str
    """The From field for people: decoded, shortened, without control characters and what turns the text around it."""
    subject: str
    """The Subject field for people, in the same way."""


def summarise(block: bytes) -> Summary:
    """Read a header block (each line ends with CRLF, no blank line). Of several From or Subject the first counts."""
    found: dict[bytes, bytes] = {}
    header_message_id = ""
    for field in _WANTED.finditer(block):
        name, value = field[1].lower(), field[2].replace(b"\r\n", b"").strip(b" \t")
        found.setdefault(name, value)
        if name == b"message-id" and not header_message_id and (one := _ID.search(value)):
            header_message_id = one[0].decode("utf-8", "replace").replace("\0", "\ufffd")
    return Summary(
        header_message_id,
        _show(found.get(b"from", b""), _LONGEST_SENDER),
        _show(found.get(b"subject", b""), _LONGEST_SUBJECT),
    )


def _show(value: bytes, longest: int) -> str:
    text = _TURNS.sub("", decode_words(decode_octets(value)[: longest * 20]))
    return text if len(text) <= longest else text[: longest - 1] + "…"
