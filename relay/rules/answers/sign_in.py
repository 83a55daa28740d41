"""Explains why an OAuth server refused a sign-in."""

import re
from collections.abc import Iterable
from typing import Final

from relay.rules.answers.entra_app_rows import ENTRA_APP_ROWS
from relay.rules.answers.entra_login_rows import ENTRA_LOGIN_ROWS
from relay.rules.answers.row import Explanation, Row, Stage
from relay.rules.answers.sign_in_rows import STANDARD_ROWS

_LONGEST = 2000
"""Characters of a description that are looked at."""
_CODE = re.compile(r"\bAADSTS(\d{5,9})\b")
MICROSOFT_ROWS: Final = (*ENTRA_LOGIN_ROWS, *ENTRA_APP_ROWS)


def find_sign_in_row(error: str, description: str = "") -> Row | None:
    """Find what the answer of an OAuth server means (RFC 6749 section 5.2); None where no row is known.

    `error` is its `error`, `description` its `error_description`, in which Microsoft names an AADSTS code. A code says
    more than the error; of several the first that has a row counts. What is to be done with a login follows from the
    error alone: this only explains.
    """
    for number in _CODE.findall(description[:_LONGEST]):
        row = _first(MICROSOFT_ROWS, f"aadsts{number}")
        if row is not None:
            return row
    return _first(STANDARD_ROWS, error[:100])


def explain_sign_in(error: str, language: str, *, account: str, description: str = "") -> Explanation | None:
    """Tell in `de` or `en` why a sign-in was refused, and what to do; None where there are no words for it.

    `account` is its name, for the command that mends it, as a shell wants it.
    """
    row = find_sign_in_row(error, description)
    return None if row is None else row.explain(language, account)


def _first(rows: Iterable[Row], text: str) -> Row | None:
    return next((row for row in rows if row.fits(stage=Stage.SIGN_IN, code=0, status="", text=text)), None)
