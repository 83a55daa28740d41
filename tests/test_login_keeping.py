"""A login that rests is refreshed before its issuer forgets it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from relay.accounts.credentials import Credentials
from relay.accounts.keeping import TokenKeeper
from relay.accounts.sealing import Sealer
from relay.login_keeping import LONGEST_REST, LONGEST_UNUSED, LoginKeeper
from relay.model.errors import SignInNeededError
from relay.model.oauth import OAuth
from relay.model.reply import Reply
from relay.rules.oauth_answers import Tokens
from relay.runtime import Runtime
from relay.transports.smtp import SmtpTransport
from tests.peers.oauth_server import OAuthServer
from tests.peers.office import Office, open_office


@asynccontextmanager
async def keeping(folder: Path, server: OAuthServer) -> AsyncGenerator[tuple[Office, TokenKeeper, LoginKeeper]]:
    async with open_office(folder, port=9, account={"oauth": server.settings("device")}) as office:
        tokens = TokenKeeper(office.engine, Sealer(folder), now=lambda: office.now)
        office.log_in_with(Credentials(office.queue.fingerprint_key, tokens))
        runtime = Runtime(settings=lambda: office.settings, queue=office.queue, now=lambda: office.now)
        yield office, tokens, LoginKeeper(runtime, tokens, try_login=office.delivery.try_login)


async def sign_in(office: Office, tokens: TokenKeeper, server: OAuthServer) -> tuple[OAuth, Tokens]:
    """Sign in with the only account; returns what the issuer gave, too."""
    (account,) = office.settings.directory.accounts
    assert account.oauth is not None
    given = server.sign_in()
    first = Tokens(access=given["access_token"], refresh=given["refresh_token"], life=3600)
    await tokens.begin_login(account.oauth, first)
    return account.oauth, first


async def test_what_rests_is_refreshed_and_nothing_else(tmp_path: Path) -> None:
    with OAuthServer() as server:
        async with keeping(tmp_path, server) as (office, tokens, keeper):
            await keeper.look()  # nobody has signed in
            assert await office.queue.pauses() == []
            await sign_in(office, tokens, server)
            office.now += LONGEST_REST
            await keeper.look()
            assert server.asked == []
            office.now += 1
            server.is_down = True
            await keeper.look()
            server.is_down = False
            office.now += 60_000
            await keeper.look()
            await keeper.look()
            assert len(server.asked) == 1
            assert await office.queue.pauses() == []


async def test_an_account_is_paused_as_soon_as_its_login_is_known_to_be_over(tmp_path: Path) -> None:
    """Nothing connects for that: the account's port is nobody's. The postmaster is told once."""
    with OAuthServer() as server:
        async with keeping(tmp_path, server) as (office, tokens, keeper):
            oauth, first = await sign_in(office, tokens, server)
            await keeper.look()
            server.revoke()
            office.now += 2 * LONGEST_REST
            for _ in range(2):
                await keeper.look()
                await office.send()
            assert len(server.asked) == 1
            (pause,) = await office.queue.pauses()
            assert pause.account == "sales"
            assert "535 5.7.8 the login is over: relay account authorize sales (invalid_grant" in pause.reason
            (alert,) = office.inbox()
            assert b"relay account authorize sales" in alert
            await tokens.begin_login(oauth, first)
            await keeper.look()
            assert await office.queue.pauses() == [pause]  # whether it works now, a probe will see


async def test_a_login_that_died_elsewhere_pauses_the_account_and_one_that_is_only_unknown_does_not(
    tmp_path: Path,
) -> None:
    with OAuthServer() as server:
        async with keeping(tmp_path, server) as (office, tokens, keeper):
            oauth, _ = await sign_in(office, tokens, server)
            office.now += 2 * LONGEST_REST
            server.is_down = True
            await keeper.look()
            assert await office.queue.pauses() == []
            server.is_down = False
            server.revoke()
            with pytest.raises(SignInNeededError):
                await tokens.renew(oauth)  # as by a command, or a poll
            await keeper.look()
            (pause,) = await office.queue.pauses()
            assert pause.account == "sales"


async def test_the_login_of_an_account_that_is_gone_is_deleted_after_a_while(tmp_path: Path) -> None:
    with OAuthServer() as server:
        async with keeping(tmp_path, server) as (office, tokens, keeper):
            oauth, first = await sign_in(office, tokens, server)
            gone = replace(oauth, account="gone")
            await tokens.begin_login(gone, first)
            office.now += LONGEST_UNUSED
            await keeper.look()
            assert await tokens.find(gone) is not None
            office.now += 1
            await keeper.look()
            assert await tokens.find(gone) is None
            assert await tokens.find(oauth) is not None


async def test_who_signs_in_while_the_old_login_is_refused_is_not_held_up_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause is one of the old login, so that the new one is tried at once."""
    with OAuthServer() as server:
        async with keeping(tmp_path, server) as (office, tokens, keeper):
            oauth, first = await sign_in(office, tokens, server)
            server.revoke()
            office.now += 2 * LONGEST_REST
            probe = SmtpTransport.probe

            async def sign_in_behind_it(transport: SmtpTransport) -> Reply | None:
                refusal = await probe(transport)
                office.now += 1
                await tokens.begin_login(oauth, first)
                return refusal

            monkeypatch.setattr(SmtpTransport, "probe", sign_in_behind_it)
            await keeper.look()
            (pause,) = await office.queue.pauses()
            (smtp,) = [one.smtp for one in office.settings.directory.accounts]
            assert smtp is not None
            now = await Credentials(office.queue.fingerprint_key, tokens).fingerprint(smtp)
            assert now not in pause.fingerprint.split()
