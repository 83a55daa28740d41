"""Listeners change at a reload, while sessions are open."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from relay.settings import load_settings
from relay.supervisor import Service
from tests.peers.relay_process import Table, make_account, to_toml, write_config


def ehlo(port: int) -> str:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        return smtp.ehlo()[1].decode()


async def test_a_reload_opens_changes_and_closes_listeners(tmp_path: Path) -> None:
    path = write_config(tmp_path, accounts=[make_account("sales", 9)])
    service = Service(load_settings(path))
    await service.start()
    (old,) = service.ports
    text = path.read_text()
    try:
        path.write_text(text.replace("[[listener]]", '[[listener]]\nhost = "::1"\nport = 0\n\n[[listener]]'))
        assert await service.reload() == []
        assert len(service.ports) == 2
        assert service.ports[1] == old
        path.write_text(text.replace('host = "127.0.0.1"', 'host = "::1"', 1))
        reader, writer = await asyncio.open_connection("127.0.0.1", old)
        assert (await reader.readline()).startswith(b"220 ")
        assert await service.reload() == []
        assert (await reader.readline()).startswith(b"421 ")  # who has nothing under way is told to come again
        writer.close()
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", old)
        path.write_text(text.replace('host = "127.0.0.1"', 'host = "192.0.2.1"', 1))
        with capture_logs() as lines:
            (mistake,) = await service.reload()
        assert mistake.startswith("relay.toml: listener[1]: can't listen on 192.0.2.1 port 0: ")
        assert "configuration_refused" in [line["event"] for line in lines]
    finally:
        await service.stop()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def configure(folder: Path, *listeners: Table, hostname: str = "relay.office.example") -> Path:
    path = write_config(folder, accounts=[make_account("sales", 9)])
    _, _, rest = path.read_text().partition("[[user]]")
    server = {"hostname": hostname, "postmaster": "anna"}
    path.write_text(to_toml({"language": "en", "server": server, "listener": list(listeners)}) + "[[user]]" + rest)
    return path


@contextlib.asynccontextmanager
async def serving(path: Path) -> AsyncGenerator[Service]:
    service = Service(load_settings(path))
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


async def test_a_listener_that_can_not_open_leaves_everything_as_it_was(tmp_path: Path) -> None:
    port = free_port()
    good, elsewhere = {"host": "127.0.0.1", "port": 0}, {"host": "192.0.2.1", "port": port}
    async with serving(configure(tmp_path, good)) as service:
        (old,) = service.ports
        reader, writer = await asyncio.open_connection("127.0.0.1", old)
        assert (await reader.readline()).startswith(b"220 ")
        path = configure(tmp_path, {"host": "::1", "port": 0}, elsewhere, hostname="other.example")
        with capture_logs() as lines:
            (mistake,) = await service.reload()
        assert mistake.startswith(f"relay.toml: listener[2]: can't listen on 192.0.2.1 port {port}: ")
        assert [line["event"] for line in lines] == ["configuration_refused"]
        assert service.ports == [old]
        assert service.settings.hostname == "relay.office.example"
        writer.write(b"NOOP\r\n")
        assert (await reader.readline()).startswith(b"250 ")
        assert "relay.office.example" in await asyncio.to_thread(ehlo, old)
        writer.close()
        path.write_text(path.read_text().replace("192.0.2.1", "127.0.0.1"))
        assert await service.reload() == []
        assert service.ports[1] == port
        assert "other.example" in await asyncio.to_thread(ehlo, port)


async def test_a_port_changes_hands(tmp_path: Path, certificate: Table) -> None:
    port = free_port()
    plain, wrapped = {"host": "127.0.0.1", "port": port}, {"host": "127.0.0.1", "port": port, **certificate}
    async with serving(configure(tmp_path, plain)) as service:
        assert "relay.office.example" in await asyncio.to_thread(ehlo, port)
        configure(tmp_path, wrapped)
        assert await service.reload() == []
        assert service.ports == [port]
        assert await asyncio.to_thread(speaks_tls, port)
        configure(tmp_path, plain, {"host": "192.0.2.1", "port": 2525})
        assert len(await service.reload()) == 1
        assert await asyncio.to_thread(speaks_tls, port)  # the one that was there is open again
        configure(tmp_path, {"host": "0.0.0.0", "port": port})
        assert await service.reload() == []
        assert "relay.office.example" in await asyncio.to_thread(ehlo, port)


async def test_a_certificate_that_is_no_use_changes_nothing(tmp_path: Path, certificate: Table) -> None:
    one = {"host": "127.0.0.1", "port": 0}
    path = configure(tmp_path, one, {**one, **certificate}, hostname="first.example")
    async with serving(path) as service:
        assert service._listeners is not None
        new = load_settings(configure(tmp_path, one, {**one, **certificate}, hostname="second.example"))
        (tmp_path / "key.pem").write_text("no key")  # after the configuration was read
        (mistake,) = await service._listeners.change(new)
        assert mistake.startswith(f"relay.toml: listener[2]: certificate {tmp_path}/certificate.pem: ")
        assert "first.example" in await asyncio.to_thread(ehlo, service.ports[0])
        assert await asyncio.to_thread(speaks_tls, service.ports[1])


@pytest.fixture
def certificate(tmp_path: Path) -> Table:
    made = trustme.CA().issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    made.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    return {"tls": "implicit", "certificate": "certificate.pem", "private_key": "key.pem"}


def speaks_tls(port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL("127.0.0.1", port, timeout=10, context=context) as smtp:
        return smtp.noop()[0] == 250


async def test_a_reload_changes_the_language_of_refusals(tmp_path: Path) -> None:
    async with serving(write_config(tmp_path, accounts=[make_account("sales", 9)])) as service:
        write_config(tmp_path, accounts=[make_account("sales", 9)], language="de")
        assert await service.reload() == []
        assert service._listeners is not None
        assert [server._context.language for server in service._listeners.servers] == ["de"]
