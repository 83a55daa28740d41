"""Asks the issuer of an account's tokens: a form for each kind of grant, with what proves the client.

What comes back is read by pure rules (`relay/rules/oauth_answers.py`). No secret that is sent is in an exception,
nor in what is read of an answer that repeats one, as it is or percent-encoded (RFC 3986 section 2.1).
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote, unquote_plus, urlsplit

from relay.accounts.assertions import client_assertion, service_assertion
from relay.model.errors import CredentialError
from relay.model.oauth import OAuth, Provider
from relay.rules.answers.token_rows import NO_TOKEN
from relay.rules.oauth_answers import DeviceCode, Hides, Meaning, Refusal, Tokens, read_device_code, read_tokens
from relay.rules.oauth_provider import endpoints_of, scopes_of
from relay.settings.secrets import read_secret
from relay.upstream.posting import Post, PostError, post_form
from relay.upstream.secrecy import Veil

_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_SERVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SECRETS: Final = frozenset(
    {"refresh_token", "client_secret", "code", "code_verifier", "device_code", "assertion", "client_assertion"}
)
"""The fields of a form that an issuer must not repeat."""


class Issuer:
    """The issuer of one account's tokens. Each method raises CredentialError where there is no answer at all."""

    def __init__(self, oauth: OAuth, *, post: Post = post_form, now: Callable[[], int]) -> None:
        self._oauth = oauth
        self._post, self._now = post, now
        self._endpoints = endpoints_of(oauth)

    @property
    def host(self) -> str:
        """The issuer's host, as people are shown it."""
        return urlsplit(self._endpoints.token).hostname or ""

    async def refresh(self, refresh_token: str) -> Tokens | Refusal:
        """Ask for new tokens (RFC 6749 section 6)."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        if self._oauth.provider is Provider.MICROSOFT:  # one login may serve several resources
            form["scope"] = self._scope
        return await self._ask(form)

    async def as_app(self) -> Tokens | Refusal:
        """Ask for a token for the program itself (RFC 6749 section 4.4), or for a user that it acts for (RFC 7523)."""
        if self._oauth.provider is Provider.GOOGLE:
            assertion = await asyncio.to_thread(service_assertion, self._oauth, now=self._now())
            form = {"grant_type": _SERVICE_GRANT, "assertion": assertion}
            return read_tokens(*await self._send(self._endpoints.token, form))
        return await self._ask({"grant_type": "client_credentials", "scope": self._scope})

    async def redeem(self, code: str, *, verifier: str, redirect: str) -> Tokens | Refusal:
        """Ask for tokens for the code that a browser brought (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
        return await self._ask(
            {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier}
        )

    async def begin_device(self) -> DeviceCode | Refusal:
        """Ask for a code that a person types in (RFC 8628 section 3.1)."""
        form = {"client_id": self._oauth.client_id, "scope": self._scope}
        answer = await self._send(self._endpoints.device or "", form)
        return read_device_code(*answer, plain=self._oauth.provider is Provider.CUSTOM)

    async def ask_device(self, code: DeviceCode) -> Tokens | Refusal:
        """Ask whether the person has typed it in (RFC 8628 section 3.4)."""
        return await self._ask({"grant_type": _DEVICE_GRANT, "device_code": code.device_code})

    @property
    def _scope(self) -> str:
        return " ".join(scopes_of(self._oauth))

    async def _ask(self, form: Mapping[str, str]) -> Tokens | Refusal:
        whole = {**form, "client_id": self._oauth.client_id, **await self._proof()}
        if not whole.get("scope", "scope"):
            del whole["scope"]
        return read_tokens(*await self._send(self._endpoints.token, whole))

    async def _proof(self) -> dict[str, str]:
        """Return what proves the client (RFC 6749 section 2.3.1, RFC 7523 section 2.2); nothing of a public one."""
        oauth = self._oauth
        if oauth.client_secret.is_given:
            return {"client_secret": await asyncio.to_thread(read_secret, oauth.client_secret)}
        if oauth.certificate is not None:
            assertion = await asyncio.to_thread(client_assertion, oauth, now=self._now())
            return {"client_assertion_type": _ASSERTION, "client_assertion": assertion}
        return {}

    async def _send(self, url: str, form: Mapping[str, str]) -> tuple[int, bytes, Hides]:
        """Return status and body of the answer, and what tells whether its words repeat a secret of the form."""
        try:
            answer = await self._post(url, form)
        except PostError as error:
            reason = f"{NO_TOKEN}: {self.host} can't be asked: {error}"
        else:
            return answer.status, answer.body, _veil(form)
        raise CredentialError(reason)


def refused(host: str, refusal: Refusal) -> CredentialError:
    """Return the error of an issuer that gives no token; only a person can help where it refuses the program."""
    permanent = refusal.meaning in (Meaning.APP, Meaning.ENDED)
    return CredentialError(f"{NO_TOKEN}: {host} {'refuses: ' if permanent else 'says: '}{refusal}", permanent=permanent)


def _veil(form: Mapping[str, str]) -> Hides:
    veils = [Veil(None, value) for key, value in form.items() if key in _SECRETS]

    def hides(said: str) -> bool:
        forms = {said, unquote(said, errors="replace"), unquote_plus(said, errors="replace")}
        return any(veil.hides(one.encode("utf-8", "replace")) for veil in veils for one in forms)

    return hides
