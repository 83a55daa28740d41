"""An account, or its provider, does not work as it should, or does again."""

from typing import Annotated

from relay.events.event import Event
from relay.events.fields import Account, Code, Reply


class _OfAccount(Event):
    account: Account


class _Answered(_OfAccount):
    code: Code
    reply: Reply


class AccountPaused(_Answered, level="error"):
    """The provider refused the login: mail stays queued, its time to live stands still. Correct the password."""

    next_probe: Annotated[str | None, "when the login is tried again"]


class AccountResumed(_OfAccount):
    """The account works again, or a person said so."""

    reason: Annotated[str, "why"]


class AccountUnreachable(_Answered, level="error"):
    """No connection to the provider, or it is lost at MAIL: the account's mail waits."""


class ProviderAsksForLess(_Answered, level="warning"):
    """421, or a 45x that names a rate: it concerns the whole account. Often: set `messages_per_minute` lower."""


class AccountNarrowed(_OfAccount, level="warning"):
    """The provider refused one connection more while so many were open; no mail waits for it.

    The account keeps to these for a quarter of an hour. Often: set `connections` to this number.
    """

    connections: Annotated[int, "how many were open"]
    code: Code
    reply: Reply


class AccountSlowed(_OfAccount, level="warning"):
    """The account rests, then goes on with one connection until a mail is taken."""

    seconds: Annotated[float, "for how long"]


class AccountFull(_OfAccount, level="warning"):
    """`recipients_per_day` is used up: the account goes on when the office's next day begins."""

    until: Annotated[str | None, "when that is"]
