from relay.model.account import Secret, Security, SmtpServer
from relay.model.credential import Credential
from relay.upstream.pool import MOST_MAILS, Pool
from relay.upstream.smarthost import Connection
from tests.peers.credentials import password
from tests.peers.dialogue import Dialogue
from tests.peers.machine import until
from tests.upstream.conftest import QUICK

HELLO = "S: 220 hi\nC: EHLO .*\nS: 250 server\n"


def server_at(port: int, **more: object) -> SmtpServer:
    return SmtpServer(host="127.0.0.1", port=port, security=Security.NONE, **more)  # type: ignore[arg-type]


async def acquire(pool: Pool, server: SmtpServer, credential: Credential | None) -> tuple[Connection, bool]:
    kept = pool.take(server, credential)
    return (await pool.open(server, credential, hostname="x"), False) if kept is None else (kept, True)


async def test_a_connection_is_kept_and_given_again() -> None:
    async with Dialogue(HELLO + "C: QUIT\nS: 221 bye") as server:
        pool = Pool(timeouts=QUICK)
        first, kept = await acquire(pool, server_at(server.port), None)
        assert not kept
        pool.release(first)
        again, kept = await acquire(pool, server_at(server.port), None)
        assert kept
        assert again is first
        pool.release(again)
        await pool.close()
        assert server.heard[-1] == "QUIT"


async def test_one_of_other_settings_is_closed_and_a_new_one_opened() -> None:
    async with Dialogue(HELLO + "C: QUIT\nS: 221 bye", HELLO + "C: QUIT\nS: 221 bye") as server:
        pool = Pool(timeouts=QUICK)
        for secret in ("one", "two"):
            settings = server_at(server.port, password=Secret(value=secret))
            connection, kept = await acquire(pool, settings, None)
            assert not kept
            pool.release(connection)
        await pool.close()
        assert server.heard.count("QUIT") == 2


async def test_one_that_the_server_gave_up_is_not_given_again() -> None:
    async with Dialogue(HELLO + "S: 421 4.4.2 idle\n! close", HELLO + "C: QUIT\nS: 221 bye") as server:
        pool = Pool(timeouts=QUICK)
        first, _ = await acquire(pool, server_at(server.port), None)
        pool.release(first)
        await until(lambda: not first.usable)
        second, kept = await acquire(pool, server_at(server.port), None)
        assert not kept
        pool.release(second)
        await pool.close()


async def test_one_is_let_go_after_a_while_and_after_many_mails() -> None:
    async with Dialogue(HELLO + "C: QUIT\nS: 221 bye", HELLO + "C: QUIT\nS: 221 bye") as server:
        pool = Pool(timeouts=QUICK, idle=0.01)
        connection, _ = await acquire(pool, server_at(server.port), None)
        pool.release(connection)
        await until(lambda: server.heard[-1:] == ["QUIT"])
        patient = Pool(timeouts=QUICK)
        connection, _ = await acquire(patient, server_at(server.port), None)
        connection.sent = MOST_MAILS
        patient.release(connection)
        await patient.close()
        await pool.close()
        assert server.heard.count("QUIT") == 2


async def test_one_is_kept_whatever_the_secret_is_and_not_for_another_login() -> None:
    login = HELLO.replace("S: 250 server", "S: 250-server\nS: 250 AUTH PLAIN") + "C: AUTH PLAIN .*\nS: 235 yes\n"
    async with Dialogue(login + "C: QUIT\nS: 221 bye", login + "C: QUIT\nS: 221 bye") as server:
        pool, settings = Pool(timeouts=QUICK), server_at(server.port, username="u")
        first, _ = await acquire(pool, settings, password("one"))
        pool.release(first)
        assert await acquire(pool, settings, password("two")) == (first, True)
        pool.release(first)
        other, kept = await acquire(pool, settings, password("one", login="v"))
        assert not kept
        pool.release(other)
        await pool.close()
