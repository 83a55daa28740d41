"""What an answer is about, and when it was given: what the rules decide by, without the tables of all answers."""

from enum import StrEnum
from typing import Final


class Stage(StrEnum):
    """At which step an answer was given."""

    CONNECT = "connect"
    """On the way to the server: what we saw of it, in our own words."""
    LOGIN = "login"
    SEND = "send"
    """From MAIL to the answer to the final dot."""
    COLLECT = "collect"
    SIGN_IN = "sign_in"
    """OAuth: the provider's sign-in page and its token server (RFC 6749, RFC 8628)."""


COLLECTING: Final = frozenset({Stage.LOGIN, Stage.COLLECT})
"""What a server answers from which mail is collected, at its login or later."""


class About(StrEnum):
    """What an answer is about: so what it means for the mail, and who can mend it."""

    CONNECTION = "connection"
    """The way to the server."""
    LOGIN = "login"
    """User name, password or token."""
    CONFIGURATION = "configuration"
    """Something that an administrator must switch on or change, at the provider or here; no waiting helps."""
    SENDER = "sender"
    """The account may not send as this address."""
    RECIPIENT = "recipient"
    LIMIT = "limit"
    """More was sent in a short time than is allowed: it goes on later, more slowly."""
    USED_UP = "used_up"
    """What the account may send in an hour or a day is sent: it goes on when that is over."""
    CONNECTIONS = "connections"
    """The account had more connections at once than it may: it goes on over fewer."""
    MAIL = "mail"
    """This mail: its size, its content, or how it looks to a filter."""
    TROUBLE = "trouble"
    """The provider's own, which passes."""
    UNKNOWN = "unknown"

    @property
    def is_of_account(self) -> bool:
        """Whether every other mail of the account would get the same answer."""
        return self in (About.LOGIN, About.CONFIGURATION, About.SENDER)


DEFERRED_CONFIGURATION: Final = frozenset({430})
"""Codes of answers that ask to come again, though no waiting helps: those of the rows (a test proves it)."""
