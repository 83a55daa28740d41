"""What is known of a provider: its servers, which password is meant, what must be switched on there, its limits.

Each provider is a file in `providers/`, named as people call it; `docs/contributing/add-a-provider.md` says what stands
in one. A file is read when its provider is asked for, all of them only where one must be found.
"""

import datetime as dt
import functools
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from relay.model.account import Account, Server
from relay.model.address import ascii_domain

FOLDER: Final = Path(__file__).with_name("providers")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,31}")
PORTS: Final[Mapping[str, tuple[int, ...]]] = {"smtp": (465, 587), "pop3": (995,), "imap": (993,)}
"""The ports of each protocol where a file names none."""
IMPLICIT_TLS: Final = frozenset({465, 993, 995})
"""Ports on which TLS begins with the first byte (RFC 8314); on all others it begins by STARTTLS."""
_OWN_KEYS: Final = frozenset({"host", "other_hosts", "ports", "login"})


class Words(NamedTuple):
    """A text in both languages."""

    en: str
    de: str

    def by(self, language: str) -> str:
        """Give the text in the office's language: "de" or "en"."""
        return self.de if language == "de" else self.en


class WordedError(Exception):
    """A failure that says why in both languages, in words of ours alone."""

    def __init__(self, en: str, de: str) -> None:
        super().__init__(en)
        self.words = Words(en, de)


class Login(StrEnum):
    """The form of a user name."""

    ADDRESS = "address"
    LOCAL_PART = "local part"
    """What stands before the @."""

    def of(self, address: str) -> str:
        """Give the user name of an address."""
        return address if self is Login.ADDRESS else address.rpartition("@")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One of a provider's servers."""

    host: str | None
    """None: each account has a host of its own."""
    other_hosts: tuple[str, ...]
    """Names of the provider's that may be written in its place, since they take the same logins."""
    ports: tuple[int, ...]
    """Those that it offers, all with TLS; the first is the one to use."""
    login: Login
    settings: Mapping[str, Any]
    """Keys of the account's table (`recipients_per_message`, `interval`, ...) with the values that suit it."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """All its names; none where each account has a host of its own."""
        return self.other_hosts if self.host is None else (self.host, *self.other_hosts)


@dataclass(frozen=True, kw_only=True, slots=True)
class OAuthOffer:
    """How a provider lets programs log in by a token."""

    provider: str
    """As in `[account.oauth]`."""
    flows: tuple[str, ...]
    needed: tuple[str, ...]
    """The protocols that take no password at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """One provider."""

    name: str
    """What stands behind `preset =`."""
    title: str
    also: tuple[str, ...]
    """Other words for it, which people may try."""
    domains: tuple[str, ...]
    """Domains of addresses that are all this provider's."""
    mx: tuple[str, ...]
    """Domains below which its mail exchangers are, for customers' own domains."""
    servers: Mapping[str, Endpoint]
    """By protocol: smtp, pop3, imap. One that is missing is not offered."""
    password: Words
    """Which password is meant."""
    switch_on: Words | None
    """What must be switched on at the provider first, and where."""
    find_host: Words | None
    """Where the host is to be found, where each account has its own."""
    example: str | None
    """What such a host looks like."""
    limits: Words | None
    """Limits that no key of the configuration stands for."""
    files_sent: bool | None
    """Whether mail that was sent is put into the mailbox's Sent folder by the provider; None: not known."""
    oauth: OAuthOffer | None
    pages: tuple[str, ...]
    """Where this was read."""
    checked: dt.date
    """When."""
    tried: dt.date | None
    """When it was tried with an account at the provider; None: never."""

    def has(self, host: str) -> bool:
        """Return whether it has a server of this very name (as A-labels, lower case)."""
        return any(host in server.hosts for server in self.servers.values())


@functools.cache
def find_preset(name: str) -> Preset | None:
    """Return the provider of a name; None if there is none."""
    file = FOLDER / f"{name}.toml"
    if _NAME.fullmatch(name) is None or not file.is_file():
        return None
    return _read(name, tomllib.loads(file.read_text(encoding="utf-8")))


@functools.cache
def preset_names() -> tuple[str, ...]:
    """Return the names of all providers, sorted."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in FOLDER.glob("*.toml")))


def all_presets() -> tuple[Preset, ...]:
    """Return all providers, sorted by name."""
    return tuple(preset for name in preset_names() if (preset := find_preset(name)) is not None)


def meant_by(word: str) -> str | None:
    """Return the name of the provider that somebody means by another word for it, such as `1und1`; None if unclear."""
    key = "".join(word.lower().split())
    found = [one.name for one in all_presets() if key in (one.name, one.name.replace("-", ""), *one.also)]
    return found[0] if len(found) == 1 else None


def preset_of_domain(domain: str) -> Preset | None:
    """Return the provider to whom all addresses of a domain (as A-labels, lower case) belong."""
    return next((one for one in all_presets() if domain in one.domains), None)


def preset_of_exchanger(host: str) -> Preset | None:
    """Return the provider whose mail exchanger a host is, by the longest suffix that fits at a dot."""
    fitting = [(len(suffix), one) for one in all_presets() for suffix in one.mx if is_below(host, suffix)]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def presets_of_hosts(hosts: Collection[str], domain: str) -> tuple[Preset, ...]:
    """Return the providers that have servers of all these very names; more than one where nothing tells them apart.

    Some have their customers' own domains and private persons on the same servers: the domain of the address decides.
    All are as A-labels, in lower case.
    """
    there = [one for one in all_presets() if hosts and all(map(one.has, hosts))]
    theirs = [one for one in there if domain in one.domains]
    return tuple(theirs or [one for one in there if not one.domains] or there)


def preset_of(account: Account, server: Server) -> Preset | None:
    """Return the provider of one of an account's servers: the one that is named, unless the host is another's.

    Where none is named, it is whose host it is; None where that is nobody's who is known, or not one provider's alone.
    """
    named = find_preset(account.preset) if account.preset else None
    host = _host_of(server)
    if named is not None and named.has(host):
        return named
    domain = ascii_domain(account.address.domain)
    fitting = presets_of_hosts({*map(_host_of, account.servers)}, domain) or presets_of_hosts((host,), domain)
    return fitting[0] if len(fitting) == 1 else named if not fitting else None


def _host_of(server: Server) -> str:
    return ascii_domain(server.host).removesuffix(".")


@functools.cache
def hosts_of_issuer(provider: str) -> frozenset[str]:
    """Return the names of all servers that take the tokens of a provider of `[account.oauth]`; none of an unknown one.

    A token of Microsoft's or Google's goes to no other host, since it opens the mailbox to whoever gets it.
    """
    offers = (one for one in all_presets() if one.oauth is not None and one.oauth.provider == provider)
    return frozenset(host for one in offers for server in one.servers.values() for host in server.hosts)


def is_below(name: str, domain: str) -> bool:
    """Return whether a name is a domain itself or lies below it."""
    return name == domain or name.endswith(f".{domain}")


def _read(name: str, content: dict[str, Any]) -> Preset:
    oauth, source = content.get("oauth"), content["source"]
    return Preset(
        name=name,
        title=content["title"],
        also=tuple(content.get("also", ())),
        domains=tuple(content.get("domains", ())),
        mx=tuple(content.get("mx", ())),
        servers={kind: _server(kind, content[kind]) for kind in PORTS if kind in content},
        password=Words(**content["password"]),
        switch_on=_words(content, "switch_on"),
        find_host=_words(content, "find_host"),
        example=content.get("example"),
        limits=_words(content, "limits"),
        files_sent=content.get("files_sent"),
        oauth=oauth
        and OAuthOffer(provider=oauth["provider"], flows=tuple(oauth["flows"]), needed=tuple(oauth.get("needed", ()))),
        pages=tuple(source["pages"]),
        checked=source["checked"],
        tried=source.get("tried"),
    )


def _server(kind: str, table: dict[str, Any]) -> Endpoint:
    return Endpoint(
        host=table.get("host"),
        other_hosts=tuple(table.get("other_hosts", ())),
        ports=tuple(table.get("ports", PORTS[kind])),
        login=Login(table.get("login", Login.ADDRESS)),
        settings={key: value for key, value in table.items() if key not in _OWN_KEYS},
    )


def _words(content: dict[str, Any], key: str) -> Words | None:
    return Words(**content[key]) if key in content else None
