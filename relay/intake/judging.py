"""What refuses a mail by its bytes alone, before the account rules see it: its size, its lines, its header."""

from typing import Final, NamedTuple

from relay.model.reply import Reply
from relay.rules.sections import Sections

LONG_LINE: Final = Reply(code=554, enhanced="5.6.0", text="A line is too long")


class Judgement(NamedTuple):
    """Why a mail is not taken."""

    reason: str
    """A short word for the log."""
    reply: Reply


def judge_octets(size: int, *, most: int, too_long: bool) -> Judgement | None:
    """Refuse a mail of more than `most` octets, or with a line beyond all limits."""
    if size > most:
        return Judgement("too_large", Reply(code=552, enhanced="5.3.4", text=f"At most {most} octets are taken"))
    return Judgement("long_line", LONG_LINE) if too_long else None


def judge_header(sections: Sections, *, most: int) -> Judgement | None:
    """Refuse a header of more than `most` octets, or one of which nobody can tell where it ends."""
    if sections.too_large:
        text = f"The header has more than {most} octets"
        return Judgement("large_header", Reply(code=552, enhanced="5.3.4", text=text))
    if sections.stray_line is not None:
        text = f"Line {sections.stray_line} is no header field (a name, a colon, a value), but fields follow it"
        return Judgement("broken_header", Reply(code=554, enhanced="5.6.0", text=text))
    return None
