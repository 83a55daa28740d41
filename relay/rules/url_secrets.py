"""Finds the secrets of a URL: its password, and parameters that hold one, as SQLAlchemy and libpq read them."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, unquote_plus

_SECRET: Final = ("passw", "pwd", "secret", "token", "credential", "scram_")
"""Parts of the names of parameters that hold secrets, such as `sslpassword`."""
_SCHEME: Final = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,40}://)"
_REST: Final = r"(?P<place>[^?]*)(?:\?(?P<query>.*))?"
_URL: Final = re.compile(rf"{_SCHEME}(?:(?P<user>[^/?@:]*)(?::(?P<password>[^/?#\s]*))?@)?{_REST}", re.DOTALL)
_OF_DATABASE: Final = re.compile(rf"{_SCHEME}(?:(?P<user>[^/?@:]*)(?::(?P<password>[^@]*))?@)?{_REST}", re.DOTALL)
"""A password here may hold any character but an @, though not each of them should be written so."""
_WITHIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}://\S+")
_AROUND: Final = "\"'`<>()[]{},.;"
"""What may stand behind a URL that is part of a text."""


def blank_url(url: str, by: str = "") -> str:
    """Return a URL with `by` in place of its secrets; any other text as it is."""
    found = _read(url)
    if found is None:
        return url
    scheme, user, password, place, query = found.group("scheme", "user", "password", "place", "query")
    login = "" if user is None else f"{user}@" if password is None else f"{user}:{password and by}@"
    asked = "" if query is None else "?" + "&".join(_blank(one, by) for one in query.split("&"))
    return f"{scheme}{login}{place}{asked}"


def blank_urls(text: str, by: str = "") -> str:
    """Do so with all URLs that are part of a text."""

    def blank(found: re.Match[str]) -> str:
        url = found[0].rstrip(_AROUND)
        return blank_url(url, by) + found[0][len(url) :]

    return _WITHIN.sub(blank, text)


def find_url_secrets(text: str) -> Iterator[str]:
    """Yield the secrets of a URL as they are written and as they are meant; none of any other text."""
    found = _read(text)
    if found is None:
        return
    if found["password"]:
        yield from (found["password"], unquote(found["password"]))
    for one in (found["query"] or "").split("&"):
        name, _, value = one.partition("=")
        if _is_secret(name) and value:
            yield from (value, unquote_plus(value))


def shorten_url(text: str) -> str:
    """Return of a URL its scheme, host and path alone; any other text as it is."""
    found = _read(text)
    return text if found is None else f"{found['scheme']}{found['place']}"


def _read(text: str) -> re.Match[str] | None:
    """Read a URL, also one that none should write: where no @ ends a password, it may end behind a slash."""
    found = _URL.fullmatch(text)
    if found is not None and found["user"] is None and text.lower().startswith("postgres"):
        return _OF_DATABASE.fullmatch(text)
    return found


def _blank(parameter: str, by: str) -> str:
    name, mark, value = parameter.partition("=")
    return f"{name}{mark}{by}" if value and _is_secret(name) else parameter


def _is_secret(name: str) -> bool:
    meant = unquote_plus(name).strip().lower()
    return meant in ("pass", "key", "sig") or any(word in meant for word in _SECRET)
