"""A provider and a mailbox that answer one step with whatever the siege gives them."""

import contextlib
import socket
import threading
from typing import Self


class _Server:
    """A server of one thread for each connection; a context manager. `step` is answered with `answer`."""

    def __init__(self) -> None:
        self.step = ""
        self.answer = b""
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            self._greet(connection)
            for line in lines:
                verb = line.split()[0].upper().decode("ascii", "replace") if line.strip() else ""
                if not self._reply(connection, verb, lines):
                    return

    def _say(self, connection: socket.socket, step: str, usual: bytes) -> bool:
        """Answer a step; tells whether it was answered as usual."""
        if step == self.step:
            connection.sendall(self.answer)
            return False
        connection.sendall(usual)
        return True

    def _greet(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def _reply(self, connection: socket.socket, verb: str, lines: object) -> bool:
        raise NotImplementedError


class HostileProvider(_Server):
    """An SMTP server."""

    def _greet(self, connection: socket.socket) -> None:
        self._say(connection, "CONNECT", b"220 provider.example ESMTP\r\n")

    def _reply(self, connection: socket.socket, verb: str, lines: object) -> bool:
        if verb == "DATA":
            if not self._say(connection, "DATA", b"354 go on\r\n"):
                return True
            while next(iter(lines)) != b".\r\n":  # type: ignore[call-overload]  # it is a file
                pass
            return self._say(connection, "DOT", b"250 2.0.0 taken\r\n")
        return self._say(connection, verb, b"250 provider.example\r\n") or verb != "QUIT"


class HostileMailbox(_Server):
    """A POP3 server with one message."""

    _USUAL = {  # noqa: RUF012 - constants
        "CAPA": b"+OK\r\nUIDL\r\nUSER\r\n.\r\n",
        "STAT": b"+OK 1 10\r\n",
        "LIST": b"+OK\r\n1 10\r\n.\r\n",
        "UIDL": b"+OK\r\n1 %d\r\n.\r\n",
        "RETR": b"+OK\r\nSubject: s\r\n\r\nhello\r\n.\r\n",
    }

    def __init__(self) -> None:
        super().__init__()
        self._number = 0

    def _greet(self, connection: socket.socket) -> None:
        self._number += 1
        self._say(connection, "CONNECT", b"+OK ready\r\n")

    def _reply(self, connection: socket.socket, verb: str, lines: object) -> bool:  # noqa: ARG002 - SMTP's need
        usual = self._USUAL.get(verb, b"+OK\r\n")
        if self._say(connection, verb, usual % self._number if b"%d" in usual else usual):
            return verb != "QUIT"
        return self.answer.endswith(b"\r\n.\r\n")  # nobody waits for the end of what has none
