"""Two nodes, one PostgreSQL: one that stops, or dies, while it sends."""

import asyncio
import os
import signal
import smtplib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.peers.machine import wait_until
from tests.peers.provider import Provider
from tests.peers.relay_process import RelayProcess, make_account, write_config
from tests.storage.conftest import empty_postgresql
from tests.storage.conftest import postgresql as postgresql  # noqa: PLC0414 - a fixture

pytestmark = pytest.mark.peer


@contextmanager
def node(folder: Path, port: int, database: str) -> Generator[RelayProcess]:
    folder.mkdir()
    storage = {"database": database, "lease": "20 s"}
    with RelayProcess(
        write_config(folder, accounts=[make_account("sales", port)], archive=(), storage=storage)
    ) as relay:
        yield relay


def hand_in(relay: RelayProcess) -> None:
    with smtplib.SMTP("127.0.0.1", relay.port) as smtp:
        smtp.sendmail("sales@example.com", ["a@example.net"], b"From: sales@example.com\r\n\r\nhello\r\n")


def expire(database: str) -> None:
    """Let the time of a lease pass, by the database's clock."""
    engine = create_engine(database)
    with engine.begin() as connection:
        assert connection.execute(text("UPDATE delivery SET lease_until = 0 WHERE state = 'active'")).rowcount == 1
    engine.dispose()


async def test_a_node_that_stood_still_while_another_sent_its_mail_sends_no_second_copy(
    tmp_path: Path, postgresql: str
) -> None:
    database = empty_postgresql(postgresql)
    slowly = "D: 354 " + "x" * 400
    async with Provider({"DATA": [slowly, "354 go ahead"]}) as provider:
        await asyncio.to_thread(_stop_one, tmp_path, provider, database)
        assert len(provider.mails) == 1


def _stop_one(folder: Path, provider: Provider, database: str) -> None:
    with node(folder / "one", provider.port, database) as one, node(folder / "other", provider.port, database) as other:
        hand_in(one)
        wait_until(lambda: "DATA" in provider.commands, what="it has said DATA")
        os.kill(one.pid, signal.SIGSTOP)
        expire(database)
        other.wait_for("message_delivered")
        assert other.find("possible_duplicate")
        os.kill(one.pid, signal.SIGCONT)
        one.wait_for("claim_lost")
        assert not one.find("message_delivered")
        assert not one.find("delivery_deferred")


async def test_what_a_dead_node_had_is_sent_by_another_once_its_lease_is_over(tmp_path: Path, postgresql: str) -> None:
    database = empty_postgresql(postgresql)
    async with Provider({"DATA": ["silence", "354 go ahead"]}) as provider:
        await asyncio.to_thread(_kill_one, tmp_path, provider, database)
        assert len(provider.mails) == 1


def _kill_one(folder: Path, provider: Provider, database: str) -> None:
    with node(folder / "one", provider.port, database) as one, node(folder / "other", provider.port, database) as other:
        hand_in(one)
        wait_until(lambda: "DATA" in provider.commands, what="it has said DATA")
        one.kill()
        assert not other.find("possible_duplicate")
        expire(database)
        other.wait_for("message_delivered")
