"""How a command asks: the running service by the control socket, else the same functions in this process.

For the first it reads of the configuration only where the storage folder is, so that the answer is there at once.
"""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.admin.asking import Said, ask_service
from relay.admin.requests import MisuseError
from relay.cli.output import say
from relay.control.client import ControlError, NoAnswerError
from relay.control.lines import Answer
from relay.escaping import printable
from relay.places import PLACES, find_file, find_storage

if TYPE_CHECKING:
    from relay.admin.room import Room

_Conversation = Generator[Answer, Answer | None]


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
    return _listen(_converse(config, request, reads=reads, serves=serves), agree)


def ask_here(room: "Room", request: object) -> Generator[Said]:
    """Answer in this process, by the configuration as it stands on the disk, whatever a service has in force.

    Raises RelayError, and click.UsageError.
    """
    from relay.admin.desk import answer

    return _listen(answer(room, request))


def _listen(conversation: _Conversation, agree: Callable[[Said], bool] | None = None) -> Generator[Said]:
    """Yield what is answered but for questions, which `agree` answers. Raises click.UsageError for wrong usage."""
    reply: Answer | None = None
    try:
        while True:
            try:
                one = conversation.send(reply)
            except StopIteration:
                return
            said, reply = Said(str(one.get("is")), one.get("value")), None
            if said.name == "Question":
                reply = {"yes": agree is not None and agree(said)}
            elif said.name:
                yield said
    except (ControlError, MisuseError) as error:
        if error.kind == MisuseError.kind:
            raise click.UsageError(printable(str(error))) from None
        raise


def _converse(config: str | None, request: object, *, reads: bool, serves: bool) -> _Conversation:
    """Ask the service; where none runs, or it does not even begin to answer, answer in this process."""
    folder, silence = _find_folder(config), ""
    try:
        if folder is not None and (yield from ask_service(folder, request)):
            return
    except NoAnswerError as error:
        silence = str(error)
    from relay.admin.desk import answer
    from relay.cli.alone import open_room, say_stopped

    room = open_room(config, serves=serves, silence=silence)
    yield from answer(room, request)
    if reads and not silence:
        say(say_stopped(room.settings), error=True)


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
