"""Reaching servers: dead name servers and black holes keep nobody else waiting."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from relay.model.account import Security, SmtpServer
from relay.upstream import dialing
from relay.upstream.dialing import Address, AuthoritiesError, describe_fault, dial, resolve, tls_context
from relay.upstream.smarthost import ConnectError, connect
from tests.delivery.faults import deaf_port
from tests.peers.dialogue import Dialogue
from tests.peers.machine import free_port
from tests.upstream.conftest import QUICK, Authority

DEAD = "dead.example"


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the look-up of some hosts hang until the test is over; gives the hosts that were looked up."""
    real, over, asked = socket.getaddrinfo, threading.Event(), []

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - as the original has it
        asked.append(host)
        if host.endswith(DEAD):
            over.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    over.set()


async def test_many_dead_names_delay_no_healthy_one(dead: list[str]) -> None:
    hanging = [asyncio.create_task(dial(f"{n}.{DEAD}", 25, seconds=20)) for n in range(40)]
    hanging += [asyncio.create_task(dial(DEAD, 25, seconds=20)) for _ in range(40)]
    await asyncio.sleep(0)
    async with Dialogue("S: 220 hi\n! silence") as server:
        begun = time.monotonic()
        (await dial("localhost", server.port, seconds=20)).close()
        assert time.monotonic() - begun < 5
    assert dead.count(DEAD) == 1  # they share one thread
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


@pytest.mark.usefixtures("dead")
async def test_a_name_that_takes_too_long_is_named() -> None:
    # A name of its own: a look-up that another test left behind answers whoever asks for the same name.
    settings = SmtpServer(host=f"slow.{DEAD}", port=25, security=Security.NONE)
    with pytest.raises(ConnectError, match=r"slow\.dead\.example:25: its name was not resolved in time"):
        await connect(settings, hostname="x", credential=None, timeouts=QUICK.__class__(connect=0.05))


async def test_a_name_is_asked_for_anew_after_no_thread_could_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as crowded:
        crowded.setattr(threading.Thread, "start", _refuse_to_start)
        with pytest.raises(OSError, match="can't start new thread"):
            await resolve("localhost", 25)
    assert await resolve("localhost", 25)


def _refuse_to_start(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


async def test_an_address_is_looked_up_by_nobody() -> None:
    assert [one[4][0] for one in await resolve("127.0.0.1", 25)] == ["127.0.0.1"]
    assert [one[4][0] for one in await resolve("::1", 25)] == ["::1"]
    assert not any(host in ("127.0.0.1", "::1") for host, _ in dialing._running)


@contextmanager
def addresses(monkeypatch: pytest.MonkeyPatch, *where: tuple[str, int]) -> Iterator[None]:
    """Let a name have these addresses."""

    async def found(_host: str, _port: int) -> Sequence[Address]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", one) for one in where]

    with monkeypatch.context() as patched:
        patched.setattr(dialing, "resolve", found)
        yield


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_black_hole_does_not_use_up_the_time(
    monkeypatch: pytest.MonkeyPatch, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def reach() -> None:
        with deaf_port() as hole:
            async with Dialogue("S: 220 hi\nC: EHLO .*\nS: 250 x\nC: QUIT\nS: 221 bye") as server:
                with addresses(monkeypatch, ("127.0.0.1", hole), ("127.0.0.1", server.port)):
                    begun = time.monotonic()
                    settings = SmtpServer(host="two.example", port=25, security=Security.NONE)
                    connection = await connect(settings, hostname="x", credential=None, timeouts=QUICK)
                    assert time.monotonic() - begun < 3
                    await connection.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(reach())


async def test_a_refusal_goes_on_to_the_next_address_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialing, "STAGGER", 60)
    async with Dialogue("S: 220 hi\n! silence") as server:
        with addresses(monkeypatch, ("127.0.0.1", free_port()), ("127.0.0.1", server.port)):
            connected = await dial("two.example", 25, seconds=5)
            assert connected.getpeername()[1] == server.port
            connected.close()


async def test_nobody_there_and_no_answer_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionRefusedError):
        await dial("localhost", free_port(), seconds=5)
    with deaf_port() as hole, addresses(monkeypatch, ("127.0.0.1", hole)), pytest.raises(TimeoutError):
        await dial("hole.example", 25, seconds=0.05)
    with addresses(monkeypatch), pytest.raises(OSError, match="no address"):
        await dial("none.example", 25, seconds=5)


async def test_the_certificate_must_name_the_host_not_its_address(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    hello = "S: 220 hi\nC: EHLO .*\nS: 250 x\nC: QUIT\nS: 221 bye"
    for host, good in (("mail.example", True), ("other.example", False)):
        context = authority.server("mail.example")
        async with Dialogue(hello, context=context, implicit_tls=True) as server:
            with addresses(monkeypatch, ("127.0.0.1", server.port)):
                settings = SmtpServer(host=host, port=465, security=Security.TLS, ca_file=str(authority.ca_file))
                if good:
                    await (await connect(settings, hostname="x", credential=None, timeouts=QUICK)).close()
                else:
                    with pytest.raises(ConnectError, match=r"not valid for 'other\.example'"):
                        await connect(settings, hostname="x", credential=None, timeouts=QUICK)


def test_families_take_turns() -> None:
    six, four = (
        [(family, socket.SOCK_STREAM, 6, "", (n,)) for n in range(2)] for family in (socket.AF_INET6, socket.AF_INET)
    )
    assert dialing._alternate([*six, *four]) == [six[0], four[0], six[1], four[1]]
    assert dialing._alternate([*four]) == four


def test_the_authorities_are_read_once_and_again_when_they_change(authority: Authority) -> None:
    path = str(authority.ca_file)
    first = tls_context(path, verify=True)
    assert tls_context(path, verify=True) is first
    authority.ca_file.touch()
    assert tls_context(path, verify=True) is not first
    assert first.verify_mode is ssl.CERT_REQUIRED
    assert first.check_hostname
    assert first.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls_context(None, verify=False).verify_mode is ssl.CERT_NONE


def test_a_file_of_authorities_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthoritiesError, match=r"ca_file /nowhere.pem can't be read: No such file") as nowhere:
        tls_context("/nowhere.pem", verify=True)
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN RUBBISH-----\n")
    with pytest.raises(AuthoritiesError) as rubbish:
        tls_context(str(path), verify=True)
    assert describe_fault(rubbish.value, "h") == ("4.7.5", f"ca_file {path} holds no certificate")
    assert describe_fault(nowhere.value, "h")[1].startswith("ca_file /nowhere.pem")


def test_faults_are_told_in_words() -> None:
    refused = ConnectionRefusedError(111, "Connection refused")
    outer = RuntimeError("wrapped")
    outer.__cause__ = refused
    assert describe_fault(outer, "h") == ("4.4.1", "h: Connection refused")
    assert describe_fault(TimeoutError(), "h") == ("4.4.1", "h did not answer in time")
    assert describe_fault(ValueError("odd"), "h") == ("4.4.1", "h: odd")
    assert describe_fault(ssl.SSLError(1, "x"), "h")[0] == "4.7.5"
