"""POP3 by dialogue: good servers, odd servers, hostile servers."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relay.model.account import Pop3Server, Security
from relay.model.maildrop import FolderListing, Listed, MessageKey
from relay.upstream.pop3 import WINDOW, Pop3Error, Pop3Session, Pop3Stage, open_pop3
from tests.peers.credentials import Token, password
from tests.peers.dialogue import Dialogue
from tests.peers.machine import free_port
from tests.upstream.conftest import Authority

SECRET = base64.b64encode(b"\0u\0p").decode()
GREETING = "S: +OK hi\nC: CAPA\n"
NONE = "S: -ERR unknown\n"
USER = "C: USER u\nS: +OK\nC: PASS p\nS: +OK welcome\n"
IN = GREETING + NONE + USER + "C: CAPA\n" + NONE
IN_ANY = IN.replace("PASS p", "PASS .*")
PIPELINED = GREETING + NONE + USER + "C: CAPA\nS: +OK\nS: PIPELINING\nS: UIDL\nS: .\n"


def server_at(port: int, security: Security = Security.NONE, **more: Any) -> Pop3Server:  # noqa: ANN401 - fields of a server
    return Pop3Server(**{"host": "127.0.0.1", "port": port, "security": security, "username": "u", **more})


async def open_at(server: Dialogue, **how: Any) -> Pop3Session:  # noqa: ANN401 - see above
    return await open_pop3(server_at(server.port, **how), password("p"), patience=5)


async def fail(server: Dialogue, patience: float = 5, **how: Any) -> Pop3Error:  # noqa: ANN401 - see above
    with pytest.raises(Pop3Error) as error:
        await open_pop3(server_at(server.port, **how), password("p"), patience=patience)
    return error.value


async def whole(body: AsyncIterator[bytes] | None) -> bytes:
    assert body is not None
    return b"".join([piece async for piece in body])


async def test_user_and_pass_list_retrieve_delete_quit() -> None:
    script = (
        IN
        + """
    C: LIST
    S: +OK
    S: 1 10
    S: 2 20
    S: .
    C: UIDL
    S: +OK
    S: 1 abc
    S: 2 def ghi
    S: .
    C: RETR 1
    S: +OK 10 octets
    S: A: b
    S> \\x0d\\x0a
    S: ..dot
    S> bare\\x0alf\\x0d\\x0a.\\x0d\\x0a
    C: RETR 2
    S: -ERR no such message
    C: DELE 1
    S: +OK
    C: DELE 2
    S: -ERR no
    C: QUIT
    S: +OK bye
    """
    )
    async with Dialogue(script) as server:
        session = await open_at(server)
        listed = await session.list_messages()
        listing = listed.messages
        assert listed.has_ids
        assert listing == [Listed(n=1, key=MessageKey("abc"), size=10), Listed(n=2, key=MessageKey("def"), size=20)]
        got = [(r.message.n, r.body and await whole(r.body), r.text) async for r in session.retrieve(listing)]
        assert got == [(1, b"A: b\r\n\r\n.dot\r\nbare\r\nlf\r\n", ""), (2, None, "no such message")]
        assert await session.delete(listing) == list(listing[:1])
        await session.quit()


async def test_pipelining_asks_ahead_within_a_window_and_on_when_half_is_answered() -> None:
    count, half = WINDOW + 3, WINDOW // 2

    def script(verb: str, answers: list[str]) -> str:
        asked = [f"C: {verb} {n}\n" for n in range(1, count + 1)]
        return "".join([*asked[:WINDOW], *answers[:half], *asked[WINDOW:], *answers[half:]])

    bodies = [f"S: +OK\nS: m{n}\nS: .\n" for n in range(1, count + 1)]
    marked = ["S: -ERR no\n", *["S: +ok\n"] * (count - 1)]
    async with Dialogue(PIPELINED + script("RETR", bodies) + script("DELE", marked) + "! silence") as server:
        session = await open_at(server)
        assert session.window == WINDOW
        listing = [Listed(n=n, key=MessageKey(f"k{n}"), size=10) for n in range(1, count + 1)]
        got = [await whole(r.body) async for r in session.retrieve(listing)]
        assert got == [b"m%d\r\n" % n for n in range(1, count + 1)]
        assert await session.delete(listing) == listing[1:]
        session.close()


async def test_large_messages_are_not_asked_for_ahead() -> None:
    script = PIPELINED + "C: RETR 1\nS: +OK\nS: a\nS: .\nC: RETR 2\nS: +OK\nS: b\nS: .\n"
    async with Dialogue(script) as server:
        session = await open_at(server)
        listing = [Listed(n=n, key=MessageKey(f"k{n}"), size=2_000_000) for n in (1, 2)]
        assert [await whole(r.body) async for r in session.retrieve(listing)] == [b"a\r\n", b"b\r\n"]
        session.close()


async def test_lines_of_any_length_and_bytes_of_any_value_are_taken() -> None:
    script = IN + "C: RETR 1\nS: +OK\nS> " + "x" * 3_000_000 + "\nS: \\x00\\xff\nS: .\n"
    async with Dialogue(script) as server:
        session = await open_at(server)
        (body,) = [await whole(r.body) async for r in session.retrieve([Listed(n=1, key=MessageKey("k"), size=9)])]
        assert body == b"x" * 3_000_000 + b"\x00\xff\r\n"
        session.close()


async def test_twins_get_ids_of_their_own() -> None:
    sizes, ids = "".join(f"S: {n} 1\n" for n in range(1, 5)), "S: 1 a\nS: 2 b\nS: 3 a\nS: 4 a\n"
    async with Dialogue(f"{IN}C: LIST\nS: +OK\n{sizes}S: .\nC: UIDL\nS: +OK\n{ids}S: .\n! silence") as server:
        session = await open_at(server)
        listing = await session.list_messages()
        assert [one.key.uid for one in listing.messages] == ["a", "b", "a 2", "a 3"]
        session.close()


async def test_a_server_without_unique_ids_is_known() -> None:
    script = IN + "C: LIST\nS: +OK\nS: 1 10\nS: .\nC: UIDL\nS: -ERR unknown\n"
    async with Dialogue(script) as server:
        session = await open_at(server)
        expected = [Listed(n=1, key=MessageKey(""), size=10)]
        assert await session.list_messages() == FolderListing(messages=expected, has_ids=False)
        session.close()


@pytest.mark.parametrize(
    ("listing", "uidl"),
    [
        ("S: x y", ""), ("S: 1 10\nS: 1 20", ""), ("S: 1", ""), ("S: 1 big", "S: 1 a"), ("S: 1 10", "S: 2 a"),
        ("S> " + "1" * 9000, ""), ("S: 99999999999 1", ""), ("! close", ""), ("S: 1 \\xc2\\xb2", "S: 1 a"),
        ("S: 1 \\xb2", "S: 1 a"), ("S: 1 -5", "S: 1 a"), ("S: 1 " + "9" * 19, "S: 1 a"), ("S: \\xb2 10", ""),
    ],
)  # fmt: skip
async def test_a_listing_that_makes_no_sense_ends_the_session(listing: str, uidl: str) -> None:
    script = (
        IN + f"C: LIST\nS: +OK\n{listing}\nS: .\n" + (f"C: UIDL\nS: +OK\n{uidl}\nS: .\n" if uidl else "") + "! silence"
    )
    async with Dialogue(script) as server:
        session = await open_at(server)
        with pytest.raises(Pop3Error) as error:
            await session.list_messages()
        assert error.value.stage is Pop3Stage.LIST
        session.close()


@pytest.mark.parametrize("end", ["! close", "! reset", "! silence"])
async def test_a_message_that_is_cut_off_is_no_message(end: str) -> None:
    async with Dialogue(IN + f"C: RETR 1\nS: +OK\nS: half\n{end}\n! silence") as server:
        session = await open_pop3(server_at(server.port), password("p"), patience=0.1 if end == "! silence" else 5)
        with pytest.raises(Pop3Error) as error:
            await retrieve_all(session)
        assert error.value.stage is Pop3Stage.RETRIEVE
        session.close()


async def retrieve_all(session: Pop3Session) -> None:
    async for retrieved in session.retrieve([Listed(n=1, key=MessageKey("k"), size=9)]):
        await whole(retrieved.body)


@pytest.mark.parametrize("end", ["S: -ERR can't delete", "! close", "S: what"])
async def test_only_an_ok_to_quit_counts(end: str) -> None:
    async with Dialogue(IN + f"C: DELE 1\nS: +OK\nC: QUIT\n{end}") as server:
        session = await open_at(server)
        await session.delete([Listed(n=1, key=MessageKey("k"), size=9)])
        with pytest.raises(Pop3Error) as error:
            await session.quit()
        assert error.value.stage is Pop3Stage.QUIT


SASL = "S: +OK\nS: SASL PLAIN LOGIN\nS: .\n"


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        ("! close", Pop3Stage.CONNECT),
        ("S: 220 this is SMTP\n! silence", Pop3Stage.CONNECT),
        ("S: -ERR too many connections\n! silence", Pop3Stage.CONNECT),
        (GREETING + NONE + "C: USER u\nS: -ERR no user\n! silence", Pop3Stage.LOGIN),
        (GREETING + NONE + "C: USER u\nS: +OK\nC: PASS p\nS: -ERR [AUTH] bad\n! silence", Pop3Stage.LOGIN),
        (GREETING + NONE + "C: USER u\nS: +OK\nC: PASS p\nS: -ERR [IN-USE] locked\n! silence", Pop3Stage.LOGIN),
        (GREETING + NONE + "C: USER u\nS: +OK\nC: PASS p\nS: -ERR [SYS/TEMP] later\n! silence", Pop3Stage.LOGIN),
        (GREETING + NONE + "C: USER u\n! reset", Pop3Stage.LOGIN),
        (GREETING + SASL + "C: AUTH PLAIN\nS: -ERR no\n! silence", Pop3Stage.LOGIN),
        (GREETING + SASL + "C: AUTH PLAIN\nS: + \nC: .*\nS: -ERR no\n! silence", Pop3Stage.LOGIN),
        (GREETING + "S: +OK\n" + "S: X\n" * 10 + "! close", Pop3Stage.CONNECT),
    ],
)
async def test_how_far_it_came(script: str, stage: Pop3Stage) -> None:
    async with Dialogue(script) as server:
        error = await fail(server)
    assert error.stage is stage


async def test_sasl_plain_is_taken_where_it_is_offered() -> None:
    secret = SECRET.replace("=", "\\=")
    script = (
        GREETING + SASL + f"C: AUTH PLAIN\nS> + \\x0d\\x0a\nC: {secret}\nS: +OK\nC: CAPA\n" + SASL + "C: QUIT\nS: +OK"
    )
    async with Dialogue(script) as server:
        session = await open_at(server)
        await session.quit()


async def test_nobody_there_and_silence_are_named() -> None:
    with pytest.raises(Pop3Error, match="Connection refused"):
        await open_pop3(server_at(free_port()), password("p"))
    async with Dialogue("! silence") as server:
        assert "no answer within 0.05 s" in (await fail(server, patience=0.05)).text


STLS = "S: +OK hi\nC: CAPA\nS: +OK\nS: STLS\nS: .\nC: STLS\nS: +OK begin\n! tls\nC: CAPA\n"


async def test_stls_is_verified_and_the_password_comes_after(authority: Authority) -> None:
    script = STLS + NONE + USER + "C: CAPA\n" + NONE + "C: QUIT\nS: +OK"
    async with Dialogue(script, context=authority.server()) as server:
        session = await open_at(server, security=Security.STARTTLS, ca_file=str(authority.ca_file))
        await session.quit()
    async with Dialogue(STLS, context=authority.server("other.example")) as server:
        error = await fail(server, security=Security.STARTTLS, ca_file=str(authority.ca_file))
        assert error.stage is Pop3Stage.STARTTLS
        assert "certificate" in error.text
    script = IN + "C: QUIT\nS: +OK"
    async with Dialogue(script, context=authority.server(), implicit_tls=True) as server:
        await (await open_at(server, security=Security.TLS, ca_file=str(authority.ca_file))).quit()


async def test_what_was_said_before_stls_is_thrown_away(authority: Authority) -> None:
    injected = STLS.replace("S: +OK begin", "S> +OK begin\\x0d\\x0a+OK\\x0d\\x0aPIPELINING\\x0d\\x0a.\\x0d\\x0a")
    script = injected + NONE + USER + "C: CAPA\n" + NONE + "C: QUIT\nS: +OK"
    async with Dialogue(script, context=authority.server()) as server:
        session = await open_at(server, security=Security.STARTTLS, ca_file=str(authority.ca_file))
        assert session.window == 1
        await session.quit()


async def test_without_stls_no_password_is_said() -> None:
    for script in (
        "S: +OK hi\nC: CAPA\nS: +OK\nS: USER\nS: .\n! silence",
        "S: +OK hi\nC: CAPA\nS: -ERR\nC: STLS\nS: -ERR unknown\n! silence",
    ):
        async with Dialogue(script) as server:
            error = await fail(server, security=Security.STARTTLS)
            assert error.stage is Pop3Stage.STARTTLS
            assert not any(line.startswith(("USER", "PASS", "AUTH")) for line in server.heard)


async def test_a_password_with_a_line_end_is_never_sent() -> None:
    async with Dialogue(GREETING + NONE + "! silence") as server:
        with pytest.raises(Pop3Error, match="control character"):
            await open_pop3(server_at(server.port), password("p\r\nDELE 1"), patience=5)
        assert server.heard == ["CAPA"]


async def test_of_too_many_messages_the_newest_are_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.upstream.pop3.MOST_MESSAGES", 2)
    sizes, ids = ("".join(f"S: {n} {what}{n}\n" for n in range(1, 6)) for what in ("1", "id"))
    async with Dialogue(f"{IN}C: LIST\nS: +OK\n{sizes}S: .\nC: UIDL\nS: +OK\n{ids}S: .\n! silence") as server:
        session = await open_at(server)
        listing = await session.list_messages()
        assert [one.key.uid for one in listing.messages] == ["id4", "id5"]
        assert listing.passed_over == 3
        session.close()


async def test_ids_that_are_too_long_or_can_not_be_kept_become_short_ones_that_stay_the_same() -> None:
    ids = f"S: 1 {'x' * 8000}\nS: 2 {'x' * 7999}y\nS: 3 a\\x00b\nS: 4 {'z' * 255}\n"
    sizes = "".join(f"S: {n} 1\n" for n in range(1, 5))
    script = IN + f"C: LIST\nS: +OK\n{sizes}S: .\nC: UIDL\nS: +OK\n{ids}S: .\n" * 2 + "! silence"
    async with Dialogue(script) as server:
        session = await open_at(server)
        first, second = [(await session.list_messages()).messages for _ in range(2)]
        session.close()
    assert first == second
    assert len({one.key for one in first}) == 4
    assert max(len(one.key.uid) for one in first) == 255
    assert all("\0" not in one.key.uid for one in first)


async def test_capabilities_without_an_end_end_the_session() -> None:
    async with Dialogue(GREETING + "S: +OK\n" + "S: X\n" * 300 + "! silence") as server:
        assert "without an end" in (await fail(server)).text


async def test_no_further_message_is_asked_for_once_nobody_wants_more() -> None:
    script = IN + "C: RETR 1\nS: +OK\nS: a\nS: .\nC: QUIT\nS: +OK"
    async with Dialogue(script) as server:
        session = await open_at(server)
        more = iter([True, False])
        listing = [Listed(n=n, key=MessageKey(f"k{n}"), size=9) for n in (1, 2)]
        assert [await whole(r.body) async for r in session.retrieve(listing, lambda: next(more))] == [b"a\r\n"]
        await session.quit()


ECHOED = "secret-word AHUAc2VjcmV0LXdvcmQ= c2VjcmV0LXdvcmQ="


@pytest.mark.parametrize(
    "script",
    [
        f"S: -ERR {ECHOED}\n! silence",
        f"{GREETING}S: +OK {ECHOED}\nS: {ECHOED}\nS: .\nC: USER u\nS: -ERR {ECHOED}\n! silence",
        f"{GREETING}{NONE}C: USER u\nS: +OK {ECHOED}\nC: PASS .*\nS: -ERR {ECHOED}\n! silence",
        f"{GREETING}S: +OK\nS: SASL PLAIN\nS: .\nC: AUTH PLAIN\nS: + \nC: .*\nS: -ERR {ECHOED}\n! silence",
        f"{GREETING}S: +OK\nS: SASL PLAIN\nS: .\nC: AUTH PLAIN\nS: -ERR {ECHOED}\n! silence",
        f"{IN_ANY}C: LIST\nS: -ERR {ECHOED}\n! silence",
        f"{IN_ANY}C: LIST\nS: +OK {ECHOED}\nS: {ECHOED}\n! silence",
        f"{IN_ANY}C: LIST\nS: +OK\nS: 1 {ECHOED}\nS: .\nC: UIDL\nS: +OK\nS: 1 a\nS: .\n! silence",
        f"{IN_ANY}C: LIST\nS: +OK\nS: .\nC: UIDL\nS: -ERR {ECHOED}\nC: QUIT\nS: -ERR {ECHOED}",
    ],
)
async def test_no_step_tells_a_password_that_the_server_repeats(script: str) -> None:
    async with Dialogue(script) as server:
        with pytest.raises(Pop3Error) as error:
            await list_and_quit(server)
    assert not any(secret in str(error.value) for secret in ECHOED.split())


async def list_and_quit(server: Dialogue) -> None:
    session = await open_pop3(server_at(server.port), password("secret-word"), patience=5)
    try:
        await session.list_messages()
        await session.quit()
    finally:
        session.close()


async def test_ids_and_refusals_of_messages_tell_no_password() -> None:
    script = IN_ANY + "C: LIST\nS: +OK\nS: 1 1\nS: 2 1\nS: .\nC: UIDL\nS: +OK\nS: 1 1-secret-word\nS: 2 2-secret-word\n"
    async with Dialogue(f"{script}S: .\nC: RETR 1\nS: -ERR {ECHOED}\n! silence") as server:
        session = await open_pop3(server_at(server.port), password("secret-word"), patience=5)
        listing = (await session.list_messages()).messages
        assert [one.key.uid for one in listing] == ["1-***", "2-***"]
        assert [(r.body, "withheld" in r.text) async for r in session.retrieve(listing[:1])] == [(None, True)]
        session.close()


async def test_a_token_never_leaves_as_a_password() -> None:
    async with Dialogue(GREETING + SASL) as server:
        token = Token()
        token.mechanisms = ("xoauth2",)
        with pytest.raises(Pop3Error, match="no login that we know"):
            await open_pop3(server_at(server.port), token, patience=5)
        assert not any("token" in line for line in server.heard)
