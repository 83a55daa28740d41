"""Where no service runs: the command opens the database itself, and is the service for the moment in which it must."""

import os
import time
from collections.abc import Collection

from relay.admin.desk import name_user
from relay.admin.room import Room
from relay.cli.configuration import load, open_storage
from relay.cli.output import say
from relay.events.event import Event
from relay.settings import Settings


def open_room(config: str | None, *, serves: bool = False) -> Room:
    """Load the configuration and open the database. Raises RelayError; ends the command where a mistake is found."""
    by = name_user(os.getuid(), os.environ.get("SUDO_USER", ""))
    settings = load(config, secrets=serves)
    database = open_storage(settings, serves=serves)
    return Room(settings=settings, database=database, service=Alone(settings), by=by, now=time.time_ns() // 1_000_000)


class Alone:
    """Does what a running service would do."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def flush(self, accounts: Collection[str] | None) -> bool:  # noqa: ARG002 - there is nobody to tell
        """Tell that no service runs."""
        return False

    def serve(self) -> None:
        """Be the service until nothing more is due."""
        import asyncio

        from relay import logs
        from relay.supervisor import Service

        log = self._settings.log
        logs.configure(form="console", level=log.level, file=log.file, descriptor=logs.STDERR)

        async def once() -> None:
            service = Service(self._settings)
            await service.start(listen=False)
            try:
                service.delivery.flush()
                await service.delivery.run_until_idle()
            finally:
                await service.stop()

        asyncio.run(once())

    def record(self, event: Event) -> None:
        """Write into the log's file what was done, if there is one."""
        from relay import logs
        from relay.emitting import emit

        log = self._settings.log
        if log.file is not None:
            logs.configure(form=log.format, level=log.level, file=log.file)
            emit(event)

    def rescan(self) -> None:
        """Nothing runs that would have to look."""


def say_stopped(settings: Settings) -> str:
    """Say that no service runs here: what is listed waits for one."""
    start = "`systemctl start relay` or `relay serve`"
    if settings.database.startswith("sqlite"):
        return f"The service is not running ({settings.folder}): nothing is sent or collected until {start} starts it."
    return f"No service runs here ({settings.folder}): only other nodes send and collect, until {start} starts it."


def tell_if_stopped(settings: Settings) -> None:
    """Say on standard error that no service runs here, where none does."""
    from relay.control.client import ControlError, ask

    try:
        if ask(settings.folder, "status") is None:
            say(say_stopped(settings), error=True)
    except ControlError:
        return  # one runs, or this user may not ask
