"""A provider that takes everything and keeps the very bytes of DATA: smtp-sink hides the line ends, this one does not.

It is written on sockets alone, so that it shares no code and no mistakes with the relay.
"""

import re
import socketserver
import threading
from typing import BinaryIO, Self

from tests.peers.machine import wait_until
from tests.peers.sink import ReceivedMail


class Recorder:
    """A running server on a free loopback port; a context manager."""

    def __enter__(self) -> Self:
        self.wire: list[bytes] = []
        """What came between DATA and the final dot, the dots still doubled, oldest first."""
        self.mails: list[ReceivedMail] = []
        recorder = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                recorder.talk(self.rfile, self.wfile)  # type: ignore[arg-type]  # what typeshed calls them reads and writes

        socketserver.ThreadingTCPServer.daemon_threads = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, count: int, *, timeout: float = 30) -> list[ReceivedMail]:
        """Wait until so many mails have been received in all, and give them. Raises TimeoutError."""
        wait_until(lambda: len(self.mails) >= count, what=f"{count} mails in the recorder", timeout=timeout)
        return list(self.mails)

    def talk(self, commands: BinaryIO, replies: BinaryIO) -> None:
        """Hold one session."""
        replies.write(b"220 recorder ESMTP\r\n")
        sender, recipients = "", list[str]()
        while line := commands.readline():
            verb = line.split(maxsplit=1)[0].upper() if line.strip() else b""
            if verb == b"EHLO":
                replies.write(b"250-recorder\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING\r\n")
            elif verb == b"DATA":
                replies.write(b"354 go on\r\n")
                self._keep(sender, recipients, commands)
                replies.write(b"250 2.0.0 kept\r\n")
            elif verb == b"QUIT":
                replies.write(b"221 bye\r\n")
                return
            else:
                if verb == b"MAIL":
                    sender, recipients = _path(line), []
                elif verb == b"RCPT":
                    recipients.append(_path(line))
                replies.write(b"250 2.0.0 ok\r\n")

    def _keep(self, sender: str, recipients: list[str], lines: BinaryIO) -> None:
        wire = bytearray(b"\r\n")
        while not wire.endswith(b"\r\n.\r\n"):
            line = lines.readline()
            if not line:
                return
            wire += line
        data = bytes(wire[2:-3])
        self.wire.append(data)
        plain = re.sub(rb"(?m)^\.", b"", data.replace(b"\r\n", b"\n"))
        header, _, body = plain.partition(b"\n\n")
        self.mails.append(
            ReceivedMail(
                reverse_path=sender, parameters=(), recipients=tuple(recipients), header=header + b"\n", body=body
            )
        )


def _path(line: bytes) -> str:
    found = re.search(rb"<(.*)>", line)
    return found[1].decode() if found else ""
