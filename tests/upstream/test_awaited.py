"""Whoever waits for a connection is woken once, and the first reason for its end is the one that is told."""

import asyncio

import pytest

from relay.upstream.awaited import AwaitedProtocol


@pytest.mark.parametrize(
    ("error", "reason"),
    [(None, "the connection was closed"), (ConnectionResetError(), "the connection was reset")],
    ids=["closed", "reset"],
)
def test_a_loss_has_a_reason(error: Exception | None, reason: str) -> None:
    one = AwaitedProtocol()
    one.connection_lost(error)
    assert one._lost == reason


async def test_the_first_reason_counts_and_the_waiter_is_woken_once() -> None:
    one = AwaitedProtocol()
    one._waiter = waiter = asyncio.get_running_loop().create_future()
    assert one.eof_received() is False
    one.connection_lost(ConnectionResetError())
    assert await waiter
    assert one._lost == "the server closed the connection"
