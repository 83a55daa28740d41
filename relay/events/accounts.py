"""An account, or its provider, does not work as it should, or does again."""

from typing import Annotated

from relay.events.event import Event
from relay.events.fields import Account, Cause, Code, Reply


class _OfAccount(Event):
    account: Account


class _Answered(_OfAccount):
    code: Code
    reply: Reply
    cause: Cause = ""


class AccountPaused(_Answered, level="error"):
    """The provider refused the login: mail stays queued, its time to live stands still.

    `cause` says why, `relay account list` what to do.
    """

    next_probe: Annotated[str | None, "when the login is tried again"]


class AccountResumed(_OfAccount):
    """The account works again, or a person said so."""

    reason: Annotated[str, "why"]


class AccountUnreachable(_Answered, level="error"):
    """No connection to the provider, or it is lost at MAIL: the account's mail waits."""


class ProviderAsksForLess(_Answered, level="warning"):
    """421, a 4xx that names a rate, or all is sent that may be in an hour or a day: it concerns the whole account.

    Often: set `messages_per_minute` or `recipients_per_day` lower.
    """


class AccountNarrowed(_OfAccount, level="warning"):
    """The provider refused one connection more, or a mail over it, while so many were open.

    The account keeps to these for a quarter of an hour. Often: set `connections` to this number.
    """

    connections: Annotated[int, "how many were open"]
    code: Code
    reply: Reply
    cause: Cause = ""


class AccountSlowed(_OfAccount, level="warning"):
    """The account rests, then goes on with one connection until a mail is taken."""

    seconds: Annotated[float, "for how long"]


class AccountFull(_OfAccount, level="warning"):
    """`recipients_per_day` is used up: the account goes on when the office's next day begins."""

    until: Annotated[str | None, "when that is"]
