"""Postfix's `smtp-sink` as a provider that takes everything: each mail is kept with its envelope."""

import os
import re
import select
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.peers.machine import end_group, free_port, require_program, wait_for_port, wait_until

_DUMP = re.compile(
    rb"X-Client-Addr: .*\nX-Client-Proto: (?P<protocol>.*)\nX-Helo-Args: .*\n"
    rb"X-Mail-Args: (?P<mail>.*)\n(?P<recipients>(?:X-Rcpt-Args: .*\n)*)"
    rb"Received: .*\n(?:\t.*\n)*",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedMail:
    """One mail as the provider got it. Line ends are LF: smtp-sink writes them so."""

    reverse_path: str
    """Without angle brackets; empty is the null sender."""
    parameters: tuple[str, ...]
    """What followed the path in MAIL, such as `SIZE=1000`."""
    recipients: tuple[str, ...]
    """In the order of the RCPT commands, without angle brackets."""
    header: bytes
    """Without the empty line."""
    body: bytes

    @property
    def data(self) -> bytes:
        """Header, empty line and body."""
        return self.header + b"\n" + self.body

    def field(self, name: str) -> list[bytes]:
        """Give the values of all fields of a name, unfolded by dropping line ends, without white space around."""
        found = re.findall(rb"(?im)^" + name.encode() + rb":((?:.*\n)(?:[ \t].*\n)*)", self.header)
        return [value.replace(b"\n", b"").strip() for value in found]


class Sink:
    """A running smtp-sink; a context manager. `options` are its own: `"-r", "RCPT"` refuses each recipient for now."""

    def __init__(self, *options: str, keep: bool = True) -> None:
        self._options = options
        self._keep = keep
        self._parsed: dict[str, ReceivedMail] = {}

    def __enter__(self) -> Self:
        program = require_program("smtp-sink", package="postfix")
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="sink-")
        self.folder = Path(self._folder.name)
        self.folder.chmod(0o777)  # as root, smtp-sink becomes nobody
        errors = self.folder / "errors"
        command = [program, *(["-u", "nobody"] if os.geteuid() == 0 else []), *self._options]
        command += [*(["-d", "mail."] if self._keep else []), f"127.0.0.1:{self.port}", "128"]
        with errors.open("wb") as stream:
            self._process = subprocess.Popen(command, cwd=self.folder, stderr=stream, start_new_session=True)
        try:
            wait_for_port(self.port, self._process, errors=errors)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        end_group(self._process)
        self._folder.cleanup()

    @property
    def mails(self) -> list[ReceivedMail]:
        """All mails that were received whole so far, oldest first."""
        for path in self._complete():
            if path.name not in self._parsed:
                self._parsed[path.name] = _parse(path.read_bytes())
        return list(self._parsed.values())

    def wait_for(self, count: int, *, timeout: float = 30) -> list[ReceivedMail]:
        """Wait until so many mails have been received in all, and give them. Raises TimeoutError."""
        wait_until(lambda: len(self._complete()) >= count, what=f"{count} mails in the sink", timeout=timeout)
        return self.mails

    def wait_for_end(self, *, timeout: float = 120) -> None:
        """Wait until it ends by itself, as `-M 1000` makes it after a thousand mails. Raises TimeoutError.

        It ends at the final dot of the last mail, which gets no reply. The end is seen at once, to measure by.
        """
        ended = os.pidfd_open(self._process.pid)
        try:
            if not select.select([ended], [], [], timeout)[0]:
                raise TimeoutError(f"the sink did not get all its mails within {timeout} s")
        finally:
            os.close(ended)

    def _complete(self) -> list[Path]:
        # What smtp-sink still holds open, or opened between the two looks, is not whole.
        found = list(self.folder.glob("mail.*"))
        open_files = set()
        for link in Path(f"/proc/{self._process.pid}/fd").iterdir():
            try:
                open_files.add(link.readlink().name)
            except FileNotFoundError:
                continue
        return sorted((p for p in found if p.name not in open_files), key=lambda path: path.stat().st_mtime_ns)


def _parse(dump: bytes) -> ReceivedMail:
    envelope = _DUMP.match(dump)
    assert envelope is not None, dump[:500]
    path, _, parameters = envelope["mail"].decode().partition(">")
    message = dump[envelope.end() : -1]  # smtp-sink puts an empty line after each mail
    header, found, body = message.partition(b"\n\n")
    if message.startswith(b"\n"):
        header, found, body = b"", b"\n", message[1:]
    return ReceivedMail(
        reverse_path=path.removeprefix("<"),
        parameters=tuple(parameters.split()),
        recipients=tuple(re.findall(r"<(.*)>", envelope["recipients"].decode())),
        header=header + (b"\n" if found == b"\n\n" else b""),
        body=body,
    )
