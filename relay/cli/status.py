"""`relay status`: is all well, and if not, what is to be done? For people, and for monitoring (Nagios and its kin).

Its exit status is theirs: 0 fine, 1 watch, 2 needs you, 3 can't be told. The running service is asked; where none
tells in time, this command looks itself. It reads only, without secrets or lock, and never waits for long.
"""

import signal
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, NoReturn

import click

from relay.admin.requests import ShowStatus, Told
from relay.admin.wire import ask_service, read_answer
from relay.cli.configuration import config_option, json_option, load
from relay.cli.output import print_json, say
from relay.cli.telling import find_own_file
from relay.clock import wall_clock
from relay.control.client import NoAnswerError
from relay.model.errors import RelayError
from relay.places import digest_of, find_storage

UNKNOWN: Final = 3
LONGEST: Final = 8
"""Seconds after which it gives up: monitoring waits for 10."""
SILENCE: Final = 2.0
"""Seconds for which a running service may say nothing; its answer may take one more."""


class _Plugin(click.Command):
    """A command whose wrong usage is status 3, as monitoring wants it: 2 would say that the mail service is ill."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401 - whatever click passes
        """Parse the command's arguments."""
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            error.show()
            sys.exit(UNKNOWN)


@click.command("status", cls=_Plugin)
@config_option
@json_option
@click.option("-v", "--verbose", is_flag=True, help="Show each finding with what to do; on a terminal it does so.")
def command(config: str | None, *, as_json: bool, verbose: bool) -> None:
    """Say in one line whether all is well, or what needs you and why.

    Exit status: 0 fine, 1 watch, 2 needs you, 3 can't be told. The first line is what a plugin of Nagios, Icinga,
    Checkmk or Zabbix shows, with figures behind its bar; docs/monitoring.md has an example of each.
    """
    try:
        told = _tell(config)
    except Exception as error:  # noqa: BLE001 - a traceback would end with 1, which says "watch"
        _unknown(error, as_json=as_json)
    if as_json:
        print_json(told.json[0])
    else:
        for line in told.lines if verbose or sys.stdout.isatty() else told.lines[:1]:
            say(line)
    sys.exit(told.exit_status)


def _tell(config: str | None) -> Told:
    """Ask the running service; where it does not tell, look. Raises RelayError, OSError, TimeoutError."""
    begun, silence = time.monotonic(), ""
    file = find_own_file(config)
    folder = None if file is None else find_storage(file)
    if file is not None and folder is not None:
        try:
            with _in_time(SILENCE + 1):
                for line in ask_service(folder, ShowStatus(digest=digest_of(file)), patience=SILENCE):
                    if isinstance(told := read_answer(line), Told) and told.json:
                        return told
        except NoAnswerError as error:
            silence = str(error)
        except (RelayError, OSError):  # whatever it is: it is found again, or is none of this command's concern
            pass
    with _in_time(LONGEST - (time.monotonic() - begun)):
        from relay.admin.status import look

        return look(load(config), wall_clock(), silence=silence)


@contextmanager
def _in_time(seconds: float) -> Generator[None]:
    """Raise TimeoutError after so many seconds, whatever it hangs at."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"no answer within {LONGEST} s: the disk or the database hangs")

    before = signal.signal(signal.SIGALRM, end)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)


def _unknown(error: Exception, *, as_json: bool) -> NoReturn:
    """End with status 3 and the reason on standard output, where monitoring looks for it."""
    from relay.settings import ConfigurationError

    if isinstance(error, ConfigurationError):
        reasons = list(error.errors)
    elif isinstance(error, OSError) and error.filename:
        reasons = [f"{error.filename}: {error.strerror}"]
    elif isinstance(error, (RelayError, OSError)):
        reasons = [str(error)]
    else:
        reasons = [f"a fault inside of the relay: {type(error).__name__}"]
    if as_json:
        print_json({"grade": "unknown", "reasons": reasons})
    else:
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        say(f"can't be told: {reasons[0].replace('|', '/').replace(chr(10), ' ')}{more}")
        for reason in reasons[1:]:
            say(reason)
    sys.exit(UNKNOWN)
