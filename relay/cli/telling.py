"""How a command asks, and what it does with the answers: it prints them, and asks the person where it has to.

The running service is asked by the control socket, else the same functions in this process. For the first only the
storage folder is read of the configuration, so that the answer is there at once.
"""

import os
import sys
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import click

from relay.admin.requests import MisuseError, Note, Progress, Question, Told
from relay.admin.wire import ask_service, encode, read_answer
from relay.cli.output import Bars, Column, JsonPrinter, confirm_many, print_facts, print_list, say
from relay.control.client import Answer as Line
from relay.control.client import ControlError, NoAnswerError
from relay.escaping import printable
from relay.model.errors import RelayError
from relay.places import PLACES, find_file, find_storage, name_file

if TYPE_CHECKING:
    from relay.admin.room import Room

Conversation: TypeAlias = Generator[Line, Line | None]
"""Gives the answers to a request, and takes what is said to a question."""
_MOST_KEPT: Final = 100
"""Lines for people that wait for the end of the JSON: who says more is no service of ours."""


def tell(
    conversation: Conversation, *, columns: Sequence[Column] = (), as_json: bool = False, single: bool = False
) -> None:
    """Print all that is answered, and end the command with the status that was told, if it is not 0.

    See `print_answers`, which goes on.
    """
    if status := print_answers(conversation, columns=columns, as_json=as_json, single=single):
        sys.exit(status)


def print_answers(
    conversation: Conversation, *, columns: Sequence[Column] = (), as_json: bool = False, single: bool = False
) -> int:
    """Print all that is answered; return the status with which a command ends that does nothing else.

    `columns`: of the tables. `as_json`: print what programs read, as a list; `single`: one thing, in no list.
    Raises RelayError, and click.UsageError for wrong usage.
    """
    printed, status, things = JsonPrinter(single=single), 0, 0
    below = deque[str](maxlen=_MOST_KEPT)
    with Bars(quiet=as_json) as bars:
        for answer in _listen(conversation, columns, bars):
            if isinstance(answer, Note):
                if as_json:
                    below += [answer.text] * answer.is_fault
                else:
                    say(answer.text, error=answer.is_fault)
                continue
            status = max(status, answer.exit_status)
            if as_json:
                printed.add(answer.json)
                below += [answer.nothing] * bool(answer.nothing and answer.nothing_matters)
                continue
            if answer.nothing:
                say(answer.nothing)
            if answer.facts and (things := things + 1) > 1:
                say()
            show(answer, columns)
    if as_json:
        printed.end()
    for line in below:
        say(line, error=True)
    return status


def _listen(conversation: Conversation, columns: Sequence[Column], bars: Bars) -> Generator[Told | Note]:
    """Yield what is to be printed; questions go to the person. Raises click.UsageError for wrong usage."""
    reply: Line | None = None
    while True:
        try:
            answer, reply = read_answer(conversation.send(reply)), None
        except StopIteration:
            return
        except (ControlError, MisuseError) as error:
            if error.kind == MisuseError.kind:
                raise click.UsageError(printable(str(error))) from None
            raise
        if isinstance(answer, Progress):
            bars.show(answer.what, answer.done, answer.total)
            continue
        bars.hide()
        if isinstance(answer, Question):
            for one in answer.about:
                show(one, columns)
            confirm_many(answer.text, yes=False, unasked=answer.unasked)
            reply = {"yes": True}
        elif answer is not None:
            yield answer


def show(told: Told, columns: Sequence[Column]) -> None:
    """Print what people read."""
    if any(len(row) != len(columns) for row in told.rows):
        raise RelayError("the answer can't be read: its table has other columns")
    if told.rows:
        print_list(columns, told.rows)
    print_facts(told.facts)
    for line in told.lines:
        say(line)


def ask(config: str | None, request: object, *, reads: bool = False, serves: bool = False) -> Conversation:
    """Ask the service; where none runs, or it does not even begin to answer, answer in this process.

    `reads`: where no service runs, that is said on standard error. `serves`: the command may become the service, and
    log in. Raises RelayError.
    """
    file, silence = find_own_file(config), ""
    if file is None:  # the configuration must be read to say what is wrong
        from relay.cli.configuration import load

        folder: Path | None = load(config).folder
    else:
        folder = find_storage(file)
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


def ask_from(room: "Room", request: object) -> Conversation:
    """Ask the service as `ask` does, for a command that may not be able to read the configuration any more."""
    from relay.admin.desk import answer

    try:
        if (yield from ask_service(room.settings.folder, request)):
            return
    except NoAnswerError as error:
        yield {"is": Note.__name__, "value": encode(Note(text=str(error), is_fault=True))}
    yield from answer(room, request)


def find_own_file(config: str | None) -> Path | None:
    """Return the configuration's file; None where there is none, and where root may stand in a stranger's folder."""
    file = find_file(config)
    return None if os.geteuid() == 0 and file == PLACES[0] and not name_file(config) else file
