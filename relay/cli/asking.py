"""How a command asks: the running service by the control socket, else the same functions in this process.

For the first it reads of the configuration only where the storage folder is, so that the answer is there at once.
"""

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from relay import __version__
from relay.admin.requests import VERSION, MisuseError
from relay.admin.wire import WireError, decode, encode
from relay.cli.output import say, use_zone
from relay.control.client import PATIENCE, ControlError, NoAnswerError, follow
from relay.control.lines import Answer
from relay.model.errors import RelayError
from relay.places import PLACES, find_file, find_storage

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Said:
    """One answer."""

    name: str
    json: Any

    def read(self, kind: type[_T]) -> _T:
        """Read the answer as one of a type. Raises RelayError where it is another."""
        if self.name == kind.__name__:
            try:
                return decode(kind, self.json)
            except WireError as error:
                raise RelayError(f"the answer can't be read: {error}") from None
        raise RelayError(f"the answer can't be read: {self.name} in place of {kind.__name__}")


def ask(
    config: str | None,
    request: object,
    *,
    reads: bool = False,
    serves: bool = False,
    agree: Callable[[Said], bool] | None = None,
) -> Generator[Said]:
    """Ask, and yield each answer. Raises RelayError, and click.UsageError.

    `reads`: where no service runs, that is said on standard error. `serves`: the command may become the service, and
    log in. `agree` answers a question in between.
    """
    try:
        folder = _find_folder(config)
        conversation = None if folder is None else _ask_service(folder, request)
        first = None if conversation is None else next(conversation, None)
        if conversation is None or first is None:
            conversation = _ask_here(config, request, reads=reads, serves=serves)
            first = next(conversation, None)
        while first is not None:
            said = Said(first["is"], first.get("value"))
            if said.name == "":
                use_zone(first["zone"])
            reply = {"yes": agree is not None and agree(said)} if said.name == "Question" else None
            if said.name not in ("", "Question"):
                yield said
            try:
                first = conversation.send(reply)
            except StopIteration:
                return
    except ControlError as error:
        if error.kind == MisuseError.kind:
            raise click.UsageError(str(error)) from None
        raise
    except MisuseError as error:
        raise click.UsageError(str(error)) from None


def _find_folder(config: str | None) -> Path | None:
    """Return the storage folder; None where the configuration must be read whole to say what is wrong with it."""
    file = find_file(config)
    if file is None:
        return None
    if os.geteuid() == 0 and file == PLACES[0]:  # root stands in somebody's folder: looked at before it is believed
        return None
    return find_storage(file)


def _ask_service(folder: Path, request: object) -> Generator[Answer, Answer | None]:
    """Ask the running service; yields nothing where none runs, or where it gives no answer at all."""
    told = {
        "name": type(request).__name__,
        "version": VERSION,
        "program": __version__,
        "by": os.environ.get("SUDO_USER", ""),
        "value": encode(request),
    }
    try:
        yield from follow(folder, "ask", patience=PATIENCE, **told)
    except NoAnswerError:
        return
    except ControlError as error:
        if str(error) == "unknown request":
            raise ControlError(
                "the running service is of another release than this command: restart it"
                " (`systemctl restart relay`), then try again"
            ) from None
        raise


def _ask_here(config: str | None, request: object, *, reads: bool, serves: bool) -> Generator[Answer, Answer | None]:
    """Answer in this process, which opens the database itself."""
    from relay.admin.desk import answer
    from relay.cli.alone import open_room, say_stopped

    room = open_room(config, serves=serves)
    yield {"is": "", "zone": str(room.zone)}
    yield from answer(room, request)
    if reads:
        say(say_stopped(room.settings), error=True)
