"""How a command asks: the running service by the control socket, else the same functions in this process.

For the first it reads of the configuration only where the storage folder is, so that the answer is there at once.
"""

import os
from pathlib import Path

from relay.admin.answers import Note
from relay.admin.asking import ask_service
from relay.admin.wire import encode
from relay.cli.telling import Conversation
from relay.control.client import NoAnswerError
from relay.places import PLACES, find_file, find_storage


def ask(config: str | None, request: object, *, reads: bool = False, serves: bool = False) -> Conversation:
    """Ask the service; where none runs, or it does not even begin to answer, answer in this process.

    `reads`: where no service runs, that is said on standard error. `serves`: the command may become the service, and
    log in. Raises RelayError.
    """
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
        yield {"is": Note.__name__, "value": encode(Note(text=say_stopped(room.settings), is_fault=True))}


def _find_folder(config: str | None) -> Path | None:
    """Return the storage folder; None where the configuration must be read to say what is wrong. Raises RelayError."""
    if (file := find_own_file(config)) is not None:
        return find_storage(file)
    from relay.cli.configuration import load

    return load(config).folder


def find_own_file(config: str | None) -> Path | None:
    """Return the configuration's file; None where there is none, and where root may stand in a stranger's folder."""
    file = find_file(config)
    return None if os.geteuid() == 0 and file == PLACES[0] else file
