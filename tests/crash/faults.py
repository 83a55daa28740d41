"""The relay with faults that end no process: `python -m tests.crash.faults FAULT N FILE serve -c FILE`.

Nothing of this is in the program: functions of it are wrapped here. After N faults it goes on without any; each is
noted as a line of FILE. These are the faults:

- `exception`: an attempt is interrupted by an exception of ours, at its first await, then at its second, and so on;
  when one ends before its turn came, the next begins at the first again.
- `commit`: the answer to a COMMIT is lost; it took effect, or, every second time, it did not.
"""

import asyncio
import itertools
import sqlite3
import sys
import types
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import psycopg

from relay.cli import main
from relay.delivery.worker import Worker
from relay.storage.engine import WriteConnection

EXCEPTION = "exception"
COMMIT = "commit"
NAMES = (EXCEPTION, COMMIT)
OVER = ".over"
"""The suffix of the file beside FILE that ends the faults before there were N."""

_EVERY = 7
"""Every so many-th COMMIT loses its answer."""


class FaultError(Exception):
    """What no code of ours expects."""


def arm(fault: str, most: int, record: Path) -> None:
    """Make this process suffer so many faults."""
    left = iter(range(most))

    def spend() -> bool:
        """Take one of the faults that are left."""
        if record.with_suffix(OVER).exists() or next(left, None) is None:
            return False
        with record.open("a", encoding="ascii") as file:
            file.write(f"{fault}\n")
        return True

    if fault == EXCEPTION:
        Worker._attempt = _interrupted(Worker._attempt, spend)  # type: ignore[method-assign]
    else:
        WriteConnection.commit = _without_answer(WriteConnection.commit, spend)  # type: ignore[method-assign]


def _interrupted(attempt: Callable[..., Coroutine[Any, Any, Any]], spend: Callable[[], bool]) -> Callable[..., Any]:
    """Wrap an attempt: each is interrupted one await later than the one before."""
    turn = itertools.count(1)
    at = next(turn)

    async def wrapped(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever it takes and gives
        nonlocal at, turn
        mine, at = at, next(turn)
        result, reached = await throw_at(attempt(*args, **kwargs), mine, spend)
        if not reached and mine > 1:
            turn = itertools.count(1)
            at = next(turn)
        return result

    return wrapped


@types.coroutine
def throw_at(
    coroutine: Coroutine[Any, Any, Any], at: int, spend: Callable[[], bool]
) -> Generator[Any, Any, tuple[Any, bool]]:
    """Run a coroutine, and throw a FaultError into it where it waits for the `at`-th time, if `spend` allows.

    Gives what it gives, and whether it came so far. What it waited for is over by then, as it is where the line behind
    the await has a fault: to leave a wait in its middle is another thing, which cancelling does. Waits for a lock don't
    count: asyncio.Lock is none of our code, and a fault in it would leave all who wait behind it waiting for ever.
    """
    resume: Callable[[Any], Any] = coroutine.send
    argument: Any = None
    n = 0
    while True:
        try:
            awaited = resume(argument)
        except StopIteration as end:
            return end.value, n >= at
        counts = not _waits_for_lock(coroutine)
        try:
            argument, resume = (yield awaited), coroutine.send
        except BaseException as error:  # noqa: BLE001 - it is the coroutine's to handle
            resume, argument = coroutine.throw, error
        n += counts
        if counts and n == at and resume == coroutine.send and spend():
            resume, argument = coroutine.throw, FaultError("no code of ours expects this")


def _waits_for_lock(coroutine: Coroutine[Any, Any, Any]) -> bool:
    inner: Any = coroutine
    while (code := getattr(inner, "cr_code", None)) is not None:
        if code.co_filename == asyncio.locks.__file__:
            return True
        inner = inner.cr_await
    return False


def _without_answer(commit: Callable[..., None], spend: Callable[[], bool]) -> Callable[..., None]:
    """Wrap COMMIT: from time to time its answer is lost, and the connection with it."""
    passed, lost = itertools.count(1), itertools.count()

    def wrapped(connection: WriteConnection) -> None:
        if next(passed) % _EVERY or not spend():
            commit(connection)
            return
        driver: Any = connection._driver
        if next(lost) % 2:
            driver.rollback()
        else:
            commit(connection)
        if connection._dialect == "sqlite":
            raise sqlite3.OperationalError("disk I/O error")
        driver.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    return wrapped


if __name__ == "__main__":
    _, chosen, number, record, *rest = sys.argv
    arm(chosen, int(number), Path(record))
    sys.argv = ["relay", *rest]
    main()
