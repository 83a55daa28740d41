"""A provider that tells when it has each mail: the number in its `X-Number` field, and the monotonic time.

Run in a process of its own; prints its port, then a line for each mail, stamped when its final dot is read.
"""

import re
import socketserver
import time
from typing import BinaryIO, cast

_NUMBER = re.compile(rb"(?im)^X-Number: *(\d+)")


class _Session(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        lines, replies = cast("BinaryIO", self.rfile), cast("BinaryIO", self.wfile)
        replies.write(b"220 stamps ESMTP\r\n")
        while line := lines.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                replies.write(b"250-stamps\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
            elif verb == b"DATA":
                replies.write(b"354 go on\r\n")
                mail = bytearray()
                while (line := lines.readline()) not in (b".\r\n", b""):
                    mail += line
                now = time.monotonic()
                replies.write(b"250 2.0.0 taken\r\n")
                found = _NUMBER.search(mail)
                if line and found:
                    print(f"{found[1].decode()} {now}", flush=True)
            elif verb == b"QUIT":
                replies.write(b"221 2.0.0 bye\r\n")
                return
            else:
                replies.write(b"250 2.0.0 ok\r\n")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


if __name__ == "__main__":
    with _Server(("127.0.0.1", 0), _Session) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
