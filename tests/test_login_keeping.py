"""A login that rests is refreshed before its issuer forgets it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from relay.accounts.keeping import TokenKeeper
from relay.accounts.sealing import Sealer
from relay.login_keeping import LONGEST_REST, LONGEST_UNUSED, LoginKeeper
from relay.rules.oauth_answers import Tokens
from relay.runtime import Runtime
from tests.peers.oauth_server import OAuthServer
from tests.peers.office import Office, open_office


@asynccontextmanager
async def keeping(folder: Path, server: OAuthServer) -> AsyncGenerator[tuple[Office, TokenKeeper, LoginKeeper]]:
    async with open_office(folder, port=9, account={"oauth": server.settings("device")}) as office:
        tokens = TokenKeeper(office.engine, Sealer(folder), now=lambda: office.now)
        runtime = Runtime(settings=lambda: office.settings, queue=office.queue, now=lambda: office.now)
        yield office, tokens, LoginKeeper(runtime, tokens)


async def test_what_rests_is_refreshed_and_nothing_else(tmp_path: Path) -> None:
    with OAuthServer() as server:
        async with keeping(tmp_path, server) as (office, tokens, keeper):
            await keeper.look()  # nobody has signed in
            (account,) = office.settings.directory.accounts
            assert account.oauth is not None
            given = server.sign_in()
            first = Tokens(access=given["access_token"], refresh=given["refresh_token"], life=3600)
            await tokens.begin_login(account.oauth, first)
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
            server.revoke()
            office.now += 2 * LONGEST_REST
            await keeper.look()
            await keeper.look()
            assert len(server.asked) == 2


async def test_the_login_of_an_account_that_is_gone_is_deleted_after_a_while(tmp_path: Path) -> None:
    with OAuthServer() as server:
        async with keeping(tmp_path, server) as (office, tokens, keeper):
            (account,) = office.settings.directory.accounts
            assert account.oauth is not None
            given = server.sign_in()
            first = Tokens(access=given["access_token"], refresh=given["refresh_token"], life=3600)
            await tokens.begin_login(account.oauth, first)
            gone = replace(account.oauth, account="gone")
            await tokens.begin_login(gone, first)
            office.now += LONGEST_UNUSED
            await keeper.look()
            assert await tokens.find(gone) is not None
            office.now += 1
            await keeper.look()
            assert await tokens.find(gone) is None
            assert await tokens.find(account.oauth) is not None
