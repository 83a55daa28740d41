"""The SMTP login at a provider (RFC 4954): one mechanism, tried once."""

from collections.abc import Sequence
from typing import Final

import aiosmtplib

_UNKNOWN_MECHANISM: Final = 504


async def log_in(client: aiosmtplib.SMTP, username: str, secret: str, names: Sequence[str]) -> None:
    """Log in by the first of the mechanisms, once: each more is another failed login, and providers lock accounts.

    Only where the server answers 504, which says that it does not know the mechanism, the next one is tried. Raises
    `aiosmtplib.SMTPException`.
    """
    methods = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
    for name in names:
        try:
            await methods[name](username, secret)
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code != _UNKNOWN_MECHANISM or name == names[-1]:
                raise
        else:
            return
