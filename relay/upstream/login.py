"""The login at a provider (RFC 4954): one mechanism, tried once; and no secret in what the server says about it."""

import base64
import re
from collections.abc import Sequence
from typing import Final

import aiosmtplib

MECHANISMS: Final = ("plain", "login", "cram-md5")
"""Those that we know, in the order in which we choose: CRAM-MD5 comes last, since many servers that offer it can't do
it for passwords that they keep hashed."""
_UNKNOWN_MECHANISM: Final = 504
_DISTINCT: Final = 6
"""A password of so many characters is no part of a word by chance."""


def choose_mechanisms(offered: Sequence[str]) -> list[str]:
    """Give the mechanisms that may be tried, the best one first; names in lower case."""
    return [name for name in MECHANISMS if name in offered]


async def log_in(client: aiosmtplib.SMTP, username: str, password: str) -> None:
    """Log in by the first mechanism, once: each more would be another failed login, and providers lock accounts.

    Only where the server does not know the mechanism that it offered (504), the next one is tried. Raises
    `aiosmtplib.SMTPException`.
    """
    methods = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
    names = choose_mechanisms(client.server_auth_methods)
    for name in names:
        try:
            await methods[name](username, password)
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code != _UNKNOWN_MECHANISM or name == names[-1]:
                raise
        else:
            return


def hide_secrets(text: str, username: str, password: str) -> str:
    """Put *** in place of a password that a server repeats: as it is, in base64 (LOGIN), or in a token (PLAIN)."""
    if not password:
        return text
    secret = password.encode("utf-8", "surrogateescape")
    token = b"\0" + username.encode("utf-8", "surrogateescape") + b"\0" + secret
    for raw in (token, secret):
        encoded = base64.b64encode(raw).decode("ascii").rstrip("=")
        text = re.sub(_whole(encoded) + "=*", "***", text)
    return re.sub(_whole(password), "***", text)


def _whole(secret: str) -> str:
    """Match a short secret only as a word of its own: else it would be found within the words of any text."""
    pattern = re.escape(secret)
    return pattern if len(secret) >= _DISTINCT else rf"(?<!\w){pattern}(?!\w)"
