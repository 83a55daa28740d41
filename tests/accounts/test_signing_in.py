"""Persons who sign in at a real authorization server."""

import asyncio
import re
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest

from relay.accounts.issuer import Issuer
from relay.accounts.signing_in import SignInError, sign_in
from relay.model.oauth import Flow, OAuth
from relay.rules.oauth_answers import Tokens
from tests.accounts.conftest import Office
from tests.peers.oauth_server import end_of

NOW = 1_780_000_000_000


class Person:
    """Somebody who does what is shown."""

    def __init__(self, *pastes: str | None) -> None:
        self.shown: list[str] = []
        self.pastes = list(pastes)
        self.came = asyncio.Event()

    def show(self, text: str) -> None:
        self.shown.append(text)
        self.came.set()

    async def page(self) -> str:
        await self.came.wait()
        found = re.search(r"http://127\.0\.0\.1:\d+/authorize\S+", "".join(self.shown))
        assert found is not None
        return found[0]

    async def paste(self) -> str | None:
        if not self.pastes:
            await asyncio.Event().wait()
        paste = self.pastes.pop(0)
        return await asyncio.to_thread(end_of, await self.page()) if paste == "the end" else paste


async def start(oauth: OAuth, person: Person, language: str = "en") -> Tokens:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    return await sign_in(oauth, Issuer(oauth, now=lambda: NOW), person, language=language, sleep=sleep)


async def test_a_code_is_typed_in_on_any_computer(office: Office) -> None:
    person, asked = Person(), 0

    async def sleep(seconds: float) -> None:
        nonlocal asked
        asked += 1
        assert seconds == 1
        if asked == 3:
            office.server.signed_in.set()

    oauth = office.oauth()
    tokens = await sign_in(oauth, Issuer(oauth, now=lambda: NOW), person, sleep=sleep)
    assert office.server.holds(tokens.access)
    assert asked == 3
    assert f"Open {office.server.url}/type-it-in on any computer, type in the code ABCD-EFGH" in person.shown[0]


async def test_a_server_that_is_down_for_a_moment_does_not_end_it(office: Office) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        office.server.is_down = len(waits) == 1
        office.server.signed_in.set()

    oauth = office.oauth()
    await sign_in(oauth, Issuer(oauth, now=lambda: NOW), Person(), sleep=sleep)
    assert len(waits) == 2


async def test_a_code_that_runs_out_or_is_refused(office: Office) -> None:
    with pytest.raises(SignInError, match="has run out"):
        await start(office.oauth(), Person())
    office.server.refusal = {"error": "access_denied", "error_description": "she said no"}
    with pytest.raises(SignInError, match="says: access_denied: she said no") as caught:
        await start(office.oauth(), Person())
    assert caught.value.refusal is not None


async def test_each_last_word_ends_the_wait_for_a_code_and_what_passes_does_not(office: Office) -> None:
    for last in ("authorization_declined", "bad_verification_code", "invalid_grant", "something_new"):
        office.server.asked.clear()
        office.server.refusal = {"error": last}
        with pytest.raises(SignInError, match=f"says: {last}"):
            await start(office.oauth(), Person())
        assert len(office.server.asked) == 1
    office.server.asked.clear()
    office.server.interval = 300
    office.server.refusal = {"error": "temporarily_unavailable"}
    with pytest.raises(SignInError, match="has run out"):
        await start(office.oauth(), Person())
    assert len(office.server.asked) > 1


async def test_a_german_office_is_led_in_german(office: Office) -> None:
    person = Person("what?", "http://127.0.0.1/?code=x&state=y", "the end")
    await start(office.oauth(Flow.BROWSER), person, "de")
    assert "Öffnen Sie diese Adresse in einem Browser" in person.shown[0]
    assert "ist nicht die Adresse der Seite" in person.shown[1]
    assert "gehört zu einem anderen Versuch" in person.shown[2]
    office.server.refusal = {"error": "access_denied"}
    person = Person()
    with pytest.raises(SignInError, match=r"127\.0\.0\.1 sagt: access_denied"):
        await start(office.oauth(), person, "de")
    assert "geben Sie den Code ABCD-EFGH ein" in person.shown[0]
    office.server.refusal = {"error": "authorization_pending"}
    with pytest.raises(SignInError, match="der Code ist abgelaufen"):
        await start(office.oauth(), Person(), "de")


async def test_a_browser_on_this_computer_is_all(office: Office) -> None:
    person = Person()
    signing = asyncio.create_task(start(office.oauth(Flow.BROWSER), person))
    end = await asyncio.to_thread(end_of, await person.page())
    with await asyncio.to_thread(urllib.request.urlopen, end) as answer:
        assert b"You can close this window" in answer.read()
    tokens = await signing
    assert office.server.holds(tokens.access)
    (form,) = office.server.asked
    assert form["grant_type"] == "authorization_code"
    assert len(form["code_verifier"]) >= 43


async def test_of_another_computer_the_address_is_pasted(office: Office) -> None:
    person = Person("what?", "http://127.0.0.1/?code=x&state=y", "the end")
    tokens = await start(office.oauth(Flow.BROWSER), person)
    assert office.server.holds(tokens.access)
    assert "is not the address of the page" in person.shown[1]
    assert "belongs to another attempt" in person.shown[2]
    query = parse_qs(urlsplit(await person.page()).query)
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["state"][0]) >= 43


async def test_who_can_paste_nothing_may_use_the_browser(office: Office) -> None:
    person = Person(None)
    signing = asyncio.create_task(start(office.oauth(Flow.BROWSER), person))
    end = await asyncio.to_thread(end_of, await person.page())
    with await asyncio.to_thread(urllib.request.urlopen, end):
        pass
    assert office.server.holds((await signing).access)


async def test_what_the_browser_brings_of_a_refusal_is_said(office: Office) -> None:
    person = Person()
    signing = asyncio.create_task(start(office.oauth(Flow.BROWSER), person))
    query = {key: values[0] for key, values in parse_qs(urlsplit(await person.page()).query).items()}
    end = f"{query['redirect_uri']}/?error=access_denied&state={query['state']}"
    with pytest.raises(urllib.error.HTTPError):
        await asyncio.to_thread(urllib.request.urlopen, end)
    assert "says that the provider refused: access_denied" in person.shown[-1]
    signing.cancel()
    await asyncio.gather(signing, return_exceptions=True)


async def test_nobody_comes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.accounts.signing_in.PATIENCE", 0.01)
    with pytest.raises(SignInError, match="nobody has signed in within"):
        await start(office.oauth(Flow.BROWSER), Person())


async def test_an_app_needs_nobody(office: Office) -> None:
    person = Person()
    assert office.server.holds((await start(office.oauth(Flow.APP), person)).access)
    assert person.shown == []


async def test_a_token_that_can_not_be_renewed_is_no_login(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    give = office.server._give
    monkeypatch.setattr(office.server, "_give", lambda **_: give(refresh=False))
    office.server.signed_in.set()
    with pytest.raises(SignInError, match="nothing to renew it by"):
        await start(office.oauth(), Person())
