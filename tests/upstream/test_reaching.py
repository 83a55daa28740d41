"""IPv4 and IPv6 are tried apart: a connection that succeeds by one of them hides that the other one is broken."""

import errno
import socket
from typing import Any

import pytest

from relay.model.account import Security, SmtpServer
from relay.upstream import reaching
from relay.upstream.course import Course, Step
from relay.upstream.reaching import find_host
from tests.delivery.faults import deaf_port
from tests.peers.dialogue import Dialogue

BOTH = "both.example"


@pytest.fixture(autouse=True)
def _both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one name have an address of each family, as a name server would say."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - as the original has it
        hosts = ("::1", "127.0.0.1") if host == BOTH else (host,)
        return [entry for one in hosts for entry in real(one, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


async def steps_to(host: str, port: int) -> list[Step]:
    course = Course(lambda _: None, {})
    await find_host(course, SmtpServer(host=host, port=port, security=Security.NONE))
    return sorted(course.steps, key=lambda step: step.name)


async def test_ipv6_that_is_broken_is_told_though_ipv4_works() -> None:
    async with Dialogue("! close") as server:
        four, six, found = await steps_to(BOTH, server.port)
    assert found.text == "::1, 127.0.0.1"
    assert (four.name, four.good, four.warns, four.text) == ("connect over IPv4", True, False, "127.0.0.1")
    assert (six.name, six.good, six.warns) == ("connect over IPv6", True, True)
    assert six.text == "::1: Connection refused"
    assert "can't be reached over IPv6; connections then go over IPv4" in six.advice
    assert six.seconds < 1


async def test_a_family_that_swallows_everything_is_told_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_FAMILY", 0.1)
    with deaf_port() as port:
        four, six, _ = await steps_to(BOTH, port)
    assert "did not answer in time" in four.text
    assert "over IPv4; connections then go over IPv6" in four.advice
    assert six.warns


async def test_a_machine_without_ipv6_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_NOT_HERE", (errno.ECONNREFUSED,))  # what this machine answers for ::1
    async with Dialogue("! close") as server:
        _, six, _ = await steps_to(BOTH, server.port)
    assert (six.good, six.warns, six.advice) == (True, False, "")
    assert six.text == "this machine has no IPv6 to the internet, IPv4 is used"


async def test_the_only_family_of_a_server_is_tried_by_the_connection_alone() -> None:
    async with Dialogue("! close") as server:
        (found,) = await steps_to("127.0.0.1", server.port)
        assert server.connections == 0
    assert found.good
