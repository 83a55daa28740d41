"""What a provider of tokens answered: tokens, a code for a device, or a refusal and what that means.

Only what says that the grant itself is over ends a login (RFC 6749 section 5.2). A fault of the network, a 5xx and an
answer that makes no sense never do.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

from relay.rules.oauth_claims import read_names
from relay.rules.oauth_provider import clean

_ENDING: Final = frozenset({"invalid_grant", "interaction_required"})
_OF_THE_APP: Final = frozenset(
    {"invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type", "access_denied"}
)
_LONGEST_TOKEN: Final = 32_768
_TOKEN: Final = re.compile(rf"[!-~]{{1,{_LONGEST_TOKEN}}}")
"""Visible ASCII (RFC 6749 appendix A.12; RFC 6750 section 2.1 has less)."""
_USER_CODE: Final = re.compile(r"[!-~]{1,40}")
_ERROR: Final = re.compile(r"[a-z0-9_.-]{1,60}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}")
_AADSTS: Final = re.compile(r"AADSTS([0-9]{3,8})")
_TOO_OFTEN: Final = "50196"
"""Microsoft was asked for the same too often: it says `invalid_grant`, and takes the same token some minutes later."""
_TRACES: Final = re.compile("(?:Trace|Correlation) ID:")
_LONGEST_DESCRIPTION: Final = 8000
"""Signs of an issuer's words; more are no words for people, and looking through them for a secret would take long."""
_USUAL_LIFE: Final = 3600
_SHORTEST_LIFE: Final = 10
"""Seconds that a token is taken to hold of which its issuer says that it ends at once, lest it be always asked."""
_LONGEST_LIFE: Final = 7 * 24 * 3600
_LONGEST_RENEWAL: Final = 10 * 365 * 24 * 3600
_LONGEST_SCOPE: Final = 4000
_USUAL_INTERVAL: Final = 5
_LONGEST_INTERVAL: Final = 60
_PLAIN_HOST: Final = "127.0.0.1"
SLOWER: Final = 5
"""Seconds that each `slow_down` adds to the interval (RFC 8628 section 3.5)."""
SOON: Final = 600
"""Seconds before its end at which a token is refreshed: Microsoft refuses some that have less."""


WITHHELD: Final = "(withheld: the issuer repeats a secret)"
_PASSING: Final = frozenset({"temporarily_unavailable", "server_error", "authorization_pending", "slow_down"})
"""Errors after which a device's code may still be asked for; any other one is the last word."""
_STANDARD: Final = _ENDING | _OF_THE_APP | _PASSING | {"expired_token", "invalid_request"}


Hides = Callable[[str], bool]
"""Tells whether some words of an issuer repeat a secret that it was sent."""


def _hides_nothing(said: str) -> bool:  # noqa: ARG001 - as a Hides
    return False


class Meaning(StrEnum):
    """What a refusal means."""

    ENDED = "ended"
    """The login is over: somebody must sign in again."""
    APP = "app"
    """The registration at the provider, or its secret, must be mended; the login itself is none the worse."""
    FOR_NOW = "for now"
    """It is tried again later."""
    PENDING = "pending"
    """The person has not signed in yet."""
    SLOW_DOWN = "slow down"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """What a login is worth at the moment."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    """None: the one before stays."""
    life: int
    """Seconds from now on."""
    scopes: tuple[str, ...] = ()
    """What was granted; empty: what was asked for (RFC 6749 section 5.1)."""
    renewal_life: int = 0
    """Seconds after which what renews it ends, whatever is done; 0: the issuer does not say it."""
    names: tuple[str, ...] = ()
    """Whose it says that it is, unproven: to be compared, and for nothing else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceCode:
    """What a person types in, and where (RFC 8628 section 3.2)."""

    device_code: str = field(repr=False)
    user_code: str
    page: str
    life: int
    interval: int
    """Seconds between two questions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why there are no tokens; its words are the provider's, fit for a line."""

    meaning: Meaning
    error: str
    text: str = ""
    is_definite: bool = False
    """Whether the issuer has named an error that does not pass (RFC 6749 section 5.2, RFC 8628 section 3.5)."""

    def __str__(self) -> str:
        return f"{self.error}: {self.text}" if self.text else self.error


def read_tokens(status: int, body: bytes, hides: Hides = _hides_nothing) -> Tokens | Refusal:
    """Read the answer of a token endpoint (RFC 6749 sections 5.1 and 5.2), of whose words nothing that hides stays."""
    answer = _read_object(body)
    if status != 200:
        return _refusal(status, answer, hides)
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not _is_token(access) or not (refresh is None or _is_token(refresh)):
        return _senseless()
    if str(answer.get("token_type", "bearer")).lower() != "bearer":
        return _senseless()
    scope = answer.get("scope")
    renewal = answer.get("refresh_token_expires_in", answer.get("refresh_expires_in"))  # Google, Microsoft; Keycloak
    return Tokens(
        access=access,
        refresh=refresh,
        life=_seconds(answer.get("expires_in"), _USUAL_LIFE, over=_SHORTEST_LIFE),
        scopes=tuple(clean(scope, _LONGEST_SCOPE).split()) if isinstance(scope, str) else (),
        renewal_life=_seconds(renewal, 0, _LONGEST_RENEWAL),
        names=tuple(one for one in read_names(answer.get("id_token")) or read_names(access) if not hides(one)),
    )


def read_device_code(
    status: int, body: bytes, hides: Hides = _hides_nothing, *, plain: bool = False
) -> DeviceCode | Refusal:
    """Read the answer of a device authorization endpoint (RFC 8628 section 3.2).

    `plain`: whether the page that people are sent to may be one of http, on 127.0.0.1.
    """
    answer = _read_object(body)
    if status != 200:
        return _refusal(status, answer, hides)
    code, shown = answer.get("device_code"), answer.get("user_code")
    page = answer.get("verification_uri", answer.get("verification_url"))  # Google's older word
    if (
        not _is_token(code)
        or not isinstance(shown, str)
        or _USER_CODE.fullmatch(shown) is None
        or not _is_page(page, plain=plain)
    ):
        return _senseless()
    return DeviceCode(
        device_code=code,
        user_code=shown,
        page=page,
        life=_seconds(answer.get("expires_in"), 900),
        interval=_seconds(answer.get("interval"), _USUAL_INTERVAL, _LONGEST_INTERVAL),
    )


def refresh_margin(life: int) -> int:
    """Return so many seconds before its end a token is refreshed: ten minutes, of a short life the half."""
    return min(SOON, life // 2)


def _refusal(status: int, answer: dict[str, Any], hides: Hides) -> Refusal:
    error = answer.get("error")
    if not isinstance(error, str) or _ERROR.fullmatch(error) is None or (error not in _STANDARD and hides(error)):
        return Refusal(meaning=Meaning.FOR_NOW, error=f"HTTP {status}")
    described = answer.get("error_description")
    if not isinstance(described, str) or len(described) > _LONGEST_DESCRIPTION:
        described = ""
    text = clean(_TRACES.split(described)[0])
    number = _AADSTS.search(text)
    if hides(described):  # as a whole: what is cut off of it could leave half of a secret
        number = None if number is None or hides(number[0]) else number
        text = WITHHELD if number is None else f"{number[0]} {WITHHELD}"
    if number is not None and number[1] == _TOO_OFTEN:
        return Refusal(meaning=Meaning.FOR_NOW, error=error, text=text)
    return Refusal(
        meaning=_meaning(status, error),
        error=error,
        text=text,
        is_definite=400 <= status < 500 and status not in (408, 429) and error not in _PASSING,
    )


def _meaning(status: int, error: str) -> Meaning:
    if not 400 <= status < 500 or status in (408, 429):
        return Meaning.FOR_NOW
    if error == "authorization_pending":
        return Meaning.PENDING
    if error == "slow_down":
        return Meaning.SLOW_DOWN
    if error in _ENDING or error == "expired_token":  # of a device code alone (RFC 8628)
        return Meaning.ENDED
    return Meaning.APP if error in _OF_THE_APP else Meaning.FOR_NOW


def _senseless() -> Refusal:
    return Refusal(meaning=Meaning.FOR_NOW, error="an answer that makes no sense")


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _is_token(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _is_page(value: object, *, plain: bool) -> TypeGuard[str]:
    if not isinstance(value, str) or len(value) > 300 or not value.isascii() or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    is_safe = parts.scheme == "https" or (plain and parts.scheme == "http" and parts.hostname == _PLAIN_HOST)
    return bool(parts.hostname) and is_safe and "@" not in parts.netloc and " " not in value


def _seconds(value: object, usual: int, longest: int = _LONGEST_LIFE, *, over: int | None = None) -> int:
    """Read a number of seconds, which some write as a text, and of which the fraction does not count.

    `over`: what zero and less are taken for; without it `usual`, as everything is that is no number.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value) is not None:
        value = int(value)
    if isinstance(value, float) and math.isfinite(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return usual
    if value <= 0:
        return usual if over is None else over
    return min(value, longest)
