"""An authorization server, and a keeper of tokens on a database of its own, with a clock that a test sets."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from relay.accounts.keeping import TokenKeeper
from relay.accounts.sealing import Sealer
from relay.model.oauth import Flow, OAuth, Provider
from relay.model.secret import Secret
from relay.rules.oauth_answers import Tokens
from relay.storage.engine import open_engine
from relay.storage.upgrade import prepare_database
from tests.peers.oauth_server import CLIENT, USER, OAuthServer


@pytest.fixture
def server() -> Iterator[OAuthServer]:
    with OAuthServer() as running:
        yield running


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/relay.db")
    prepare_database(engine)
    yield engine
    engine.dispose()


@dataclass
class Office:
    """A folder, its database and a clock."""

    folder: Path
    engine: Engine
    server: OAuthServer
    now: int = 1_780_000_000_000
    skew: int = 0
    """Milliseconds by which the wall clock was set forwards (back: less than 0) while no time passed."""

    def set_clock(self, milliseconds: int) -> None:
        """Set the wall clock forwards or back."""
        self.now += milliseconds
        self.skew += milliseconds

    def monotonic(self) -> float:
        """Give the time that has passed, in seconds."""
        return (self.now - self.skew) / 1000

    def keeper(self, **more: Any) -> TokenKeeper:  # noqa: ANN401 - of its constructor
        return TokenKeeper(self.engine, Sealer(self.folder), now=lambda: self.now, monotonic=self.monotonic, **more)

    def oauth(self, flow: Flow = Flow.DEVICE, **more: Any) -> OAuth:  # noqa: ANN401 - fields
        url = self.server.url
        secret = Secret(key="client_secret", value=self.server.secret or None)
        return replace(
            OAuth(
                provider=Provider.CUSTOM,
                flow=flow,
                client_id=CLIENT,
                client_secret=secret,
                user=USER,
                token_url=f"{url}/token",
                device_url=f"{url}/device",
                authorize_url=f"{url}/authorize",
                scopes=("mail",),
                account="sales",
                protocols=("smtp",),
            ),
            **more,
        )

    async def signed_in(self, **more: Any) -> TokenKeeper:  # noqa: ANN401 - of the keeper
        """Give a keeper with a login."""
        keeper = self.keeper(**more)
        given = self.server.sign_in()
        tokens = Tokens(
            access=given["access_token"],
            refresh=given["refresh_token"],
            life=given["expires_in"],
            renewal_life=self.server.renewal_life,
        )
        await keeper.begin_login(self.oauth(), tokens)
        return keeper


@pytest.fixture
def office(tmp_path: Path, engine: Engine, server: OAuthServer) -> Office:
    return Office(tmp_path, engine, server)
