"""What goes over the control socket, and the side that asks: JSON objects, one a line, each way.

A request is `{"do": NAME, ...}`. The service answers with one or several lines `{"ok": true, ...}`; a last line
`{"ok": false, "error": TEXT}` says that it could not do it. While it works on a long answer it sends `{"alive": true}`
every few seconds; work that may take more than half an hour reports how far it is, by lines with `"is": "Progress"`.

Imports nothing that costs time: a command begins with it.
"""

import contextlib
import errno
import json
import os
import socket
import stat
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

from relay.model.errors import RelayError

NAME: Final = "relay.sock"
LONGEST_REQUEST: Final = 1 << 21
"""Octets of one request, with the end of its line."""
LONGEST_ANSWER: Final = 1 << 25
"""Octets of one answer, with the end of its line."""
PATIENCE: Final = 5.0
"""Seconds for what is done at once."""
_MOST_LINES: Final = 1 << 24
"""Of all answers together: more than the progress of any work needs."""
_LONGEST_WORK: Final = 1800.0
"""Seconds of waiting for all answers together, or from one report of progress to the next."""

Answer = dict[str, Any]


class ControlError(RelayError):
    """A service runs, and has not done what it was asked for."""

    kind: str = ""
    """Of the error there, where the service has named it."""


class NoAnswerError(ControlError):
    """A service runs, but has not even begun to answer."""


def ask(folder: Path, do: str, *, patience: float = PATIENCE, **arguments: Any) -> Answer | None:  # noqa: ANN401 - JSON
    """Ask the service of a storage folder and return its last answer; None where none runs.

    Raises ControlError where one runs but gives no answer within `patience` seconds, or says that it could not do it.
    """
    last = None
    for answer in follow(folder, do, patience=patience, **arguments):
        last = answer
    return last


def follow(
    folder: Path,
    do: str,
    *,
    patience: float | None = None,
    **arguments: Any,  # noqa: ANN401 - JSON
) -> Generator[Answer, Answer | None, bool]:
    """Ask the service of a storage folder and yield each of its answers; returns whether one runs.

    What is sent into the generator is sent to the service. Raises ControlError where it says that it could not do it,
    where it is silent for `patience` seconds (None: for ever), and where it comes to no end and reports no progress;
    NoAnswerError where it has said nothing at all.
    """
    connection = connect(folder, patience)
    if connection is None:
        return False
    answered = False
    with connection:
        try:
            connection.sendall(write({"do": do, **arguments}))
            for answer in _read_answers(connection):
                if answer.get("alive"):
                    continue
                if not answer.get("ok"):
                    refused = ControlError(str(answer.get("error") or "the service could not do it"))
                    refused.kind = str(answer.get("kind", ""))
                    raise refused
                answered = True
                reply = yield answer
                if reply is not None:
                    connection.sendall(write(reply))
        except TimeoutError:
            kind = ControlError if answered else NoAnswerError
            raise kind(f"the service has given no answer within {patience:g} s") from None
        except (OSError, ValueError, RecursionError):
            raise ControlError("the service has given no answer that can be read") from None
    if not answered:
        raise NoAnswerError("the service has given no answer: perhaps it is just stopping")
    return True


def _read_answers(connection: socket.socket) -> Iterator[Answer]:
    """Yield what comes, signs of life too. Raises ControlError where there is no end of it, ValueError, OSError."""
    line, waited, count = bytearray(), 0.0, 0
    with connection.makefile("rb") as stream:
        while True:
            begun = time.monotonic()
            came = stream.peek()
            waited += time.monotonic() - begun
            line += stream.readline(min(len(came), LONGEST_ANSWER - len(line)))
            if waited > _LONGEST_WORK or count >= _MOST_LINES:
                raise ControlError("the service goes on answering without an end")
            if came and not line.endswith(b"\n") and len(line) < LONGEST_ANSWER:
                continue
            if not line:
                return
            answer = read(line)
            line, count = bytearray(), count + 1
            if answer.get("is") == "Progress":
                waited = 0.0
            yield answer


def connect(folder: Path, patience: float | None) -> socket.socket | None:
    """Connect to the service of a storage folder; None where none runs. Raises ControlError.

    The socket's file is opened without following a link, and must be of the folder's owner or of root: whoever owns the
    folder must not be able to make root talk to another program's socket.
    """
    path = folder / NAME
    try:
        file = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _shut(path, error) from None
    with contextlib.ExitStack() as undo:
        try:
            _require_ours(path, file)
            client = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.settimeout(patience)
            client.connect(f"/proc/self/fd/{file}")
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise _shut(path, error) from None
        finally:
            os.close(file)
        undo.pop_all()
    return client


def _require_ours(path: Path, file: int) -> None:
    found = os.fstat(file)
    if not stat.S_ISSOCK(found.st_mode):
        raise ControlError(f"{path}: is no socket: remove it")
    if os.geteuid() == 0 and found.st_uid not in (0, path.parent.stat().st_uid):
        raise ControlError(f"{path}: is neither root's nor of the owner of its folder: remove it")


def _shut(path: Path, error: OSError) -> ControlError:
    """Say why the socket can't be used, and to whom it is open."""
    text = f"{path}: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EPERM):
        text += ": only root and the service's own user may ask"
    return ControlError(text)


def read(line: bytes | bytearray) -> Answer:
    """Read the object of a line. Raises ValueError where it is none, and RecursionError."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004 - as json says of what it can't read
    return found


def write(message: Answer) -> bytes:
    """Write an object as a line."""
    return json.dumps(message).encode() + b"\n"


@contextlib.contextmanager
def short_path(folder: Path) -> Iterator[str]:
    """Return the socket's path; a folder too deep for the 108 bytes of an address is reached through a descriptor."""
    path = folder / NAME
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
