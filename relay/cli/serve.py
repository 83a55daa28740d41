"""`relay serve`: the service in the foreground, as systemd wants it."""

import asyncio
import contextlib
import faulthandler
import gc
import resource
import signal
import sys

import click

from relay.cli.configuration import DONE, FAILED, config_option, enter, fail, load
from relay.cli.output import say
from relay.model.errors import StorageBusyError
from relay.settings import Settings

_FIRST_OPEN_PORT = 1024
"""Ports below it are root's."""
_YOUNG = 2_000
"""Containers that have come, less those that have gone, at which the collector of cycles looks through them.

A mail leaves next to none: at Python's 700 it looks dozens of times a second in vain, which took 2 % of the time of
each mail (decision 41).
"""
_SETTLED = 5.0
"""Seconds after which what a service keeps has been imported, that which it imports behind its listeners as well."""


@click.command("serve")
@config_option
@click.option("--condition", is_flag=True, hidden=True, help="Only say whether there is an account to serve.")
def command(config: str | None, *, condition: bool) -> None:
    """Run the service until SIGTERM or Ctrl-C; SIGHUP reads the configuration anew.

    Started by root, it becomes the user who owns the storage folder, and keeps the right to open ports below 1024.
    """
    if condition:
        sys.exit(_look_for_account(config))
    # Until somebody obeys it, SIGHUP would end the process: it waits, and what changes meanwhile is read then.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    from relay.admin.unusable import warn_of_owner
    from relay.settings.login_sources import LENIENT

    settings = warn_of_owner(load(config, secrets=True, lenience=LENIENT))
    enter(settings, serves=True, low_ports=any(0 < listener.port < _FIRST_OPEN_PORT for listener in settings.listeners))
    from relay import logs
    from relay.supervisor import Service

    to_terminal = settings.log.file is None and sys.stdout.isatty()
    sink = logs.configure(
        form=settings.log.format,
        level=settings.log.level,
        file=settings.log.file,
        colors=to_terminal,
        for_good=True,
    )

    with contextlib.suppress(RuntimeError, ValueError, OSError):  # no standard error, or a closed one
        faulthandler.enable()  # systemd ends a service that stands still by SIGABRT: the journal says where it stood
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # each session is an open file

    async def run() -> bool:
        service = Service(settings, sink=sink)
        service.handle_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        try:
            await service.start()
        except StorageBusyError as error:
            fail(_tell_running(error, settings))
        asyncio.get_running_loop().call_later(_SETTLED, _tidy_up)
        return await service.run()

    try:
        import uvloop
    except ImportError:
        is_good = asyncio.run(run())
    else:
        is_good = uvloop.run(run())
    if not is_good:
        sys.exit(FAILED)


def _tidy_up() -> None:
    gc.collect()  # half a megabyte; at the start the first clients would wait for it
    gc.freeze()  # what is there now stays: it is not looked through again and again
    gc.set_threshold(_YOUNG)


def _tell_running(error: StorageBusyError, settings: Settings) -> str:
    """Say what to do where a service runs already: whoever starts a second one need not stop the first."""
    from relay.control.client import ControlError, ask

    try:
        runs = ask(settings.folder, "status") is not None
    except ControlError:
        runs = False
    if not runs:  # a command that is the service for a moment, or one with another folder and the same database
        return str(error)
    who = f" (process {error.holder})" if error.holder else ""
    return (
        f"{settings.folder}: the service is running here already{who}: nothing to start. After a change of"
        f" {settings.path.name}: `relay reload`. To start it afresh: `systemctl restart relay`"
    )


def _look_for_account(config: str | None) -> int:
    """Give the status that the unit's ExecCondition= asks for: 1, with one sentence, where there is no account yet.

    A configuration with mistakes is no such case: the service itself is to fail on it, and to name them.
    """
    from relay.settings import ConfigurationError

    try:
        settings = load(config)
    except ConfigurationError:
        return DONE
    if settings.directory.accounts:
        return DONE
    say(f"The mail service waits for its first account: relay init makes it, in {settings.path}")
    return FAILED
