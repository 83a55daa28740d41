"""What is kept of a mail for people who look for it: its Message-ID, From and Subject, decoded and bounded."""

from typing import Final, NamedTuple

from relay.rules.headers import sender_text, subject_text
from relay.rules.trace import message_id_of

LONGEST_ID: Final = 512
"""Characters of a Message-ID that are kept; a text that is looked for is cut in the same way."""


class Summary(NamedTuple):
    """Of one header."""

    header_message_id: str
    """With its brackets; empty where there is none."""
    sender: str
    subject: str


def summarise(block: bytes) -> Summary:
    """Read a header block (each line ends with CRLF, no blank line)."""
    return Summary(message_id_of(block)[:LONGEST_ID], sender_text(block), subject_text(block))
