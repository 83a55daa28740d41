"""Finds the row of an answer: the one place that decides what a provider's answer means."""

import re
from typing import Final

from relay.model.reply import Reply
from relay.rules.answers.connection_rows import CONNECTION_ROWS
from relay.rules.answers.general_rows import ANYTHING, GENERAL_ROWS
from relay.rules.answers.microsoft_rows import MICROSOFT_ROWS
from relay.rules.answers.provider_rows import PROVIDER_ROWS
from relay.rules.answers.row import About, Advice, Row, Stage, Words
from relay.rules.answers.token_rows import says_of_token

_LONGEST: Final = 1000
"""Characters of an answer that are looked at."""
_ADDRESSES: Final = re.compile(r"<[^<>]*+>|[^\s@]*+@\S*+|\bhttps?:\S*+")
"""What a sender or recipient can choose, such as `spam@example.com`, says nothing."""
_STORED: Final = re.compile(r"([2-5]\d\d)(?:[ -]([245]\.\d{1,3}\.\d{1,3}))?(?: |$)")
"""How a reply begins that was stored as a line (`str(Reply)`)."""

ROWS: Final[tuple[Row, ...]] = (*CONNECTION_ROWS, *MICROSOFT_ROWS, *PROVIDER_ROWS, *GENERAL_ROWS)
"""The first that fits counts: what one provider says in its own way comes before what many say."""
DEFERRED_CONFIGURATION: Final = frozenset(
    code for row in ROWS if row.about is About.CONFIGURATION for code in row.codes if 400 <= code < 500
)
"""Codes of answers that ask to come again, though no waiting helps."""


def find_row(reply: Reply, stage: Stage | None = None) -> Row:
    """Find what an answer means; `stage`: at which step it was given, None where that is not known."""
    if stage in (None, Stage.LOGIN) and (of_token := says_of_token(reply.text)) is not None:
        return of_token
    status = reply.enhanced.partition(".")[2]
    text = " ".join(_ADDRESSES.sub(" ", reply.text[:_LONGEST]).lower().split())
    fitting = (row for row in ROWS if row.fits(stage=stage, code=reply.code, status=status, text=text))
    return next(fitting, ANYTHING)


def says_sender_is_refused(reply: Reply) -> bool:
    """Return whether a provider says in its own way that the account may not send as its address: only known rows."""
    row = find_row(reply, Stage.SEND)
    return row.about is About.SENDER and row.english is not None


def choose_advice(reply: Reply, *, expired: bool = False) -> Advice:
    """Choose the advice for a recipient who does not get a mail, refused or given up, by the last reply that it got."""
    advice = find_row(reply).advice
    return Advice.EXPIRED if advice is Advice.OTHER and expired else advice


def explain(reply: Reply, language: str, *, account: str, stage: Stage | None = None) -> Words | None:
    """Tell in `de` or `en` what an answer means, and what the administrator does; None where no row has words.

    `account` is its name, for commands, as a shell wants it.
    """
    words = find_row(reply, stage).words(language)
    return None if words is None else Words(what=words.what, advice=words.advice.replace("{account}", account))


def parse_stored(line: str) -> Reply:
    """Make a reply of a line that was stored of it; what has no code, as an answer of POP3, is all text."""
    found = _STORED.match(line)
    if found is None:
        return Reply(code=0, text=line)
    return Reply(code=int(found[1]), enhanced=found[2] or "", text=line[found.end() :])
