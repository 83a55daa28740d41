"""Whose a token says that it is: browsers like to sign in somebody else than who was meant.

Nothing of a token is proven here, so what it says is only compared with the configuration and shown to the person who
signs in. Microsoft's tokens of work accounts are JWT (RFC 7519); those of personal accounts and Google's are not, and
say nothing.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Final, TypeGuard

_NAMES: Final = ("upn", "preferred_username", "email")
"""The claims that name a person as he signs in."""
_LONGEST_TOKEN: Final = 32_768
_LONGEST_NAME: Final = 254


def read_names(token: object) -> tuple[str, ...]:
    """Return the names of a person in a token, each once; none where it is no JWT or names nobody."""
    if not isinstance(token, str) or len(token) > _LONGEST_TOKEN or token.count(".") != 2:
        return ()
    body = token.split(".")[1]
    try:
        claims = json.loads(base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        return ()
    if not isinstance(claims, dict):
        return ()
    found = [claims.get(key) for key in _NAMES]
    return tuple(dict.fromkeys(name for name in found if _is_name(name)))


def stranger(names: Iterable[str], wanted: str) -> str | None:
    """Return who has signed in, where that is somebody else than who was wanted; None where nobody can tell."""
    found = list(names)
    if not found or wanted.casefold() in (name.casefold() for name in found):
        return None
    return found[0]


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and "@" in value and len(value) <= _LONGEST_NAME and value.isprintable()
