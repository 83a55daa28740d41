"""A small blocking SMTP client that knows when it sent what; `monotonic` times can be compared among processes."""

import base64
import socket
import ssl
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_TIMEOUT = 60


class Client:
    """One session, a context manager. Every method raises RuntimeError at a reply that is not the expected one."""

    def __init__(self, port: int, *, ca_file: Path | None = None, login: str = "", password: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._socket.makefile("rb")
        self._expect(b"220")
        self._say(b"EHLO client.example", b"250")
        if ca_file is not None:
            self._say(b"STARTTLS", b"220")
            context = ssl.create_default_context(cafile=str(ca_file))
            self._socket = context.wrap_socket(self._socket, server_hostname="localhost")
            self._replies = self._socket.makefile("rb")
            self._say(b"EHLO client.example", b"250")
        if login:
            token = base64.b64encode(f"\0{login}\0{password}".encode())
            self._say(b"AUTH PLAIN " + token, b"235")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._say(b"QUIT", b"221")
        self._replies.close()
        self._socket.close()

    def ask(self) -> float:
        """Say NOOP; gives the seconds until its reply."""
        asked = time.monotonic()
        self._say(b"NOOP", b"250")
        return time.monotonic() - asked

    def send(self, sender: str, recipient: str, mail: bytes) -> tuple[float, float]:
        """Hand in a mail (line ends CRLF, no line begins with a dot); gives when its final dot went, and its 250 came.

        All of it, with the final dot, goes in one piece.
        """
        self._say(f"MAIL FROM:<{sender}>".encode(), b"250")
        self._say(f"RCPT TO:<{recipient}>".encode(), b"250")
        self._say(b"DATA", b"354")
        sent = time.monotonic()
        self._socket.sendall(mail + b".\r\n")
        self._expect(b"250")
        return sent, time.monotonic()

    def _say(self, command: bytes, code: bytes) -> None:
        self._socket.sendall(command + b"\r\n")
        self._expect(code)

    def _expect(self, code: bytes) -> None:
        line = self._replies.readline()
        while line[3:4] == b"-":
            line = self._replies.readline()
        if not line.startswith(code):
            raise RuntimeError(f"{line!r} instead of {code!r}")


def write_mail(number: int, length: int) -> bytes:
    """Write a mail with a body of so many octets; `X-Number` identifies it."""
    header = b"From: sales@example.com\r\nSubject: a mail\r\nX-Number: %d\r\n\r\n" % number
    return header + (b"y" * 78 + b"\r\n") * (length // 80)
