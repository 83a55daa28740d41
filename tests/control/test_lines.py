"""What goes over the control socket is one object a line, of a length that is bounded."""

import asyncio
from pathlib import Path

import pytest

from relay.control.client import ask
from relay.control.lines import LONGEST_REQUEST, NAME, Answer, read, write
from relay.control.server import ControlServer


@pytest.mark.parametrize("text", ["", "x" * 100, '\n"\\\x00ä' * 100_000])
def test_an_object_is_one_line(text: str) -> None:
    line = write({"do": "x", "text": text})
    assert line.index(b"\n") == len(line) - 1
    assert read(line) == {"do": "x", "text": text}


@pytest.mark.parametrize("line", [b"", b"[]\n", b"5\n", b"\xff\n"])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"object|Expecting|decode"):
        read(line)


async def test_a_long_request_is_taken_and_one_that_is_too_long_is_not(tmp_path: Path) -> None:
    server = ControlServer(tmp_path, {"count": lambda request, _: {"size": len(request["text"])}})
    await server.start()
    long: Answer = {"ok": True, "size": LONGEST_REQUEST - 100}
    assert await asyncio.to_thread(ask, tmp_path, "count", text="x" * long["size"]) == long
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / NAME))
    writer.write(write({"do": "count", "text": "x" * LONGEST_REQUEST}))
    assert b"unknown request" in await reader.read()
    writer.close()
    await server.close()
