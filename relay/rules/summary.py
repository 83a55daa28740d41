"""What is kept of a mail for people who look for it: its Message-ID, From and Subject, decoded and bounded."""

import re
from typing import Final, NamedTuple

from relay.rules.headers import show_sender, show_subject
from relay.rules.trace import read_message_id

LONGEST_ID: Final = 512
"""Characters of a Message-ID that are kept; a text that is looked for is cut in the same way."""
# A field as `rules.headers` splits a block into them, which takes three times as long: this is done for each mail.
_WANTED = re.compile(
    rb"^(from|subject|message-id)[ \t]*+:([^\n]*+(?>(?:\n[ \t][^\n]*+)*))", re.IGNORECASE | re.MULTILINE
)


class Summary(NamedTuple):
    """Of one header."""

    header_message_id: str
    """With its brackets; empty where there is none."""
    sender: str
    subject: str


def summarise(block: bytes) -> Summary:
    """Read a header block (each line ends with CRLF, no blank line). Of several From or Subject the first counts."""
    found: dict[bytes, bytes] = {}
    header_message_id = ""
    for field in _WANTED.finditer(block):
        name, value = field[1].lower(), field[2].replace(b"\r\n", b"").strip(b" \t")
        found.setdefault(name, value)
        if name == b"message-id":
            header_message_id = header_message_id or read_message_id(value)
    return Summary(
        header_message_id[:LONGEST_ID].replace("\0", "\ufffd"),
        show_sender(found.get(b"from", b"")),
        show_subject(found.get(b"subject", b"")),
    )
