"""Connections are kept for who they serve. A token, another one each time, costs no more logins than a password."""

from pathlib import Path
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from relay.delivery import Delivery
from relay.model.account import Security, Server, SmtpServer
from relay.model.credential import Credential
from relay.model.errors import CredentialError
from relay.runtime import Runtime
from relay.settings.secrets import read_secret
from relay.storage import admin
from relay.transports.smtp_connections import IDLE_SECONDS, MOST_MAILS, Connections
from tests.peers.credentials import Token, TokenCredentials, password
from tests.peers.dialogue import Dialogue
from tests.peers.machine import until
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider
from tests.upstream.conftest import QUICK

A = "a@example.net"
LOGIN = {"smtp": {"username": "sales@example.com", "password": "unused"}}
REFUSED = {"AUTH": "535 5.7.8 no"}
RETRY = {"intervals": ["1 h"]}


def paused(office: Office) -> list[str]:
    return [pause.account for pause in admin.list_pauses(office.engine)]


async def test_a_secret_is_read_once_for_each_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Mock(side_effect=read_secret)
    async with Provider() as provider, open_office(tmp_path, port=provider.port, account=LOGIN) as office:
        monkeypatch.setattr("relay.accounts.credentials.read_secret", read)
        await office.hand_in(A)
        await office.send()
        assert (len(provider.mails), read.call_count) == (1, 1)


async def test_connections_are_kept_while_the_token_rotates(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port, account=LOGIN) as office:
        credentials = TokenCredentials(Token())
        office.log_in_with(credentials)
        for _ in range(5):
            await office.hand_in(A)
            await office.send()
            await credentials.token.secret()  # something else, such as a poll, gets the next one
        assert len(provider.mails) == 5
        assert provider.connections == 1


@pytest.mark.parametrize("source", ["password", "password_file"])
async def test_a_connection_that_is_open_goes_on_when_the_password_changes(tmp_path: Path, source: str) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    values = ["one", "two"] if source == "password" else [str(tmp_path / "one"), str(tmp_path / "two")]
    logins = [{"smtp": {"username": "sales@example.com", source: value}} for value in values]
    async with Provider() as provider, open_office(tmp_path, port=provider.port, account=logins[0]) as office:
        await office.hand_in(A)
        await office.send()
        office.configure(port=provider.port, account=logins[1])
        await office.hand_in(A)
        await office.send()
        assert (len(provider.mails), provider.connections) == (2, 1)


@pytest.mark.parametrize("nodes", [1, 2])
async def test_a_refused_token_costs_the_logins_of_the_intervals_whatever_rotates(tmp_path: Path, nodes: int) -> None:
    async with (
        Provider(REFUSED) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry=RETRY) as office,
    ):
        credentials = TokenCredentials(Token())
        office.log_in_with(credentials)
        others = [_other_node(office, credentials) for _ in range(nodes - 1)]
        await office.hand_in(A)
        await office.hand_in(A)
        for _ in range(50):
            await office.pass_time(MINUTE)
            office.delivery.flush()
            for other in others:
                other.flush()
                await other.run_until_idle()
        assert paused(office) == ["sales"]
        assert provider.connections == 1
        await office.pass_time(30 * MINUTE)
        assert provider.connections == 2
        for other in others:
            await other.drain(1)


def _other_node(office: Office, credentials: TokenCredentials) -> Delivery:
    runtime = Runtime(
        settings=lambda: office.settings,
        queue=office.queue,
        credentials=credentials,
        now=lambda: office.now,
        monotonic=lambda: office.now / 1000,
        random=lambda: 0.5,
    )
    return Delivery(runtime)


async def test_a_new_grant_is_probed_at_once(tmp_path: Path) -> None:
    async with (
        Provider(REFUSED) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry=RETRY) as office,
    ):
        credentials = TokenCredentials(Token())
        office.log_in_with(credentials)
        await office.hand_in(A)
        await office.send()
        assert paused(office) == ["sales"]
        provider.answers.clear()
        credentials.token.grant += 1
        office.delivery.flush()
        await office.send()
        assert paused(office) == []
        assert len(provider.mails) == 1


async def test_a_secret_that_cant_be_had_for_now_defers(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port, account=LOGIN) as office:
        credentials = TokenCredentials(Token())
        credentials.token.fault = CredentialError("the issuer does not answer")
        office.log_in_with(credentials)
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        (line,) = [line for line in lines if line["event"] == "account_unreachable"]
        assert "the issuer does not answer" in line["reply"]
        assert (provider.connections, paused(office), len(office.waiting("queued"))) == (0, [], 1)
        credentials.token.fault = None
        await office.pass_time(60 * MINUTE)
        assert len(provider.mails) == 1


async def test_a_secret_that_only_a_person_can_bring_back_pauses_the_account(tmp_path: Path) -> None:
    async with (
        Provider() as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry=RETRY) as office,
    ):
        credentials = TokenCredentials(Token())
        credentials.token.fault = CredentialError("the consent was withdrawn: log in again", permanent=True)
        office.log_in_with(credentials)
        await office.hand_in(A)
        await office.hand_in(A)
        await office.send()
        assert (provider.connections, paused(office), len(office.waiting("queued"))) == (0, ["sales"], 2)
        (pause,) = admin.list_pauses(office.engine)
        assert "log in again" in pause.reason
        assert len(office.inbox()) == 1
        credentials.token.fault = None
        credentials.token.grant += 1
        office.delivery.flush()
        await office.send()
        assert len(provider.mails) == 2


HELLO = "S: 220 hi\nC: EHLO .*\nS: 250 server\n"


class GivenCredentials(TokenCredentials):
    """Every server is used with the credential that is given here."""

    def __init__(self) -> None:
        super().__init__(Token())
        self.given: Credential | None = None

    def of(self, server: Server) -> Credential:  # noqa: ARG002
        return self.given  # type: ignore[return-value]


def server_at(port: int, **more: object) -> SmtpServer:
    return SmtpServer(host="127.0.0.1", port=port, security=Security.NONE, **more)  # type: ignore[arg-type]


def make(credentials: GivenCredentials | None = None, *, idle: float = IDLE_SECONDS) -> Connections:
    runtime = Runtime(
        settings=Mock(return_value=Mock(hostname="x")),
        queue=Mock(is_shared=False),
        credentials=credentials or GivenCredentials(),
        timeouts=QUICK,
    )
    return Connections(runtime, "sales", pauses=(), idle=idle)


async def test_a_connection_is_kept_and_given_again() -> None:
    async with Dialogue(HELLO + "C: QUIT\nS: 221 bye") as server:
        pool = make()
        first, kept = await pool.acquire(server_at(server.port))
        assert not kept
        pool.release(first)
        again, kept = await pool.acquire(server_at(server.port))
        assert kept
        assert again is first
        pool.release(again)
        await pool.close()
        assert server.heard[-1] == "QUIT"


async def test_one_of_other_settings_is_closed_and_a_new_one_opened() -> None:
    async with Dialogue(HELLO + "C: QUIT\nS: 221 bye", HELLO + "C: QUIT\nS: 221 bye") as server:
        pool = make()
        for verify in (True, False):
            settings = server_at(server.port, verify=verify)
            connection, kept = await pool.acquire(settings)
            assert not kept
            pool.release(connection)
        await pool.close()
        assert server.heard.count("QUIT") == 2


async def test_one_that_the_server_gave_up_is_not_given_again() -> None:
    async with Dialogue(HELLO + "S: 421 4.4.2 idle\n! close", HELLO + "C: QUIT\nS: 221 bye") as server:
        pool = make()
        first, _ = await pool.acquire(server_at(server.port))
        pool.release(first)
        await until(lambda: not first.usable)
        second, kept = await pool.acquire(server_at(server.port))
        assert not kept
        pool.release(second)
        await pool.close()


async def test_one_is_let_go_after_a_while_and_after_many_mails() -> None:
    async with Dialogue(HELLO + "C: QUIT\nS: 221 bye", HELLO + "C: QUIT\nS: 221 bye") as server:
        pool = make(idle=0.01)
        connection, _ = await pool.acquire(server_at(server.port))
        pool.release(connection)
        await until(lambda: server.heard[-1:] == ["QUIT"])
        patient = make()
        connection, _ = await patient.acquire(server_at(server.port))
        connection.sent = MOST_MAILS
        patient.release(connection)
        await patient.close()
        await pool.close()
        assert server.heard.count("QUIT") == 2


async def test_one_is_kept_whatever_the_secret_is_and_not_for_another_login() -> None:
    login = HELLO.replace("S: 250 server", "S: 250-server\nS: 250 AUTH PLAIN") + "C: AUTH PLAIN .*\nS: 235 yes\n"
    async with Dialogue(login + "C: QUIT\nS: 221 bye", login + "C: QUIT\nS: 221 bye") as server:
        credentials = GivenCredentials()
        pool, settings = make(credentials), [server_at(server.port, username="u") for _ in range(3)]
        credentials.given = password("one")
        first, _ = await pool.acquire(settings[0])
        pool.release(first)
        credentials.given = password("two")
        assert await pool.acquire(settings[1]) == (first, True)
        pool.release(first)
        credentials.given = password("one", login="v")
        other, kept = await pool.acquire(settings[2])
        assert not kept
        pool.release(other)
        await pool.close()
