"""Whatever befalls the service: no login dies of it, and no token is given of which its provider knows nothing."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from relay.accounts import keeping
from relay.accounts.keeping import TokenKeeper
from relay.model.errors import CredentialError
from relay.storage.engine import open_engine
from relay.storage.upgrade import prepare_database
from tests.accounts.conftest import Office
from tests.peers.oauth_server import OAuthServer, Rotation

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("passes"), st.integers(MINUTE, 90 * MINUTE)),
        st.tuples(st.just("is set"), st.sampled_from([DAY, -DAY, 40 * MINUTE, -40 * MINUTE])),
        st.tuples(st.just("node"), st.integers(0, 1)),
        st.tuples(st.sampled_from(["issuer", "database"]), st.integers(0, 1)),
        st.tuples(st.just("both"), st.just(0)),
    ),
    max_size=12,
)
_LOSE = "CREATE TRIGGER lose BEFORE UPDATE OF sealed ON login BEGIN SELECT RAISE(ABORT, 'lost'); END"
"""The database takes leases, and loses what a refresh brings."""


@pytest.fixture(scope="module", autouse=True)
def _waits() -> Iterator[None]:
    """Wait for no other node's refresh: no time passes meanwhile, so that its lease does not end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "_PATIENCE", 0.5)
        patch.setattr(keeping, "_LOOK", 0.01)
        yield


async def befall(office: Office, nodes: list[TokenKeeper], what: str, value: int) -> None:
    if what == "passes":
        office.now += value
    elif what == "is set":
        office.set_clock(value)
    elif what == "issuer":
        office.server.is_down = bool(value)
    elif what == "database":
        lose(office, loses=bool(value))
    elif what == "both":
        await asyncio.gather(*(node.token(office.oauth()) for node in nodes), return_exceptions=True)
    else:
        nodes[value] = office.keeper(node=f"{value}")
        await asyncio.to_thread(nodes[value].begin)


def lose(office: Office, *, loses: bool) -> None:
    with office.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER IF EXISTS lose"))
        if loses:
            connection.execute(text(_LOSE))


async def live(office: Office, steps: list[tuple[str, int]]) -> None:
    """Let two nodes of a database live through this; each asks for a token after each step."""
    server, oauth = office.server, office.oauth()
    nodes: list[TokenKeeper] = [await office.signed_in(node="0"), office.keeper(node="1")]
    for what, value in steps:
        await befall(office, nodes, what, value)
        for node in nodes:
            with contextlib.suppress(CredentialError):
                assert server.holds(await node.token(oauth)), steps
    server.is_down = False
    lose(office, loses=False)
    office.now += 61 * MINUTE
    for node in nodes:
        with contextlib.suppress(CredentialError):  # of a lease that the other one has lost
            await node.token(oauth)
        assert server.holds(await node.token(oauth)), steps
    login = await nodes[0].find(oauth)
    assert login is not None
    assert not login.ended


@settings(max_examples=15, deadline=None)
@given(STEPS)
def test_no_login_dies_and_no_dead_token_is_given(steps: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as name, OAuthServer(rotation=Rotation.KIND) as server:
        engine = open_engine(f"sqlite:///{name}/relay.db")
        prepare_database(engine)
        office = Office(Path(name), engine, server)
        server.clock = office.monotonic
        try:
            asyncio.run(live(office, steps))
        finally:
            engine.dispose()
