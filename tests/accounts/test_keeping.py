"""What a login survives: faults of network, issuer and database; and what ends it."""

import asyncio
import contextlib
import sqlite3
import threading
import traceback
from collections.abc import Mapping
from dataclasses import replace

import pytest

from relay.accounts.content import unpack
from relay.accounts.keeping import TokenKeeper
from relay.accounts.sealing import Sealer
from relay.accounts.token import TokenCredential
from relay.model.errors import CredentialError, SignInNeededError
from relay.model.oauth import KEY_FILE, Flow
from relay.model.secret import Secret
from relay.rules.oauth_answers import Tokens
from relay.rules.oauth_provider import binding_of
from relay.storage import logins
from relay.storage.engine import open_engine
from relay.storage.logins import acquire_login, find_login
from relay.upstream.posting import PostError, post_form
from relay.web import Answer
from tests.accounts.conftest import Office
from tests.peers.oauth_server import Rotation

HOUR = 3_600_000
MARGIN = 600_000


async def test_a_token_is_given_until_ten_minutes_before_its_end_and_refreshed_then(office: Office) -> None:
    keeper = await office.signed_in()
    first = await keeper.token(office.oauth())
    office.now += HOUR - MARGIN - 1
    assert await keeper.token(office.oauth()) == first
    assert office.server.asked == []
    office.now += 2
    second = await keeper.token(office.oauth())
    assert second != first
    assert await office.keeper().token(office.oauth()) == second  # by another process
    assert len(office.server.asked) == 1


async def test_of_a_short_life_half_is_used(office: Office) -> None:
    office.server.life = 2
    keeper = await office.signed_in()
    first = await keeper.token(office.oauth())
    office.now += 999
    assert await keeper.token(office.oauth()) == first
    office.now += 2
    assert await keeper.token(office.oauth()) != first


async def test_an_issuer_whose_tokens_end_at_once_is_asked_now_and_then(office: Office) -> None:
    office.server.life = 0
    keeper = await office.signed_in()
    office.now += HOUR
    for _ in range(30):
        await keeper.token(office.oauth())
        office.now += 1000
    assert 3 <= len(office.server.asked) <= 6


async def test_one_refresh_at_a_time_whoever_asks(office: Office) -> None:
    keepers = [await office.signed_in(), office.keeper(), office.keeper()]
    office.now += HOUR
    given = await asyncio.gather(*(keeper.token(office.oauth()) for keeper in keepers for _ in range(4)))
    assert len(set(given)) == 1
    assert len(office.server.asked) == 1


async def test_what_was_given_is_stored_before_it_is_used(office: Office) -> None:
    keeper = await office.signed_in()
    office.now += HOUR
    token = await keeper.token(office.oauth())
    office.server.is_down = True
    assert await office.keeper().token(office.oauth()) == token
    found = find_login(office.engine, "sales")
    assert found is not None
    assert not any(secret in repr(found) + found.sealed for secret in office.server.issued)


async def test_nothing_secret_is_in_what_a_fault_shows(office: Office) -> None:
    given: list[Mapping[str, str]] = []

    async def broken(_url: str, form: Mapping[str, str]) -> Answer:
        given.append(form)
        raise RuntimeError("a fault of our own")

    keeper = await office.signed_in(post=broken)
    oauth = office.oauth(client_secret=Secret(key="client_secret", value="the-clients-secret"))
    with pytest.raises(RuntimeError) as caught:
        await keeper.renew(oauth)
    content = unpack(Sealer(office.folder).open(one.sealed if (one := find_login(office.engine, "sales")) else ""))
    credential = TokenCredential(oauth=oauth, keeper=keeper)
    tokens = Tokens(access=content.access, refresh=content.refresh, life=1)
    shown = [repr(one) for one in (content, credential, oauth, keeper, tokens, find_login(office.engine, "sales"))]
    shown += traceback.format_exception(caught.value)
    (form,) = given
    secrets = {form["refresh_token"], form["client_secret"], content.access}
    assert len(secrets) == 3
    assert not [secret for secret in secrets for text in shown if secret in text]


async def test_an_app_needs_nobody_where_the_key_is_gone(office: Office) -> None:
    office.server.secret = "the-clients-secret"
    await office.keeper().token(office.oauth(Flow.APP))
    (office.folder / KEY_FILE).unlink()
    keeper = office.keeper()
    token = await keeper.token(office.oauth(Flow.APP))
    assert await keeper.token(office.oauth(Flow.APP)) == token
    assert len(office.server.asked) == 2


async def test_a_person_may_have_a_login_refreshed_before_its_time(office: Office) -> None:
    keeper = await office.signed_in()
    first, second = await asyncio.gather(keeper.renew(office.oauth()), keeper.renew(office.oauth()))
    assert first == second
    assert len(office.server.asked) == 1
    assert await keeper.token(office.oauth()) == first.access
    office.server.revoke()
    for _ in range(2):
        with pytest.raises(CredentialError, match="the login is over: relay account authorize sales"):
            await keeper.renew(office.oauth())
    assert len(office.server.asked) == 2


async def test_when_a_login_ends_is_kept_as_the_issuer_says_it(office: Office) -> None:
    office.server.renewal_life, office.server.rotation = 604_800, Rotation.NONE
    keeper = await office.signed_in()
    begun = office.now
    for _ in range(3):
        office.now += HOUR
        office.server.renewal_life -= 3600
        await keeper.renew(office.oauth())
    found = find_login(office.engine, "sales")
    assert found is not None
    assert found.renewal_ends_at == begun + 604_800_000


@pytest.mark.parametrize("rotation", [Rotation.NONE, Rotation.KIND, Rotation.STRICT])
async def test_each_refresh_uses_what_the_one_before_has_given(office: Office, rotation: Rotation) -> None:
    office.server.rotation = rotation
    keeper = await office.signed_in()
    for _ in range(4):
        office.now += HOUR
        await keeper.token(office.oauth())
    used = [form["refresh_token"] for form in office.server.asked]
    assert len(set(used)) == (1 if rotation is Rotation.NONE else 4)


async def test_an_issuer_that_is_down_ends_nothing(office: Office) -> None:
    keeper = await office.signed_in()
    office.server.is_down = True
    first = await keeper.token(office.oauth())
    office.now += HOUR - MARGIN + 1
    assert await keeper.token(office.oauth()) == first  # it still holds
    office.now += MARGIN
    with pytest.raises(CredentialError, match="HTTP 503") as caught:
        await keeper.token(office.oauth())
    assert not caught.value.permanent
    office.server.is_down = False
    assert await keeper.token(office.oauth()) != first


async def test_a_network_that_fails_ends_nothing(office: Office) -> None:
    faults = [PostError("h.example: Connection refused")] * 2

    async def post(url: str, form: Mapping[str, str]) -> Answer:
        if faults:
            raise faults.pop()
        return await post_form(url, form)

    keeper = await office.signed_in(post=post)
    office.now += 2 * HOUR
    for _ in range(2):
        with pytest.raises(CredentialError, match=r"can't be asked: .*refused") as caught:
            await keeper.token(office.oauth())
        assert not caught.value.permanent
    assert await keeper.token(office.oauth())


async def test_after_a_failure_the_token_at_hand_is_used_for_a_while_without_another_try(office: Office) -> None:
    keeper = await office.signed_in()
    office.server.is_down = True
    office.now += HOUR - MARGIN + 1
    await keeper.token(office.oauth())
    office.server.is_down = False
    await keeper.token(office.oauth())
    assert office.server.asked == []
    office.now += 10_001
    await keeper.token(office.oauth())
    assert len(office.server.asked) == 1


async def test_what_the_issuer_has_ended_is_over_until_somebody_signs_in(office: Office) -> None:
    keeper = await office.signed_in()
    office.now += HOUR
    office.server.revoke()
    for one in (keeper, keeper, office.keeper()):
        with pytest.raises(
            CredentialError, match=r"relay account authorize sales .*invalid_grant: it is over"
        ) as caught:
            await one.token(office.oauth())
        assert caught.value.permanent
    assert len(office.server.asked) == 1
    keeper = await office.signed_in()
    assert await keeper.token(office.oauth())


async def test_a_program_that_is_refused_ends_no_login(office: Office) -> None:
    keeper = await office.signed_in()
    first = await keeper.token(office.oauth())
    office.server.refusal = {"error": "invalid_client", "error_description": "AADSTS7000222: expired"}
    office.now += HOUR - MARGIN + 1
    assert await keeper.token(office.oauth()) == first
    office.now += MARGIN
    with pytest.raises(
        CredentialError, match=r"no token: 127\.0\.0\.1 refuses: invalid_client: AADSTS7000222"
    ) as caught:
        await keeper.token(office.oauth())
    assert caught.value.permanent
    office.server.refusal = None
    assert await keeper.token(office.oauth())


async def test_nobody_has_signed_in_or_for_something_else(office: Office) -> None:
    nobody = "nobody has signed in yet: relay account authorize sales"
    with pytest.raises(CredentialError, match=nobody) as caught:
        await office.keeper().token(office.oauth())
    assert caught.value.permanent
    keeper = await office.signed_in()
    assert await keeper.token(office.oauth())
    with pytest.raises(CredentialError, match=nobody):
        await keeper.token(office.oauth(client_id="other-client"))


async def test_tokens_that_were_moved_to_another_account_are_nobodys(office: Office) -> None:
    """Whoever writes to the database changes neither whose tokens are used nor where they go."""
    await office.signed_in()
    other = office.oauth(account="ben", token_url=f"{office.server.url}/evil")
    login = find_login(office.engine, "sales")
    assert login is not None
    for oauth in (other, office.oauth(account="ben"), office.oauth(user="ben@example.com")):
        logins.begin_login(office.engine, replace(login, account=oauth.account, binding=binding_of(oauth)))
        for ask in (office.keeper().token, office.keeper().renew):
            with pytest.raises(
                SignInNeededError, match=f"nobody has signed in yet: relay account authorize {oauth.account}"
            ):
                await ask(oauth)
    assert office.server.asked == []


async def test_an_app_signs_in_by_itself_and_again_whatever_was_said(office: Office) -> None:
    office.server.secret = "sesame"
    keeper, oauth = office.keeper(), office.oauth(Flow.APP)
    first = await keeper.token(oauth)
    assert await keeper.token(oauth) == first
    office.server.refusal = {"error": "invalid_grant"}
    office.now += HOUR
    with pytest.raises(CredentialError, match="refuses: invalid_grant") as caught:
        await keeper.token(oauth)
    assert caught.value.permanent
    office.server.refusal = None
    assert await keeper.token(oauth) != first
    assert {form["client_secret"] for form in office.server.asked} == {"sesame"}


async def test_what_the_database_does_not_take_is_stored_the_next_time(office: Office) -> None:
    office.server.rotation = Rotation.STRICT
    hasty = replace(office, engine=open_engine(f"sqlite:///{office.folder}/relay.db", patience=0.1))
    keeper = await hasty.signed_in()
    hasty.now += HOUR
    office.server.before_answer = threading.Event()
    asking = asyncio.create_task(keeper.token(office.oauth()))
    await asyncio.to_thread(office.server.was_asked.wait, 20)
    with contextlib.closing(sqlite3.connect(office.folder / "relay.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        office.server.before_answer.set()
        with pytest.raises(CredentialError, match="another program is writing into it") as caught:
            await asking
    assert not caught.value.permanent
    token = await keeper.token(office.oauth())
    assert office.server.holds(token)
    assert len(office.server.asked) == 1
    hasty.engine.dispose()


async def test_a_refresh_of_another_node_is_waited_for(office: Office) -> None:
    keeper = await office.signed_in()
    office.now += HOUR
    login = find_login(office.engine, "sales")
    assert login is not None
    held = acquire_login(office.engine, "sales", login.binding, node="other", token="t", now=office.now)
    assert held == login
    asking = asyncio.create_task(keeper.token(office.oauth()))
    await asyncio.sleep(0)
    assert not logins.store_login(office.engine, replace(login, ends_at=office.now + HOUR), token="another")
    assert logins.store_login(office.engine, replace(login, got_at=office.now, ends_at=office.now + HOUR), token="t")
    await asking
    assert office.server.asked == []


async def test_a_node_that_begins_anew_ends_what_it_had_begun(office: Office) -> None:
    keeper = await office.signed_in(node="n1")
    office.now += HOUR
    login = find_login(office.engine, "sales")
    assert login is not None
    assert acquire_login(office.engine, "sales", login.binding, node="n1", token="t", now=office.now)
    await asyncio.to_thread(keeper.begin)
    assert await keeper.token(office.oauth())


async def test_without_the_key_somebody_must_sign_in_again(office: Office) -> None:
    await office.signed_in()
    (office.folder / KEY_FILE).unlink()
    with pytest.raises(CredentialError, match=r"tokens is gone.*: relay account authorize sales") as caught:
        await office.keeper().token(office.oauth())
    assert caught.value.permanent


async def test_who_gives_up_waiting_does_not_end_the_refresh(office: Office) -> None:
    keeper = await office.signed_in()
    office.now += HOUR
    office.server.before_answer = threading.Event()
    asking = asyncio.create_task(keeper.token(office.oauth()))
    await asyncio.to_thread(office.server.was_asked.wait, 20)
    asking.cancel()
    office.server.before_answer.set()
    await keeper.close()
    assert len(office.server.asked) == 1
    await office.keeper().token(office.oauth())
    assert len(office.server.asked) == 1


async def test_nothing_shows_a_token(office: Office) -> None:
    keeper: TokenKeeper = await office.signed_in()
    await keeper.token(office.oauth())
    shown = repr(keeper) + repr(keeper._opened) + repr(keeper._unsaved)
    assert not any(secret in shown for secret in office.server.issued)


async def test_a_token_that_a_server_refuses_before_its_end_is_refreshed_once(office: Office) -> None:
    keeper, oauth = await office.signed_in(), office.oauth()
    first = await keeper.token(oauth)
    assert await keeper.token_after(oauth, first) is None  # it is brand-new: another one would be refused, too
    office.now += MARGIN // 10
    second = await keeper.token_after(oauth, first)
    assert second not in (None, first)
    assert await keeper.token(oauth) == await keeper.token_after(oauth, first) == second
    assert len(office.server.asked) == 1


async def test_a_login_that_a_server_refuses_since_it_is_over_is_known_to_be_over(office: Office) -> None:
    keeper, oauth = await office.signed_in(), office.oauth()
    first = await keeper.token(oauth)
    office.server.revoke()
    office.now += MARGIN // 10
    for _ in range(2):
        with pytest.raises(SignInNeededError, match="the login is over: relay account authorize sales"):
            await keeper.token_after(oauth, first)
    assert len(office.server.asked) == 1
