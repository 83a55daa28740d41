from pathlib import Path

from relay.submission.body import BodyVersion
from tests.peers.office import open_office


async def test_the_last_chunk_stays_in_memory_the_others_are_written(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        body = BodyVersion(number=1, queue=office.queue, message_id="m" * 26)
        assert (body.rest, body.written_ahead) == ((), False)
        for chunk in (b"one", b"", b"two"):
            await body.add(chunk)
        assert (body.size, body.written_ahead) == (6, True)
        assert body.rest == ((1, 1, b"two"),)
        assert [chunk async for chunk in office.queue.chunks("m" * 26, 1)] == [b"one"]
