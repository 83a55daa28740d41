"""The types of the values of `[account.oauth]`: each reader raises ValueError with a reason."""

import datetime as dt
import re
from urllib.parse import urlsplit

from relay.settings.fields import read_text

_TENANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PLAIN_HOST = "127.0.0.1"


def read_identifier(value: object) -> str:
    """Read a client id: visible ASCII without blanks (RFC 6749 appendix A.1 allows blanks; no provider has them)."""
    text = read_text(value)
    if not text.isascii() or " " in text:
        raise ValueError("must be the client id as the provider shows it, without blanks")
    return text


def read_tenant(value: object) -> str:
    """Read a directory of Microsoft: its id, one of its domains, or one of Microsoft's three words."""
    text = read_text(value)
    if _TENANT.fullmatch(text) is None:
        raise ValueError(
            'must be the "Directory (tenant) ID", a domain of it such as "example.com", or "common", "organizations" or'
            ' "consumers"'
        )
    return text


def read_date(value: object) -> dt.date:
    """Read a date of TOML, without quotes."""
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise ValueError("must be a date without quotes, such as 2027-06-30")  # noqa: TRY004 - an error of the file
    return value


def read_scope(value: object) -> str:
    """Read one scope: visible ASCII without quotes and backslashes (RFC 6749 section 3.3)."""
    text = read_text(value)
    if not text.isascii() or any(sign in text for sign in ' "\\'):
        raise ValueError('must be one scope for each text of the list: ["smtp", "pop3"]')
    return text


def read_endpoint(value: object) -> str:
    """Read an address that tokens are asked of: https (RFC 6749 section 3.2), http on 127.0.0.1 alone."""
    text = read_text(value)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not text.isascii() or " " in text or parts.scheme not in ("https", "http"):
        raise ValueError('must be an address such as "https://login.provider.example/token"')
    if parts.scheme == "http" and host != _PLAIN_HOST:
        raise ValueError(f"must begin with https:// (http is allowed on {_PLAIN_HOST} alone): it carries secrets")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError('must hold neither a login ("user@") nor a "#"')
    return text
