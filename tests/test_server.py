"""The sockets of a listener: where it listens, whom it turns away, how it ends."""

import asyncio
import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from relay.model.errors import RelayError
from relay.settings import ListenerTls
from tests.intake.conftest import open_listener


async def reply_of(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    line = await reader.readline()
    writer.close()
    return line


async def test_all_addresses_means_ipv4_and_ipv6() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("needs IPv6")
    async with open_listener(host="::") as running:
        assert (await reply_of("127.0.0.1", running.server.port)).startswith(b"220 ")
        assert (await reply_of("::1", running.server.port)).startswith(b"220 ")
    async with open_listener(host="::", networks=(ip_network("10.0.0.0/8"),)) as running:
        assert (await reply_of("127.0.0.1", running.server.port)).startswith(b"554 5.7.1 127.0.0.1 ")


async def test_a_name_listens_on_all_its_addresses_with_one_port() -> None:
    async with open_listener(host="localhost") as running:
        assert (await reply_of("127.0.0.1", running.server.port)).startswith(b"220 ")


async def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(RelayError, match=r"can't listen on 192\.0\.2\.1 port 0: "):
        async with open_listener(host="192.0.2.1"):
            pass


async def test_a_port_in_use_is_named() -> None:
    async with open_listener() as running:
        with pytest.raises(RelayError, match=f"port {running.server.port}: Address already in use"):
            async with open_listener(port=running.server.port):
                pass


async def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    key = tmp_path / "key.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(key)
    for certificate in (junk, tmp_path / "missing.pem"):
        keys: dict[str, Any] = {"certificate": certificate, "private_key": key}
        with pytest.raises(RelayError, match=f"certificate {certificate}: "):
            async with open_listener(tls=(ListenerTls.STARTTLS, keys)):
                pass


async def test_strangers_and_crowds_are_turned_away_and_logged() -> None:
    with capture_logs() as lines:
        async with open_listener(networks=(ip_network("10.0.0.0/8"),)) as running:
            client = await running.connect()
            assert (await client.read()).startswith("554 5.7.1")
            assert await client.read() == ""
        async with open_listener(limits={"connections_per_client": 2}) as running:
            first = await running.greeted()
            await running.greeted()
            assert (await (await running.connect()).read()).startswith("421 4.3.2")
            other = await running.connect(source="127.0.0.2")
            assert (await other.read()).startswith("220")
            await first.say("QUIT")
            await first.read()
            await running.greeted()
    assert [line["code"] for line in lines if line["event"] == "session_refused"] == [554, 421]


async def test_a_drain_lets_a_running_mail_end_and_tells_idle_clients() -> None:
    async with open_listener() as running:
        idle, busy = await running.greeted(), await running.greeted()
        running.recorder.gate.clear()
        await busy.begin()
        await busy.send(b"hello\r\n.\r\n")
        await running.recorder.finishing.wait()
        drain = asyncio.create_task(running.server.drain(10))
        assert (await idle.read()).startswith("421 4.3.2")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", running.server.port)
        running.recorder.gate.set()
        assert (await busy.read()).startswith("250 ")
        assert (await busy.read()).startswith("421 4.3.2")
        await drain


async def test_a_drain_does_not_wait_for_ever() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        await client.begin()
        await running.server.drain(0.02)
        await running.server.close()
        assert await client.read() == "421 4.3.2 The service is shutting down"
        await running.recorder.wait_for(lambda: running.mail.aborted)
