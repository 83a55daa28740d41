"""Reads a password or another secret from its source. No message or exception holds it."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from relay.model.errors import CredentialError
from relay.model.secret import Secret

_MOST = 64 * 1024
"""Octets that are read."""
_PATIENCE = 10.0
"""Seconds that a command may run."""


def read_secret(secret: Secret) -> str:
    """Read a secret. Blocks while it reads a file, or up to 10 s while a command runs.

    Raises CredentialError, which names the source and holds nothing of its content.
    """
    if secret.value:
        return secret.value
    if secret.env is not None:
        source = f"{secret.key}_env {secret.env}"
        content = os.environb.get(os.fsencode(secret.env)) or _Failure("is not set", permanent=True)
    elif secret.file is not None:
        source, content = f"{secret.key}_file {secret.file}", _read_file(secret.file)
    elif secret.command:
        source, content = f"{secret.key}_command", _run(secret.command)
    else:
        source = f"{secret.key}_command" if secret.command is not None else secret.key
        content = _Failure("is empty in the configuration", permanent=True)
    password = content if isinstance(content, _Failure) else _first_line(content)
    if isinstance(password, str):
        return password
    # Raised here, not where it was caught: so that no exception with the content is chained to it.
    raise CredentialError(f"{source}: {password.reason}", permanent=password.permanent)


def check_password_file(file: Path) -> str | None:
    """Return why a file's first line is no usable password; None if it is one, or if the file can't be read."""
    content = _read_file(str(file))
    if isinstance(content, _Failure):
        return None
    password = _first_line(content)
    if isinstance(password, _Failure):
        return f"its first line {password.reason}: {password.advice}"
    return None if password.strip() else "its first line is empty: the password must stand there"


class _Failure(NamedTuple):
    """Why there is no secret."""

    reason: str
    advice: str = ""
    """What to do if it is a password file."""
    permanent: bool = False
    """Whether only a person can help."""


def _read_file(name: str) -> bytes | _Failure:
    try:
        with Path(name).open("rb") as stream:
            return stream.readline(_MOST)
    except OSError as error:
        return _Failure(f"can't be read: {error.strerror}", permanent=isinstance(error, FileNotFoundError))


def _run(command: tuple[str, ...]) -> bytes | _Failure:
    try:
        process = subprocess.Popen(  # noqa: S603 - the administrator's own command, and without a shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return _Failure(f"can't be run: {error.strerror}")
    deadline = time.monotonic() + _PATIENCE
    with process:
        try:
            output = _read_output(process, deadline)
            status = process.wait(max(deadline - time.monotonic(), 0.0))
        except (TimeoutError, subprocess.TimeoutExpired):
            return _Failure(f"did not end within {_PATIENCE:.0f} s")
        finally:
            # Its child processes would keep the pipe open and go on running.
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
    return output if status == 0 else _Failure(f"ended with status {status}")


def _read_output(process: "subprocess.Popen[bytes]", deadline: float) -> bytes:
    """Read a command's whole output, and return its first 64 KiB. Raises TimeoutError."""
    assert process.stdout is not None
    output, pipe = bytearray(), process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if not selector.select(max(deadline - time.monotonic(), 0.0)):
                raise TimeoutError
            chunk = os.read(pipe, _MOST)
            if not chunk:
                return bytes(output)
            output += chunk[: _MOST - len(output)]


def _first_line(content: bytes) -> str | _Failure:
    line = content.splitlines()[0] if content else b""
    try:
        password = line.decode("utf-8-sig")  # some editors begin a file with a mark that nobody sees
    except UnicodeDecodeError:
        return _Failure("is not UTF-8", "save it as UTF-8")
    if not password:
        return _Failure("is empty", "the password must stand there")
    if "\0" in password:
        return _Failure("holds a NUL character", "save it as plain text in UTF-8")
    return password
