"""Finds the row of an answer: the one place that decides what a provider's answer means."""

import re
from functools import cache, lru_cache
from typing import Final

from relay.model.reply import Reply
from relay.rules.answers.about import About, Stage
from relay.rules.answers.row import ANYTHING, REFUSED_LOGIN, Advice, Explanation, Row
from relay.rules.answers.token_rows import says_of_token

_LONGEST: Final = 1000
"""Characters of an answer that are looked at."""
_ADDRESSES: Final = re.compile(r"<[^<>]*+>|[^\s@<]*+@\S*+|\bhttps?:\S*+")
"""What a sender or recipient can choose, such as `spam@example.com`, says nothing."""
LOGIN_STEP: Final = "login:"
"""How the failure of a poll begins that ended at the login."""
_STORED: Final = re.compile(r"([2-5]\d\d)(?:[ -]([245]\.\d{1,3}\.\d{1,3}))?(?: |$)")
"""How a reply begins that was stored as a line (`str(Reply)`)."""


@cache
def all_rows() -> tuple[Row, ...]:
    """Return the rows, of which the first that fits counts: what one provider says before what many say.

    The tables are read at the first answer that is looked up: neither a start nor most commands need them.
    """
    from relay.rules.answers.connection_rows import CONNECTION_ROWS  # noqa: PLC0415 - see above
    from relay.rules.answers.general_rows import GENERAL_ROWS  # noqa: PLC0415
    from relay.rules.answers.microsoft_rows import MICROSOFT_ROWS  # noqa: PLC0415
    from relay.rules.answers.provider_rows import PROVIDER_ROWS  # noqa: PLC0415

    return (*CONNECTION_ROWS, *MICROSOFT_ROWS, *PROVIDER_ROWS, *GENERAL_ROWS)


@lru_cache(maxsize=64)
def find_row(reply: Reply, stage: Stage | None = None) -> Row:
    """Find what an answer means; `stage`: at which step it was given, None where that is not known.

    The last ones are kept: each refusal is looked up some six times, for what to do and what to say.
    """
    if stage in (None, Stage.LOGIN) and (of_token := says_of_token(reply.text)) is not None:
        return of_token
    status, text = reply.enhanced.partition(".")[2], plain_words(reply)
    fitting = (row for row in all_rows() if row.fits(stage=stage, code=reply.code, status=status, text=text))
    return next(fitting, ANYTHING)


def plain_words(reply: Reply) -> str:
    """Return what an answer says, as the rows want it: in lower case, with single blanks, without addresses."""
    return " ".join(_ADDRESSES.sub(" ", reply.text[:_LONGEST]).lower().split())


def choose_advice(reply: Reply, *, expired: bool = False) -> Advice:
    """Choose the advice for a recipient who does not get a mail, refused or given up, by the last reply that it got."""
    advice = find_row(reply).advice
    return Advice.EXPIRED if advice is Advice.OTHER and expired else advice


def explain(reply: Reply, language: str, *, account: str, stage: Stage | None = None) -> Explanation | None:
    """Tell in `de` or `en` what an answer means, and what the administrator does; None where no row has words.

    `account` is its name, for commands, as a shell wants it.
    """
    return find_row(reply, stage).explain(language, account)


def find_poll_row(failure: str) -> Row:
    """Find what the failure of a poll means, whose text begins with the step at which it happened (`SourceError`).

    What nothing is known of is the login's at the login: only there an answer says no more than no.
    """
    from relay.rules.answers.connection_rows import read_cause  # noqa: PLC0415 - as in all_rows

    _, _, said = failure.partition(": ")
    at_login = failure.startswith(LOGIN_STEP)
    row = find_row(Reply(code=0, text=said if at_login else failure), Stage.LOGIN if at_login else None)
    return REFUSED_LOGIN if at_login and row.about is About.CONNECTION and read_cause(said) is None else row


def explain_poll(failure: str, language: str, *, account: str) -> Explanation | None:
    """Tell what the failure of a poll means, as `explain` does."""
    return find_poll_row(failure).explain(language, account)


def parse_stored(line: str) -> Reply:
    """Make a reply of a line that was stored of it; what has no code, as an answer of POP3, is all text."""
    found = _STORED.match(line)
    if found is None:
        return Reply(code=0, text=line)
    return Reply(code=int(found[1]), enhanced=found[2] or "", text=line[found.end() :])
