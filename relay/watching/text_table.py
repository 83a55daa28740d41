"""The shape of the words of findings: a table for each language.

Names in braces are filled in by `relay.watching.texts`: {subject}, {command} (the subject as a shell wants it), {mails}
(with its noun), {number}, {days}, {size}.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from relay.watching.findings import Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """The words of one kind."""

    title: str
    """One line: what is wrong."""
    what: str
    """What that means."""
    action: str
    over: str = ""
    """What is said when it is over; empty for what nobody is told of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """The words of one language that belong to no kind."""

    since: str
    holds_up: str
    reply: str
    """The label of what a provider said."""
    cause: str
    """The label of what was seen in place of that."""
    one_mail: str
    mails: str
    """With {count}."""
    days: tuple[str, str, str]
    """None, one, and several with {count}; in German as they stand behind "in"."""
    solved: str
    """The subject of an all-clear, with {title}."""
    lasted: str
    """With {start} and {end}."""
    moot: str
    """What is said where something is over since the configuration was changed."""
    action: str
    """The label of what to do."""
    mended: str
    """What is said once more after what mends a refused login."""
    collected: str
    """What is said behind what mends a mailbox that can't be collected."""
    full: Text
    """The words in place of those of `Kind.DISK_LOW`, once its limit is reached."""
    lacking: Mapping[Kind, Text]
    """The words of what is refused, where no provider does so: the account has nothing to log in with."""
    texts: Mapping[Kind, Text]
