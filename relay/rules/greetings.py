"""What a server's greeting tells beside its name: the time of its clock, as Exim's and Microsoft's do."""

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from typing import Final

_DATE: Final = re.compile(
    r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), {1,2}\d{1,2} "
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d [+-]\d{4}\b"
)
"""A date and time with its zone (RFC 5322 section 3.3)."""


def read_clock(greeting: str) -> dt.datetime | None:
    """Read the server's time out of its greeting; None where it tells none."""
    found = _DATE.search(greeting)
    if found is None:
        return None
    try:
        return parsedate_to_datetime(found[0]).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
