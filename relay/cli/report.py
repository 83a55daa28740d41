"""`relay report FILE`: all that somebody needs who helps from afar, and nothing that is not his business."""

from pathlib import Path
from typing import Final

import click

from relay.cli.configuration import config_option, enter
from relay.cli.output import say

_OWN: Final = 0o600


@click.command("report")
@config_option
@click.option("--test", "tests", is_flag=True, help="Log in to all accounts, as `relay account test --all` does.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
def command(config: str | None, *, tests: bool, file: Path) -> None:
    """Write a report for whoever helps you: versions, the configuration, the status, and the last 500 events.

    Passwords and other secrets, comments, subjects and mails are not in it; of each address there is only a hash, which
    is the same all over the report. It is a text: look through it before you send it.
    """
    import contextlib
    import os

    from relay.admin.doctor import examine
    from relay.admin.report import EVENTS, gather, read_journal, store
    from relay.admin.requests import Told, TryAccount
    from relay.cli.alone import open_room
    from relay.model.errors import StateConflictError

    room = open_room(config, serves=tests)
    written = room.settings.path.read_bytes()
    journal = read_journal(room.settings)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _OWN)
    except FileExistsError:
        raise StateConflictError(f"{file} is there already: remove it, or name another one") from None
    except OSError as error:
        reason = (
            f"there is no folder {file.parent}" if isinstance(error, FileNotFoundError) else f"{file}: {error.strerror}"
        )
        raise StateConflictError(f"{reason}: name a file in a folder that you may write into") from None
    try:
        if room.settings.folder.exists():
            enter(room.settings, serves=tests)
        steps = None
        if tests:
            say("Logging in to all accounts ...", error=True)
            told = examine(room, TryAccount(everything=True))
            steps = [step for one in told if isinstance(one, Told) for step in one.json]
        report = gather(room.settings, written, now=room.now, journal=journal, tests=steps)
        store(file, descriptor, report)
    except BaseException:
        with contextlib.suppress(OSError):
            file.unlink()
        raise
    events = len(report["events"])
    say(f"{file}: {events} events of the last {EVENTS}; addresses are hashed, and no secret is in it.")
    if not events:
        say(f"Why there is no event: {report['log']}")
    say("Look through it before you send it.")
