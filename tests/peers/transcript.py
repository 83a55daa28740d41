"""Writes down what both sides of a connection say: a proxy to be put between a client and a server.

    python -m tests.peers.transcript 127.0.0.1:2525

prints a port of its own, then each line: `C:` from whoever connects there, `S:` from the server behind it, each with
the number of the connection and the seconds since it began. TLS makes it unreadable; switch it off for the look.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Callable

from tests.peers.proxy import Hear, Proxy

_LONGEST = 200
"""Octets of a line that are shown."""


def write_down(say: Callable[[str], None]) -> Callable[[int], Hear]:
    """Return what a proxy's `listen` is to be, so that `say` is given each line of each connection."""

    def listen(number: int) -> Hear:
        began = time.monotonic()
        rests = {"C": b"", "S": b""}

        def note(side: str, line: bytes) -> None:
            shown = line.rstrip(b"\r\n")
            more = f" ... ({len(shown):,} octets)" if len(shown) > _LONGEST else ""
            text = shown[:_LONGEST].decode("utf-8", "backslashreplace")
            say(f"{number} {time.monotonic() - began:7.3f} {side}: {text}{more}")

        def hear(side: str, octets: bytes) -> None:
            if side == "-":
                note(side, b"closed")
                return
            *lines, rests[side] = (rests[side] + octets).split(b"\n")
            if not octets and rests[side]:
                lines.append(rests[side])
            for line in lines:
                note(side, line)

        return hear

    return listen


async def _main(host: str, port: int) -> None:
    async with Proxy((host, port), listen=write_down(lambda line: print(line, flush=True))) as proxy:
        print(f"connect to 127.0.0.1:{proxy.port}", file=sys.stderr, flush=True)
        await proxy.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="host:port")
    server_host, _, server_port = parser.parse_args().server.rpartition(":")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(server_host, int(server_port)))
