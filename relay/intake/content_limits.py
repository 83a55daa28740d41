"""What refuses a mail by its octets alone, before the account rules see it: its size, its lines, its header."""

from typing import Final, NamedTuple

from relay.model.reply import Reply
from relay.rules.message_splitter import CHUNK, MessageSplitter
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse, refuse_size

LONG_LINE: Final = refuse(Refused.LONG_LINE)

TOO_LARGE: Final = "too_large"


class ContentRefusal(NamedTuple):
    """Why the content of a mail is not taken."""

    reason: str
    """A short word for the log."""
    reply: Reply


def most_refused(most: int) -> int:
    """Return how many octets are read of a mail that may have `most`, before its client is cut off."""
    return 2 * most + CHUNK


def refuse_octets(size: int, *, most: int, too_long: bool, whole: bool = False) -> ContentRefusal | None:
    """Refuse a mail of more than `most` octets, or with a line that is too long; `whole`: no more of it will come."""
    if size > most:
        return ContentRefusal(TOO_LARGE, refuse_size(size if whole else None, most=most))
    return ContentRefusal("long_line", LONG_LINE) if too_long else None


def refuse_header(splitter: MessageSplitter, *, most: int) -> ContentRefusal | None:
    """Refuse a header of more than `most` octets, or one whose end can't be told."""
    if splitter.too_large:
        return ContentRefusal("large_header", refuse(Refused.LARGE_HEADER, most=str(most)))
    if splitter.stray_line is not None:
        return ContentRefusal("broken_header", refuse(Refused.BROKEN_HEADER, line=str(splitter.stray_line)))
    return None
