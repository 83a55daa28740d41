"""The login at a provider (RFC 4954): one mechanism, tried once."""

from collections.abc import Sequence
from typing import Final

import aiosmtplib

MECHANISMS: Final = ("plain", "login", "cram-md5")
"""Those that we know, in the order in which we choose: CRAM-MD5 comes last, since many servers that offer it can't do
it for passwords that they keep hashed."""
_UNKNOWN_MECHANISM: Final = 504


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
