"""How a command asks: the running service by the control socket, else the same functions in this process.

For the first it reads of the configuration only where the storage folder is, so that the answer is there at once.
"""

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from relay import __version__
from relay.admin.requests import VERSION, MisuseError
from relay.admin.wire import decode, encode
from relay.cli.output import say, use_zone
from relay.control.client import PATIENCE, ControlError, NoAnswerError, follow
from relay.control.lines import Answer
from relay.escaping import printable
from relay.model.errors import RelayError
from relay.places import PLACES, find_file, find_storage

if TYPE_CHECKING:
    from relay.admin.room import Room

_T = TypeVar("_T")
_Conversation = Generator[Answer, Answer | None]


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
            except ValueError as error:  # a WireError, or tuples of another length
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
        conversation, first, silence = _begin(config, request)
        if conversation is None or first is None:
            conversation = _ask_here(config, request, reads=reads, serves=serves, silence=silence)
            first = next(conversation)
        while first is not None:
            said = Said(str(first.get("is")), first.get("value"))
            if said.name == "":
                use_zone(str(first.get("zone")))
            reply = {"yes": agree is not None and agree(said)} if said.name == "Question" else None
            if said.name not in ("", "Question"):
                yield said
            try:
                first = conversation.send(reply)
            except StopIteration:
                return
    except (ControlError, MisuseError) as error:
        if error.kind == MisuseError.kind:
            raise click.UsageError(printable(str(error))) from None
        raise


def ask_here(room: "Room", request: object) -> Generator[Said]:
    """Answer in this process, by the configuration as it stands on the disk, whatever a service has in force.

    Raises RelayError, and click.UsageError.
    """
    from relay.admin.desk import answer

    try:
        for one in answer(room, request):
            yield Said(one["is"], one["value"])
    except MisuseError as error:
        raise click.UsageError(str(error)) from None


def _begin(config: str | None, request: object) -> tuple[_Conversation | None, Answer | None, str]:
    """Ask the service and return its first answer, and why it is silent; None and an empty text where none runs."""
    folder = _find_folder(config)
    if folder is None:
        return None, None, ""
    conversation = _ask_service(folder, request)
    try:
        return conversation, next(conversation, None), ""
    except NoAnswerError as error:
        return None, None, str(error)


def _find_folder(config: str | None) -> Path | None:
    """Return the storage folder; None where the configuration must be read whole to say what is wrong with it."""
    if (file := find_own_file(config)) is not None:
        return find_storage(file)
    if find_file(config) is None:
        return None
    from relay.cli.configuration import load

    return load(config).folder


def find_own_file(config: str | None) -> Path | None:
    """Return the configuration's file; None where there is none, and where it may be a stranger's who chooses for root.

    Root may just stand in his folder.
    """
    file = find_file(config)
    return None if os.geteuid() == 0 and file == PLACES[0] else file


def write_request(request: object) -> Answer:
    """Write a request for the control socket. Root may say on whose behalf he asks."""
    return {
        "name": type(request).__name__,
        "version": VERSION,
        "program": __version__,
        "by": os.environ.get("SUDO_USER", ""),
        "value": encode(request),
    }


def _ask_service(folder: Path, request: object) -> _Conversation:
    """Ask the running service; yields nothing where none runs."""
    try:
        yield from follow(folder, "ask", patience=PATIENCE, **write_request(request))
    except ControlError as error:
        if str(error) == "unknown request":
            raise ControlError(
                "the running service is of another release than this command: restart it"
                " (`systemctl restart relay`), then try again"
            ) from None
        raise


def _ask_here(config: str | None, request: object, *, reads: bool, serves: bool, silence: str) -> _Conversation:
    """Answer in this process, which opens the database itself. `silence`: a service runs, but gives no answer."""
    from relay.admin.desk import answer
    from relay.cli.alone import open_room, say_stopped

    room = open_room(config, serves=serves, silence=silence)
    yield {"is": "", "zone": str(room.zone)}
    yield from answer(room, request)
    if reads and not silence:
        say(say_stopped(room.settings), error=True)
