"""Forms over real HTTP, and answers that no real server gives."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
import trustme

from relay.upstream.posting import LARGEST, PostError, connect_to, post_form
from tests.peers.dialogue import Dialogue
from tests.peers.machine import free_port

FORM = {"grant_type": "refresh_token", "refresh_token": "sesame&=é"}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/token")
            self.end_headers()
            return
        self.send_response(400 if self.path == "/refused" else 200)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers['Host']} {form['refresh_token'][0]}".encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the standard library has it
        pass


@pytest.fixture
def http() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("path", "status"), [("/token?x=y", 200), ("/refused", 400)])
async def test_a_form_is_posted_and_any_status_is_an_answer(http: ThreadingHTTPServer, path: str, status: int) -> None:
    answer = await post_form(f"http://127.0.0.1:{http.server_port}{path}", FORM)
    assert answer.status == status
    assert answer.body.decode() == f"{path} 127.0.0.1:{http.server_port} sesame&=é"
    assert "sesame" not in repr(answer)


async def test_no_redirect_is_followed(http: ThreadingHTTPServer) -> None:
    assert (await post_form(f"http://127.0.0.1:{http.server_port}/elsewhere", FORM)).status == 302


async def test_a_certificate_is_verified_and_whoever_connects_may_say_by_whom(http: ThreadingHTTPServer) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    url = f"https://127.0.0.1:{http.server_port}/token"
    with pytest.raises(PostError, match="certificate"):
        await post_form(url, FORM)

    async def connect(
        host: str, port: int, context: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert context is not None
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        return await connect_to(host, port, trusting)

    assert (await post_form(url, FORM, connect=connect)).status == 200


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("! silence", "did not answer in time"),
        ("! close", "without an answer|no HTTP|closed"),
        ("S: 220 this is SMTP\n! close", "no HTTP"),
        ("S: HTTP/1.1 200 OK\nS: Content-Length: 10\nS> \n! close", "no HTTP"),
        ("S: HTTP/1.1 200 OK\nS: \x01sesame\n! close", "no HTTP"),
        ("S: HTTP/1.1 200 OK\n" + "S: X: " + "x" * 70_000 + "\n! silence", "no HTTP"),
        ("S: HTTP/1.1 200 OK\nS> \\x0d\\x0a" + "x" * (LARGEST + 1) + "\n! silence", "too large"),
    ],
)
async def test_what_is_no_answer_is_told_without_what_was_sent(answer: str, says: str) -> None:
    async with Dialogue(f"C: POST /token .*\n{answer}") as server:
        with pytest.raises(PostError, match=says) as error:
            await post_form(f"http://127.0.0.1:{server.port}/token", FORM, seconds=1)
    assert "sesame" not in str(error.value)
    assert error.value.__context__ is None or "sesame" not in str(error.value.__context__)


async def test_a_server_that_is_not_there() -> None:
    with pytest.raises(PostError, match="refused"):
        await post_form(f"http://127.0.0.1:{free_port()}/token", FORM)
