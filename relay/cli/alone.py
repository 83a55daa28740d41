"""Where no service runs: the command opens the database itself, and is the service for the moment in which it must."""

import asyncio
import os
from collections.abc import Collection, Iterator, Sequence
from functools import cache

from relay.admin.desk import name_user
from relay.admin.requests import Progress, Told
from relay.admin.room import Room
from relay.cli.configuration import enter, load, open_storage
from relay.cli.output import say
from relay.clock import wall_clock
from relay.events.event import Event
from relay.model.account import Account
from relay.model.errors import StateConflictError
from relay.settings import Settings


def open_room(config: str | None, *, serves: bool = False, makes: bool = False, silence: str = "") -> Room:
    """Load the configuration, or end the command where a mistake is found; the database is opened when it is needed.

    `makes`: it is made then where no service has made it yet.
    """
    by = name_user(os.getuid(), os.environ.get("SUDO_USER", ""))
    settings = load(config, secrets=serves)
    return Room(
        settings=settings,
        open_database=cache(lambda: open_storage(settings, serves=serves, makes=makes)),
        service=Alone(settings, silence),
        by=by,
        now=wall_clock(),
    )


class Alone:
    """Does what a running service would do."""

    def __init__(self, settings: Settings, silence: str) -> None:
        self._settings = settings
        self._silence = silence
        """Why the service that runs gives no answer; empty where none runs."""
        self.is_running = bool(silence)

    def flush(self, accounts: Collection[str] | None) -> None:  # noqa: ARG002 - whatever is due is tried
        """Be the service until nothing more is due; one that gives no answer can't be told."""
        if self._silence:
            self.rescan()
            return
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

    def reload(self, by: str) -> list[str]:  # noqa: ARG002 - nothing is done
        """Say that there is nobody to do it."""
        self._require_none()
        raise StateConflictError(
            f"The service is not running ({self._settings.folder}): start it with `systemctl start relay` or"
            " `relay serve`"
        )

    def poll(self, accounts: Sequence[Account]) -> Iterator[Progress | Told]:
        """Be the service for this moment; its news come as they happen."""
        from relay import logs
        from relay.admin.running import follow, poll
        from relay.supervisor import Service

        self._require_none()
        enter(self._settings, serves=True)
        logs.configure(form="console", level="critical", file=self._settings.log.file, descriptor=logs.STDERR)
        with asyncio.Runner() as runner:
            service = Service(self._settings)
            runner.run(service.start(listen=False))
            try:
                yield from follow(poll(service.poller, accounts), runner.run)
            finally:
                runner.run(service.stop())

    def record(self, event: Event) -> None:
        """Write into the log's file what was done, or to standard error: a running service logs it as well.

        Who sits at a terminal is told by the command itself what was done, and reads no log there.
        """
        from relay import logs
        from relay.emitting import emit

        log = self._settings.log
        if log.file is None and os.isatty(logs.STDERR):
            return
        form = "console" if log.file is None else log.format
        logs.configure(form=form, level=log.level, file=log.file, descriptor=logs.STDERR)
        emit(event)

    def rescan(self) -> None:
        """Say when a service that gives no answer sees what was changed."""
        if self._silence:
            say(f"{self._silence}; it takes this up within a minute", error=True)

    def login_changed(self) -> None:
        """Say when a service that gives no answer sees it: a new login is one of the things that were changed."""
        self.rescan()

    def _require_none(self) -> None:
        if self._silence:
            raise StateConflictError(self._silence)


def say_stopped(settings: Settings) -> str:
    """Say that no service runs here: what is listed waits for one."""
    start = "`systemctl start relay` or `relay serve`"
    if settings.database.startswith("sqlite"):
        return f"The service is not running ({settings.folder}): nothing is sent or collected until {start} starts it."
    return f"No service runs here ({settings.folder}): only other nodes send and collect, until {start} starts it."
