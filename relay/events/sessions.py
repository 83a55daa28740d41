"""A client connects and logs in."""

from typing import Annotated

from relay.events.event import Event
from relay.events.fields import Client, Code, Error, Traceback


class SessionRefused(Event, level="warning"):
    """A client may not connect, or there are too many. Is it one of yours, look at `networks` and `[limits]`.

    Said at once, then once in ten minutes with how often it happened meanwhile, so that nobody can fill the log.
    """

    client: Client
    reason: Annotated[str, "why"]
    code: Code
    count: Annotated[int, "how often since it was last said of this client"] = 1


class SessionFailed(Event, level="error"):
    """A fault of the relay in one session; the others go on. Please report it."""

    client: Client
    error: Error
    exception: Traceback = None


class AuthFailed(Event, level="warning"):
    """A login failed. Many of them from a client that is not yours: somebody guesses passwords."""

    client: Client
    mechanism: Annotated[str, "how it logged in: `PLAIN` or `LOGIN`"]
    login: Annotated[str, "what the client called itself, never the password"]
    reason: Annotated[str, "why"]


class AuthNotChecked(AuthFailed, level="error"):
    """The relay could not check the password, as for want of memory; the client was told to try again later."""
