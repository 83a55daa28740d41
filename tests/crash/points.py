"""The relay, told to die at the n-th passing of a named point: `python -m tests.crash.points POINT N serve -c FILE`.

Nothing of this is in the program: functions of it are wrapped here, do all that they do, and the process kills itself
before or after.
"""

import asyncio
import inspect
import itertools
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from relay.cli import main
from relay.rules.dot_stuffing import DataEncoder
from relay.storage import bodies
from relay.storage.engine import WriteConnection
from relay.storage.queue import Queue
from relay.transports import maildir, smtp_connections
from relay.upstream.stream import SmtpStream

POINTS: dict[str, tuple[Any, str, bool]] = {
    "a chunk is written ahead": (Queue, "write_chunk", True),
    "a mail is about to be accepted": (Queue, "accept", False),
    "a mail is accepted, its client not told": (Queue, "accept", True),
    "the file of a body is made": (bodies, "_create", True),
    "a body is written, its file not synced": (bodies._Growing, "seal", False),
    "a body is on the disk, no row names it": (bodies._Growing, "seal", True),
    "what nobody has is swept": (bodies.BodyFiles, "sweep", True),
    "the day's recipients are counted": (Queue, "count_recipients", True),
    "a provider is connected": (smtp_connections, "connect", True),
    "a doubt is noted, the dot has not left": (Queue, "mark_uncertain", True),
    "what waits is read ahead": (Queue, "prefetch", True),
    "a delivery is about to be claimed": (Queue, "claim_by_id", False),
    "a delivery is claimed": (Queue, "claim_by_id", True),
    "the dot is about to leave": (DataEncoder, "close", False),
    "the dot has left": (SmtpStream, "flush", True),
    "an attempt is about to be settled": (Queue, "settle", False),
    "an attempt is settled": (Queue, "settle", True),
    "a notice is in the inbox, not settled": (maildir, "deliver", True),
    "a sender is told of a delay": (Queue, "tell_delay", True),
    "a refused login is about to pause the account": (Queue, "pause", False),
    "a refused login has paused the account": (Queue, "pause", True),
    "the mail of an excluded account is held": (Queue, "hold_accounts", True),
    "a delivery is about to be given back": (Queue, "requeue", False),
    "a delivery is given back": (Queue, "requeue", True),
    "what the last process left is about to be taken up": (Queue, "recover", False),
    "what the last process left is taken up": (Queue, "recover", True),
}
"""Where, the function, and whether the process dies after it or before it."""
IN_COMMIT = "everything is written, nothing committed"
NAMES = (*POINTS, IN_COMMIT)
OF_FILES = frozenset(name for name, (where, _, _) in POINTS.items() if "bodies" in str(where))
"""Passed where bodies are files: beside SQLite."""
FREQUENT = frozenset(
    name for name, (where, function, _) in POINTS.items()
    if name not in OF_FILES
    and (where not in (Queue, smtp_connections) or function in ("accept", "settle", "claim_by_id"))
) | {IN_COMMIT}  # fmt: skip
"""Passed many times a second: the process may die at a later passing. A connection is kept for many mails."""


_FINDS = ("claim", "claim_by_id", "hold_accounts")
"""Functions that may find nothing: then nothing has happened."""


def arm(point: str, count: int) -> None:
    """Make this process die at the `count`-th passing of a point."""
    passed = itertools.count(1)

    def pass_point() -> None:
        if next(passed) >= count:
            os.kill(os.getpid(), signal.SIGKILL)

    if point == IN_COMMIT:
        where, name, after = WriteConnection, "commit", False
    else:
        where, name, after = POINTS[point]
    setattr(where, name, _wrap(getattr(where, name), pass_point, after=after))


def _wrap(function: Callable[..., Any], pass_point: Callable[[], None], *, after: bool) -> Callable[..., Any]:
    @wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever it takes and gives
        if not after:
            pass_point()
        result = function(*args, **kwargs)
        if after and isinstance(result, asyncio.Future):
            result.add_done_callback(lambda _done: pass_point())
        elif after:
            pass_point()
        return result

    @wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if not after:
            pass_point()
        result = await function(*args, **kwargs)
        if after and (result or function.__name__ not in _FINDS):
            pass_point()
        return result

    return awaited if inspect.iscoroutinefunction(function) else plain


if __name__ == "__main__":
    _, chosen, number, *rest = sys.argv
    arm(chosen, int(number))
    sys.argv = ["relay", *rest]
    main()
