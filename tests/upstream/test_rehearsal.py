"""MAIL and RCPT with the account's own address, and RSET: nothing more is said."""

from dataclasses import replace

import pytest

from relay.model.account import Security, SmtpServer
from relay.model.address import Address
from relay.upstream.smarthost import connect
from relay.upstream.stream import StreamLost
from tests.peers.dialogue import Dialogue
from tests.upstream.conftest import QUICK

HELLO = "S: 220 hi\nC: EHLO .*\nS: 250 server\n"
HELLO_UTF8 = "S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250 SMTPUTF8\n"
SALES = Address(local="sales", domain="example.com")


async def rehearse(script: str, address: Address = SALES) -> tuple[int, int | None]:
    async with Dialogue(script) as server:
        where = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE)
        connection = await connect(where, hostname="x", credential=None, timeouts=replace(QUICK, command=1))
        try:
            said = await connection.rehearse(address)
        finally:
            await connection.close()
    return said.mail.code, None if said.recipient is None else said.recipient.code


async def test_both_are_said_and_taken_back() -> None:
    script = (
        "C: MAIL FROM:<sales@example.com>\nS: 250 ok\nC: RCPT TO:<sales@example.com>\nS: 553 no\nC: RSET\nS: 250 ok\n"
    )
    assert await rehearse(f"{HELLO}{script}C: QUIT\nS: 221 bye") == (250, 553)


async def test_a_sender_that_is_refused_is_no_recipient() -> None:
    assert await rehearse(f"{HELLO}C: MAIL .*\nS: 553 no\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye") == (553, None)


async def test_an_international_address_is_asked_for_only_where_the_server_takes_such() -> None:
    umlaut = Address(local="jörg", domain="example.com")
    assert await rehearse(f"{HELLO}C: QUIT\nS: 221 bye", umlaut) == (0, None)
    script = "C: MAIL FROM:<jörg@example.com> SMTPUTF8\nS: 250 ok\nC: RCPT TO:<jörg@example.com>\nS: 250 ok\n"
    assert await rehearse(f"{HELLO_UTF8}{script}C: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye", umlaut) == (250, 250)


async def test_a_lost_connection_is_said() -> None:
    with pytest.raises(StreamLost):
        await rehearse(f"{HELLO}C: MAIL .*\n! close")
