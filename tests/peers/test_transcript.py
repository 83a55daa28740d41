import asyncio

from tests.peers.dialogue import Dialogue
from tests.peers.proxy import Proxy
from tests.peers.transcript import write_down


async def test_both_sides_are_written_down_and_nothing_is_changed() -> None:
    said: list[str] = []
    async with (
        Dialogue("S: 220 hello\nC: EHLO x\nS: 250 you\n! close") as server,
        Proxy(("127.0.0.1", server.port), listen=write_down(said.append)) as proxy,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.readline() == b"220 hello\r\n"
        writer.write(b"EHLO x\r\n")
        assert await reader.read() == b"250 you\r\n"
        writer.close()
        await writer.wait_closed()
    assert [line.split(maxsplit=2)[2] for line in said[:3]] == ["S: 220 hello", "C: EHLO x", "S: 250 you"]
