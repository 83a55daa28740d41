"""A notice of plain paragraphs: what the mail service says of itself, in words that its caller has chosen."""

from collections.abc import Sequence

from relay.model.address import ascii_domain
from relay.rules.notice import Letterhead, Notice, text_notice
from relay.rules.notice_mime import plain, safe_domain
from relay.rules.notice_texts import TEXTS

_TITLE_OCTETS = 400


def plain_notice(head: Letterhead, title: str, paragraphs: Sequence[str]) -> Notice:
    """Write a notice: `title` becomes its subject, the paragraphs its text; empty ones are left out.

    What strangers said in the paragraphs must have been made `plain` by the caller.
    """
    closing = TEXTS[head.language].closing.format(hostname=safe_domain(ascii_domain(head.hostname)))
    text = "\n\n".join(paragraph for paragraph in (*paragraphs, closing) if paragraph) + "\n"
    return text_notice(head, plain(title, _TITLE_OCTETS), text)
