"""Listeners change at a reload, while sessions are open."""

import asyncio
import smtplib
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relay.settings import load_settings
from relay.supervisor import Service
from tests.peers.relay_process import make_account, write_config


def ehlo(port: int) -> str:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        return smtp.ehlo()[1].decode()


def submit(port: int, sender: str = "sales@example.com") -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        smtp.sendmail("x@y.example", ["a@example.net"], f"From: {sender}\r\n\r\nhello\r\n")


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
        assert service.ports[0] == old
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
        assert "192.0.2.1" in mistake
        assert "configuration_refused" in [line["event"] for line in lines]
    finally:
        await service.stop()
