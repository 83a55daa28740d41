"""A provider that wants STARTTLS and AUTH: a front on loopback that does both, then hands everything on to smtp-sink.

smtp-sink has no TLS, and answers AUTH in a way that is not RFC 4954's. Run in a process of its own; the arguments are
the sink's port, and the file with key and certificate. It prints its own port.
"""

import asyncio
import contextlib
import ssl
import sys

try:
    import uvloop as _loops
except ImportError:
    import asyncio as _loops  # type: ignore[no-redef]

_PIECE = 65536


class _Front:
    def __init__(self, behind: int, context: ssl.SSLContext) -> None:
        self._behind = behind
        self._context = context

    async def serve(self, client: asyncio.StreamReader, replies: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError, EOFError):
            async with contextlib.AsyncExitStack() as stack:
                stack.callback(replies.close)
                await self._secure(client, replies)
                sink, commands = await asyncio.open_connection("127.0.0.1", self._behind)
                stack.callback(commands.close)
                commands.write(b"EHLO front\r\n")
                while not (await sink.readuntil(b"\n")).startswith(b"250 "):
                    pass
                await asyncio.gather(_pass_on(client, commands), _pass_on(sink, replies))

    async def _secure(self, client: asyncio.StreamReader, replies: asyncio.StreamWriter) -> None:
        """Hold the dialogue up to AUTH."""
        replies.write(b"220 front ESMTP\r\n")
        extensions = b"STARTTLS"
        while True:
            line = await client.readuntil(b"\n")
            verb = line[:4].upper()
            if verb == b"EHLO":
                replies.write(b"250-front\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 %s\r\n" % extensions)
            elif verb == b"STAR":
                replies.write(b"220 2.0.0 go ahead\r\n")
                await replies.start_tls(self._context)
                extensions = b"AUTH PLAIN"
            elif verb == b"AUTH" and extensions != b"STARTTLS" and len(line.split()) == 3:
                replies.write(b"235 2.7.0 welcome\r\n")
                return
            else:
                replies.write(b"530 5.7.0 STARTTLS and AUTH first\r\n")


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE):
        target.write(piece)
        await target.drain()
    target.close()


async def _main(behind: int, certificate: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(_Front(behind, context).serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    _loops.run(_main(int(sys.argv[1]), sys.argv[2]))
