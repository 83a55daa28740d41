"""`relay account authorize`: a person signs in for an account that logs in by a token."""

import contextlib
import os
import shlex
from typing import Final

import click

from relay.admin.requests import TakeUpLogin
from relay.cli.choosing import Text
from relay.cli.configuration import config_option
from relay.cli.output import say
from relay.cli.telling import ask_from, tell
from relay.places import repeat_option

_LONGEST: Final = 65_536
_PIECE: Final = 4096


@click.command("authorize", short_help="Sign in for an account that logs in by a token.")
@config_option
@click.argument("account", type=Text())
def authorize(config: str | None, account: str) -> None:
    """Sign in for an account with [account.oauth], for the first time or anew; whatever was there before is replaced.

    It shows what to open on any computer. A running service goes on with the new login by itself.
    """
    from relay.admin.authorizing import authorize as sign_in
    from relay.cli.alone import open_room

    room = open_room(config, serves=True, makes=True)
    named = shlex.quote(account) + repeat_option(config, room.settings.path)
    sign_in(room, account, Terminal(), trial=f"relay account test {named}")
    tell(ask_from(room, TakeUpLogin(account=account)))


class Terminal:
    """The person at the terminal."""

    def __init__(self, descriptor: int = 0) -> None:
        """`descriptor`: where lines come from."""
        self._descriptor = descriptor
        self._rest = b""

    def show(self, text: str) -> None:
        """Print some lines."""
        for line in text.split("\n"):
            say(line)

    async def paste(self) -> str | None:
        """Wait for a line of standard input; None at its end."""
        while b"\n" not in self._rest and len(self._rest) < _LONGEST:
            piece = await self._read()
            if not piece and not self._rest:
                return None
            self._rest += piece or b"\n"
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", "replace")

    async def _read(self) -> bytes:
        import asyncio

        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        with contextlib.suppress(OSError):  # a file never lets wait; nothing at all is read as its end
            loop.add_reader(self._descriptor, came.set)
            try:
                await came.wait()
            finally:
                loop.remove_reader(self._descriptor)
        try:
            return os.read(self._descriptor, _PIECE)
        except OSError:
            return b""
