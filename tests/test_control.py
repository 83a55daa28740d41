import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.control import NAME, ControlServer, ask, follow


@pytest.fixture(params=["short", "deep"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path if request.param == "short" else tmp_path.joinpath(*["a" * 40] * 3)
    path.mkdir(parents=True, exist_ok=True)
    return path


async def test_a_command_reaches_the_service_of_its_folder(folder: Path) -> None:
    done: list[str] = []

    def look(_request: dict[str, object]) -> dict[str, object]:
        done.append("look")
        return {}

    server = ControlServer(folder, {"look": look, "status": lambda _: {"pid": 7}})
    await server.start()
    assert await asyncio.to_thread(ask, folder, "look") == {"ok": True}
    assert await asyncio.to_thread(ask, folder, "status") == {"ok": True, "pid": 7}
    assert await asyncio.to_thread(ask, folder, "dance") == {"ok": False, "error": "unknown request"}
    assert done == ["look"]
    assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o600
    await server.close()
    assert not (folder / NAME).exists()
    assert ask(folder, "look") is None


async def test_a_socket_that_a_dead_service_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / NAME))
    assert ask(tmp_path, "look") is None
    server = ControlServer(tmp_path, {"look": lambda _: {}})
    await server.start()
    assert await asyncio.to_thread(ask, tmp_path, "look") == {"ok": True}
    await server.close()


async def test_what_takes_its_time_tells_of_its_progress(tmp_path: Path) -> None:
    async def count(request: dict[str, int]) -> AsyncIterator[dict[str, int]]:
        for n in range(request["to"]):
            yield {"n": n}

    server = ControlServer(tmp_path, {"count": count})
    await server.start()
    answers = await asyncio.to_thread(lambda: list(follow(tmp_path, "count", to=3)))
    assert answers == [{"ok": True, "n": n} for n in range(3)]
    await server.close()
    assert list(follow(tmp_path, "count", to=3)) == []


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"{}\n", b'{"do": []}\n', b"\xff\n", b"x" * 10_000 + b"\n", b""])
async def test_junk_gets_an_answer_or_none_and_does_no_harm(tmp_path: Path, line: bytes) -> None:
    server = ControlServer(tmp_path, {"look": lambda _: {}})
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / NAME))
    writer.write(line)
    writer.write_eof()
    answer = await reader.read()
    assert not answer or json.loads(answer)["ok"] is False
    writer.close()
    assert await asyncio.to_thread(ask, tmp_path, "look") == {"ok": True}
    await server.close()
