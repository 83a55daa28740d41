"""The frame: what can't be read is answered, and what could hide commands ends the session."""

import ssl

import pytest

from tests.intake.conftest import Certificate, open_desk


@pytest.mark.parametrize("line", [b"\x01", b"NOOP\x00", b"\xff", b"WHAT", b"", b"  "])
async def test_what_is_no_command_gets_an_answer_and_the_dialogue_goes_on(line: bytes) -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        assert (await client.say(line)).startswith("500 5.5.")
        assert (await client.say("  noop ")).startswith("250")


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.1", b"get /\x00", b"POST /\xff", b"Host: x", b"user-agent: x", b"GET /" + b"x" * 20_000]
)
async def test_a_browser_is_known_however_it_spells(line: bytes) -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        assert (await client.say(line)).startswith("421 4.7.0")
        assert await client.read() == ""


async def test_many_pipelined_commands_let_others_have_their_turn() -> None:
    async with open_desk() as desk:
        many, other = await desk.greeted(), await desk.greeted()
        await many.send(b"NOOP\r\n" * 20_000)
        assert (await other.say("NOOP")).startswith("250")
        for _ in range(20_000):
            assert await many.read() == "250 2.0.0 OK"


async def test_lines_behind_a_command_that_waits_are_answered_behind_it() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.send(b"AUTH PLAIN AGEAYg==\r\nNOOP\r\nAUTH LOGIN\r\n*\r\nNOOP\r\n")
        codes = [(await client.read())[:3] for _ in range(5)]
        assert codes == ["535", "250", "334", "501", "250"]


async def test_a_client_that_leaves_within_auth_or_starttls_is_forgotten(certificate: Certificate) -> None:
    async with open_desk(tls=("starttls", certificate), plaintext_auth=True) as desk:
        for command in ("AUTH LOGIN", "STARTTLS"):
            for half in (False, True):
                client = await desk.greeted()
                await client.say(command)
                if half:
                    client.writer.write_eof()
                    await client.reader.read()
                client.close()
        bad = await desk.greeted()
        await bad.say("STARTTLS")
        await bad.send(b"this is no TLS" * 100)
        await bad.reader.read()
        await desk.wait_until_empty()
        assert not desk.server._desk.gate.inside


async def test_a_session_over_tls_ends_in_good_order(certificate: Certificate, client_context: ssl.SSLContext) -> None:
    async with open_desk(tls=("starttls", certificate)) as desk:
        client = await desk.greeted()
        await client.say("STARTTLS")
        await client.start_tls(client_context)
        await client.hello()
        assert (await client.say("QUIT")).startswith("221")
        assert await client.read() == ""
        await desk.wait_until_empty()
