import asyncio

from relay.accounts.landing import Landing


def read(address: str) -> str:
    if "code=right" not in address:
        raise ValueError("is wrong")
    return "right"


async def visit(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_the_first_right_answer_counts_and_nothing_of_a_request_is_shown() -> None:
    complaints: list[str] = []
    async with Landing(read, complaints.append) as landing:
        code = asyncio.create_task(landing.code())
        for request in (
            b"GET /favicon.ico HTTP/1.1\r\n\r\n",
            b"GET /?code=<script> HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /?code=right HTTP/1.1\r\n\r\n",
            b"\xff\x00\r\n\r\n",
        ):
            answer = await visit(landing.port, request)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"script" not in answer
        assert await visit(landing.port, b"x" * 40_000) == b""
        assert not code.done()
        for _ in range(2):
            answer = await visit(landing.port, b"GET /?code=right HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"right" not in answer
        assert await code == "right"
    assert complaints == ["is wrong"]
