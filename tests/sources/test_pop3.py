"""A mailbox over POP3 as a source: one session for each poll. The dialogue itself is tests/upstream/test_pop3.py."""

import asyncio

import pytest

from relay.accounts.credentials import Credentials
from relay.model.account import Pop3Server, Security
from relay.model.errors import RelayError, SourceError
from relay.model.maildrop import Listed
from relay.model.secret import Secret
from relay.sources.pop3 import Pop3Source
from tests.peers.credentials import key
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.machine import free_port

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]


def source_at(port: int, password: Secret = Secret(value=PASSWORD)) -> Pop3Source:  # noqa: B008 - a frozen value
    server = Pop3Server(host="127.0.0.1", port=port, security=Security.NONE, username="sales", password=password)
    return Pop3Source(server, Credentials(key).of(server))


async def collect(source: Pop3Source) -> list[Listed]:
    """Poll: retrieve all, delete all; returns what was listed."""
    (listing,) = await source.list()
    assert (listing.folder, listing.validity, listing.has_ids) == ("", "", True)
    async for one in source.retrieve(listing.messages, lambda: True):
        assert one.body is not None
        assert b"".join([piece async for piece in one.body]) == b"Subject: x\r\n\r\nbody\r\n"
    await source.mark_collected(listing.messages)
    assert await source.delete(listing.messages) == listing.messages
    return [*listing.messages]


async def test_a_source_is_used_again_and_again_and_deletes_with_commit() -> None:
    with Dovecot() as dovecot:
        source = source_at(dovecot.pop3_port)
        mail = b"Subject: x\n\nbody\n"
        for _ in range(2):
            dovecot.fill("sales", [mail, mail])
            listed = await collect(source)
            assert len({one.key for one in listed}) == 2
            await source.commit()
            assert dovecot.mails("sales") == []
        dovecot.fill("sales", [mail])
        before = await collect(source)
        source.close()
        with pytest.raises(SourceError):
            await source.commit()
        assert len(dovecot.mails("sales")) == 1
        assert await collect(source) == before


async def test_who_waits_for_the_server_learns_of_close_at_once() -> None:
    with Dovecot() as dovecot:
        source = source_at(dovecot.pop3_port)
        await source.list()
        asyncio.get_running_loop().call_soon(source.close)
        with pytest.raises(SourceError, match="given up"):
            await source.commit()


async def test_a_refused_login_a_missing_secret_and_a_missing_server_are_told_apart() -> None:
    with Dovecot() as dovecot:
        with pytest.raises(SourceError, match=r"^login: "):
            await source_at(dovecot.pop3_port, password=Secret(value="wrong")).list()
        with pytest.raises(RelayError, match="NO_SUCH_VARIABLE"):
            await source_at(dovecot.pop3_port, password=Secret(env="NO_SUCH_VARIABLE")).list()
    with pytest.raises(SourceError, match=r"^connect: "):
        await source_at(free_port()).list()


async def test_it_waits_for_all_of_the_time_and_can_be_cancelled() -> None:
    source = source_at(1)
    await source.wait(0)
    waiting = asyncio.create_task(source.wait(1000))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
