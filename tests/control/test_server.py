import asyncio
import json
import os
import socket
import stat
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from relay.control.client import NAME, ControlError, ask, follow
from relay.control.server import _MOST_REQUESTS, Caller, ControlServer
from relay.model.errors import RelayError
from tests.peers.machine import require_root


@pytest.fixture(params=["short", "deep"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path if request.param == "short" else tmp_path.joinpath(*["a" * 40] * 3)
    path.mkdir(parents=True, exist_ok=True)
    return path


async def test_a_command_reaches_the_service_of_its_folder(folder: Path) -> None:
    done: list[str] = []

    def look(_request: dict[str, Any], _caller: Caller) -> dict[str, Any]:
        done.append("look")
        return {}

    server = ControlServer(folder, {"look": look, "status": lambda *_: {"pid": 7}})
    await server.start()
    assert await asyncio.to_thread(ask, folder, "look") == {"ok": True}
    assert await asyncio.to_thread(ask, folder, "status") == {"ok": True, "pid": 7}
    with pytest.raises(ControlError, match="unknown request"):
        await asyncio.to_thread(ask, folder, "dance")
    assert done == ["look"]
    assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o600
    await server.close()
    assert not (folder / NAME).exists()
    assert ask(folder, "look") is None


async def test_a_socket_that_a_dead_service_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / NAME))
    assert ask(tmp_path, "look") is None
    server = ControlServer(tmp_path, {"look": lambda *_: {}})
    await server.start()
    assert await asyncio.to_thread(ask, tmp_path, "look") == {"ok": True}
    await server.close()


async def test_what_takes_its_time_tells_of_its_progress(tmp_path: Path) -> None:
    async def count(request: dict[str, Any], _caller: Caller) -> AsyncGenerator[dict[str, Any]]:
        for n in range(request["to"]):
            yield {"n": n}

    server = ControlServer(tmp_path, {"count": count})
    await server.start()
    answers = await asyncio.to_thread(lambda: list(follow(tmp_path, "count", to=3)))
    assert answers == [{"ok": True, "n": n} for n in range(3)]
    await server.close()
    assert list(follow(tmp_path, "count", to=3)) == []


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b"{}\n",
        b'{"do": []}\n',
        b"\xff\n",
        b"x" * 10_000 + b"\n",
        b"[" * 60_000 + b"\n",
        b"1" * 60_000 + b"\n",
        b"x" * 200_000,
        b"",
    ],
)
async def test_junk_gets_an_answer_or_none_and_does_no_harm(tmp_path: Path, line: bytes) -> None:
    server = ControlServer(tmp_path, {"look": lambda *_: {}})
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / NAME))
    writer.write(line)
    writer.write_eof()
    answer = await reader.read()
    assert not answer or json.loads(answer)["ok"] is False
    writer.close()
    assert await asyncio.to_thread(ask, tmp_path, "look") == {"ok": True}
    await server.close()


async def test_a_handler_that_fails_is_no_service_that_is_missing(tmp_path: Path) -> None:
    def refuse(_request: dict[str, Any], _caller: Caller) -> dict[str, Any]:
        raise RelayError("not now")

    async def break_down(_request: dict[str, Any], _caller: Caller) -> AsyncGenerator[dict[str, Any]]:
        yield {"n": 1}
        raise ValueError("a fault")

    server = ControlServer(tmp_path, {"refuse": refuse, "break": break_down})
    await server.start()
    with pytest.raises(ControlError, match="not now"):
        await asyncio.to_thread(ask, tmp_path, "refuse")
    with capture_logs() as lines, pytest.raises(ControlError, match="its log says more"):
        await asyncio.to_thread(ask, tmp_path, "break")
    assert [line["event"] for line in lines] == ["activity_failed"]
    await server.close()


async def test_long_and_late_answers_arrive_and_silence_is_named(tmp_path: Path) -> None:
    mistakes = [f"relay.toml: mistake {n}" for n in range(2000)]
    ended = asyncio.Event()

    async def take_time(_request: dict[str, Any], _caller: Caller) -> AsyncGenerator[dict[str, Any]]:
        await ended.wait()
        yield {"mistakes": mistakes}

    server = ControlServer(tmp_path, {"reload": take_time})
    await server.start()
    with pytest.raises(ControlError, match=r"no answer within 0.1 s"):
        await asyncio.to_thread(ask, tmp_path, "reload", patience=0.1)
    ended.set()
    assert await asyncio.to_thread(ask, tmp_path, "reload") == {"ok": True, "mistakes": mistakes}
    await server.close()


@pytest.mark.parametrize("said", [b"", b"nonsense\n", b"[]\n", b'{"ok": false}\n', b'{"mistakes": []}\n'])
async def test_a_service_that_says_nothing_good_has_not_done_it(tmp_path: Path, said: bytes) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, str(tmp_path / NAME))
    with pytest.raises(ControlError):
        await asyncio.to_thread(ask, tmp_path, "reload")
    server.close()


async def test_only_so_many_are_answered_at_a_time(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def wait(_request: dict[str, Any], _caller: Caller) -> AsyncGenerator[dict[str, Any]]:
        yield {"begun": True}
        await ended.wait()

    server = ControlServer(tmp_path, {"wait": wait, "look": lambda *_: {}})
    await server.start()
    connections = []
    for _ in range(_MOST_REQUESTS):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / NAME))
        writer.write(b'{"do": "wait"}\n')
        assert json.loads(await reader.readline()) == {"ok": True, "begun": True}
        connections.append((reader, writer))
    with pytest.raises(ControlError, match="too many requests"):
        await asyncio.to_thread(ask, tmp_path, "look")
    ended.set()
    for reader, writer in connections:
        assert await reader.read() == b""
        writer.close()
    assert await asyncio.to_thread(ask, tmp_path, "look") == {"ok": True}
    await server.close()


async def test_whoever_has_gone_keeps_no_place_for_what_is_still_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.control.server._ALIVE", 0.05)
    ended = asyncio.Event()

    async def poll(_request: dict[str, Any], _caller: Caller) -> AsyncGenerator[dict[str, Any]]:
        yield {"begun": True}
        try:
            await ended.wait()
        except asyncio.CancelledError:
            await ended.wait()  # as a step in a thread, which can't be broken off
            raise

    server = ControlServer(tmp_path, {"poll": poll, "look": lambda *_: {}})
    await server.start()
    for _ in range(_MOST_REQUESTS):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / NAME))
        writer.write(b'{"do": "poll"}\n')
        assert json.loads(await reader.readline()) == {"ok": True, "begun": True}
        writer.transport.abort()
    async with asyncio.timeout(5):
        while server._open:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
    assert await asyncio.to_thread(ask, tmp_path, "look") == {"ok": True}
    ended.set()
    await server.close()


async def test_what_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("precious")
    server = ControlServer(tmp_path, {})
    with pytest.raises(OSError, match="no socket"):
        await server.start()
    await server.close()
    assert (tmp_path / NAME).read_text() == "precious"


@pytest.fixture
def public() -> Generator[Path]:
    """A folder that everybody can enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


async def test_another_user_gets_no_answer_whatever_the_modes_are(public: Path) -> None:
    require_root("to ask as somebody else")
    server = ControlServer(public, {"look": lambda *_: {}})
    await server.start()
    (public / NAME).chmod(0o666)
    with socket.socket(socket.AF_UNIX) as client:
        os.seteuid(65534)
        try:
            client.connect(str(public / NAME))
        finally:
            os.seteuid(0)
        client.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=client)
        writer.write(b'{"do": "look"}\n')
        assert json.loads(await reader.readline())["error"] == "only root and the service's own user may ask"
        writer.close()
    assert await asyncio.to_thread(ask, public, "look") == {"ok": True}
    await server.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_socket_of_somebody_else_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / NAME))
        other.listen()
        (tmp_path / NAME).chmod(0)
        with pytest.raises(ControlError, match="Permission denied"):
            ask(tmp_path, "look")
