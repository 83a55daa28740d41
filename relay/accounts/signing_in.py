"""How a person signs in, so that the service gets its first token: by a code, or in a browser; an app by itself.

The person may sit at any computer: a page that could not be opened there is no fault, since its address is enough.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from relay.accounts import words
from relay.accounts.issuer import Issuer
from relay.accounts.landing import Landing
from relay.model.errors import CredentialError, RelayError
from relay.model.oauth import Flow, OAuth, Provider
from relay.rules.oauth_answers import SLOWER, DeviceCode, Meaning, Refusal, Tokens
from relay.rules.oauth_provider import RedirectError, endpoints_of, read_redirect, sign_in_page

PATIENCE: Final = 900.0
"""Seconds that a person has to sign in by a browser; a code has its own time."""


class SignInError(RelayError):
    """Nobody has signed in; the text says why."""

    def __init__(self, text: str, refusal: Refusal | None = None) -> None:
        super().__init__(text)
        self.refusal = refusal
        """What the issuer said, if it did."""


class Person(Protocol):
    """Who signs in."""

    def show(self, text: str) -> None:
        """Show some lines."""

    async def paste(self) -> str | None:
        """Wait for a line that the person gives; None where nobody can."""


Sleep = Callable[[float], Awaitable[None]]


async def sign_in(
    oauth: OAuth, issuer: Issuer, person: Person, *, language: str = "en", sleep: Sleep = asyncio.sleep
) -> Tokens:
    """Lead a person through the sign-in, and return the first tokens. Raises SignInError, CredentialError.

    `language`: "de" or "en", of what the person is shown, and of a SignInError.
    """
    if oauth.flow is Flow.DEVICE:
        tokens = await _by_device(oauth, issuer, person, language, sleep)
    elif oauth.flow is Flow.BROWSER:
        try:
            async with asyncio.timeout(PATIENCE):
                tokens = await _by_browser(oauth, issuer, person, language)
        except TimeoutError:
            raise SignInError(words.IN_VAIN.by(language).format(minutes=round(PATIENCE / 60))) from None
    else:
        tokens = _taken(await issuer.as_app(), issuer, language)
    if tokens.refresh is None and oauth.flow is not Flow.APP:
        raise SignInError(words.NO_RENEWAL.by(language))
    return tokens


async def _by_device(oauth: OAuth, issuer: Issuer, person: Person, language: str, sleep: Sleep) -> Tokens:
    """Show a code, and ask until somebody has typed it in (RFC 8628 sections 3.3 to 3.5)."""
    code = await issuer.begin_device()
    if not isinstance(code, DeviceCode):
        raise _refused(code, issuer, language)
    person.show(
        words.DEVICE.by(language).format(
            page=code.page, code=code.user_code, user=oauth.user, minutes=max(code.life // 60, 1)
        )
    )
    interval, left = code.interval, code.life
    while left > 0:
        await sleep(interval)
        left -= interval
        try:
            answer = await issuer.ask_device(code)
        except CredentialError:  # the network; the code may hold for longer
            interval += SLOWER
            continue
        if isinstance(answer, Tokens):
            return answer
        if answer.meaning is Meaning.SLOW_DOWN:
            interval += SLOWER
        elif answer.is_definite:
            raise _refused(answer, issuer, language)
    raise SignInError(words.CODE_OVER.by(language))


async def _by_browser(oauth: OAuth, issuer: Issuer, person: Person, language: str) -> Tokens:
    """Let a browser bring a code, by itself or by the person's hand (RFC 8252 section 7.3)."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    # Microsoft knows localhost alone (Entra: "Redirect URI restrictions"); RFC 8252 section 8.3 prefers the number.
    host = "localhost" if oauth.provider is Provider.MICROSOFT else "127.0.0.1"
    endpoints = endpoints_of(oauth)

    def read(address: str) -> str:
        try:
            return read_redirect(address, endpoints=endpoints, state=state)
        except RedirectError as error:
            raise ValueError(error.by(language)) from None

    def complain(why: str) -> None:
        person.show(words.CAME_BACK.by(language).format(why=why))

    async with Landing(read, complain) as landing:
        redirect = f"http://{host}:{landing.port}"
        person.show(
            words.BROWSER.by(language).format(
                user=oauth.user,
                page=sign_in_page(oauth, redirect=redirect, state=state, verifier=verifier),
                redirect=redirect,
            )
        )
        code = await _first_code(landing, person, language)
    return _taken(await issuer.redeem(code, verifier=verifier, redirect=redirect), issuer, language)


async def _first_code(landing: Landing, person: Person, language: str) -> str:
    """Return the code that the browser or the person brings first; a wrong address is explained, and asked for anew."""
    landed = asyncio.ensure_future(landing.code())
    pasted = asyncio.ensure_future(person.paste())
    try:
        waiting: set[asyncio.Future[str] | asyncio.Future[str | None]] = {landed, pasted}
        while True:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if landed.done():
                return landed.result()
            waiting.discard(pasted)
            if (address := pasted.result()) is None:
                continue
            try:
                return landing.read(address)
            except ValueError as error:
                person.show(words.PASTED.by(language).format(why=error))
            pasted = asyncio.ensure_future(person.paste())
            waiting.add(pasted)
    finally:
        for one in (landed, pasted):
            one.cancel()
        await asyncio.gather(landed, pasted, return_exceptions=True)


def _taken(answer: Tokens | Refusal, issuer: Issuer, language: str) -> Tokens:
    if isinstance(answer, Refusal):
        raise _refused(answer, issuer, language)
    return answer


def _refused(refusal: Refusal, issuer: Issuer, language: str) -> SignInError:
    return SignInError(words.REFUSED.by(language).format(host=issuer.host, refusal=refusal), refusal)
