"""Reads the answers, one function each; what is wrong is said in both languages, so that it can be asked again."""

import datetime as dt
import os
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from relay.first_steps import texts
from relay.presets.preset import Words, find_preset, meant_by, preset_names
from relay.settings import oauth_fields
from relay.settings.fields import read_address, read_name, read_user_name
from relay.settings.hosts import parse_host, parse_hostname, parse_network

_LONGEST_SHOWN: Final = 80
_YES: Final = frozenset({"y", "yes", "j", "ja"})
_NO: Final = frozenset({"n", "no", "nein"})
_IF_EMPTY: Final[Mapping[Words, Words]] = {
    **dict.fromkeys((texts.NOT_A_HOSTNAME, texts.NOT_A_USER, texts.NOT_AN_ACCOUNT), texts.GIVE_NAME),
    texts.NOT_AN_ADDRESS: texts.GIVE_ADDRESS,
    texts.NOT_A_HOST: texts.GIVE_SERVER,
    texts.NOT_A_PORT: texts.GIVE_PORT,
    texts.NO_FILE: texts.GIVE_FILE,
}
"""What is said in place of a text where there is nothing to show."""
_UNFIT: Final = re.compile(r"[^a-z0-9._-]+")


class WrongAnswerError(ValueError):
    """An answer that can't be used."""

    def __init__(self, words: Words) -> None:
        """`words`: why, in both languages."""
        super().__init__(words.en)
        self.words = words


def wrong(words: Words, value: str = "", **more: str) -> WrongAnswerError:
    """Return the error that says of an answer why it can't be used; of an empty one, what is to be given."""
    if not value.strip():
        words = _IF_EMPTY.get(words, texts.NOTHING if "{value}" in words.en else words)
    shown = value[:_LONGEST_SHOWN]
    return WrongAnswerError(Words(*(one.format(value=shown, **more) for one in words)))


def read_hostname(text: str) -> str:
    """Read this machine's name. Raises WrongAnswerError, as all others here."""
    try:
        return parse_hostname(text)
    except ValueError:
        raise wrong(texts.NOT_A_HOSTNAME, text) from None


def read_mail_address(text: str) -> str:
    """Read a mail address."""
    try:
        return str(read_address(text))
    except ValueError:
        raise wrong(texts.NOT_AN_ADDRESS, text) from None


def read_user(text: str) -> str:
    """Read a user's short name."""
    try:
        return read_user_name(text)
    except ValueError:
        raise wrong(texts.NOT_A_USER, text) from None


def read_user_and_address(text: str) -> tuple[str, str]:
    """Read `anna=anna@example.com`."""
    name, equals, address = text.partition("=")
    if not equals:
        raise wrong(texts.NOT_NAME_AND_ADDRESS, text)
    return read_user(name.strip()), read_mail_address(address.strip())


def read_account_name(text: str) -> str:
    """Read the name of an account."""
    try:
        return read_name(text)
    except ValueError:
        raise wrong(texts.NOT_AN_ACCOUNT, text) from None


def read_server(text: str) -> str:
    """Read the provider's server."""
    try:
        return parse_host(text)
    except ValueError:
        raise wrong(texts.NOT_A_HOST, text) from None


def read_port(text: str) -> int:
    """Read a port."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 5 or not 1 <= int(text) <= 65535:
        raise wrong(texts.NOT_A_PORT, text)
    return int(text)


def read_networks(text: str) -> tuple[str, ...]:
    """Read networks with commas or blanks between them; `-` is none."""
    if text.strip() == "-":
        return ()
    return tuple(dict.fromkeys(map(_read_network, re.split(r"[\s,]+", text.strip()))))


def _read_network(text: str) -> str:
    try:
        return str(parse_network(text))
    except ValueError:
        pass
    try:  # 192.168.1.10/24 as machines show it: its network is meant
        return str(parse_network(str(ip_network(text, strict=False))))
    except ValueError:
        raise wrong(texts.NOT_A_NETWORK, text) from None


def read_known_preset(text: str) -> str:
    """Read a provider's name, or another word for it."""
    name = text if find_preset(text) is not None else meant_by(text[:_LONGEST_SHOWN])
    if name is None:
        raise wrong(texts.NOT_A_PRESET, text, names=", ".join(preset_names()))
    return name


def read_day(text: str) -> dt.date | None:
    """Read a day as ISO 8601 writes it; empty: none."""
    try:
        return dt.date.fromisoformat(text.strip()) if text else None
    except ValueError:
        raise wrong(texts.NOT_A_DAY, text) from None


def read_file(text: str) -> str:
    """Read the name of a file that is there; it becomes an absolute path, without `..`."""
    try:
        file = os.path.normpath(Path(text).absolute())
        with Path(file).open("rb"):
            return file
    except (OSError, ValueError):
        raise wrong(texts.NO_FILE, text) from None


def read_endpoint(text: str) -> str:
    """Read an address that tokens are asked of, or where somebody signs in. It is not shown: it may hold a login."""
    try:
        return oauth_fields.read_endpoint(text.strip())
    except ValueError:
        raise wrong(texts.NOT_AN_ENDPOINT) from None


def read_scopes(text: str) -> list[str]:
    """Read permissions with blanks between them; there may be none."""
    return text.split()


def read_text(text: str) -> str:
    """Read a text that is not empty."""
    if not text.strip():
        raise wrong(texts.NOTHING)
    return text.strip()


def one_of(names: Iterable[str]) -> Callable[[str], str]:
    """Return what reads one of a few words, in whatever case it is typed."""
    known = {one.casefold(): one for one in names}

    def read(text: str) -> str:
        if (word := known.get(text.strip().casefold())) is None:
            raise wrong(texts.NOT_ONE_OF, names=", ".join(known.values()))
        return word

    return read


def read_yes(text: str) -> bool:
    """Read a yes or a no, in either language."""
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise wrong(texts.NOT_ONE_OF, names="y, n (j, n)")
    return word in _YES


def name_after(address: str, fallback: str) -> str:
    """Return a short name that is made of what stands before the @ of an address."""
    made = _UNFIT.sub("-", address.rpartition("@")[0].lower())[:40].strip("-._")
    try:
        return read_user_name(made)
    except ValueError:
        return fallback
