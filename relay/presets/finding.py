"""Finds the provider of an address: by its domain, its mail exchangers, its own autoconfig, Thunderbird's database.

What strangers say is proposed, never taken: `confirm` is what a person must agree to before a password is sent there.
No password is known here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from relay.model.account import Security
from relay.model.address import Address, ascii_domain
from relay.presets.asking import NO_SUCH_HOST, NOT_PUBLIC, AskingError, Connector, Dns, Resolver, connect_tls, fetch
from relay.presets.autoconfig import AutoconfigError, Offer, read_autoconfig
from relay.presets.preset import (
    IMPLICIT_TLS,
    Preset,
    Words,
    is_below,
    preset_of_domain,
    preset_of_exchanger,
    presets_of_hosts,
)
from relay.presets.public import is_public_address, is_public_name

DATABASE: Final = "live.thunderbird.net"
_PATH: Final = "/mail/config-v1.1.xml"


class Origin(StrEnum):
    """Who said which provider it is."""

    DOMAIN = "domain"
    """Our own data: the domain is the provider's."""
    EXCHANGER = "exchanger"
    """The DNS: the provider takes the domain's mail."""
    AUTOCONFIG = "autoconfig"
    """A file on the domain's own web server."""
    DATABASE = "database"
    """Thunderbird's database."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundServer:
    """A server that the account may use."""

    kind: str
    """smtp, pop3 or imap."""
    host: str | None
    """None: each account has its own, which a person must look up (`Preset.find_host`)."""
    port: int
    security: Security
    username: str

    @property
    def table(self) -> dict[str, Any]:
        """What stands of it in the configuration, below the account."""
        return {"host": self.host, "port": self.port, "security": str(self.security), "username": self.username}


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What is known of an address's provider."""

    origin: Origin | None = None
    """None: nothing was found, and `tried` says what was asked."""
    preset: Preset | None = None
    """With what must be switched on, and which password is meant; None where only servers are known."""
    servers: tuple[FoundServer, ...] = ()
    confirm: tuple[Words, ...] = ()
    """What a person must agree to, sentence by sentence, before anything is used."""
    tried: tuple[Words, ...] = ()
    """What was asked before, and why it did not help."""


async def find_provider(
    address: Address,
    *,
    ask_database: bool | Callable[[], bool] = False,
    resolver: Resolver | None = None,
    connect: Connector = connect_tls,
) -> Found:
    """Find the provider of an address. `ask_database`: whether the person agrees that Mozilla is told the domain.

    A function is called only once nothing else has helped, for that is when the person must be asked. Never raises for
    what strangers answer. Takes up to 35 seconds where none of them does.
    """
    search = _Search(address, resolver or Dns(), connect)
    if not is_public_name(search.domain):
        return Found(tried=(Words("The domain is not one of the internet.", "Die Domain ist keine des Internets."),))
    if found := search.by_domain() or await search.by_exchangers() or await search.by_autoconfig():
        return found
    agreed = ask_database if isinstance(ask_database, bool) else ask_database()
    return (await search.by_database() if agreed else None) or Found(tried=tuple(search.tried))


class _Search:
    def __init__(self, address: Address, resolver: Resolver, connect: Connector) -> None:
        self.address = address
        self.domain = ascii_domain(address.domain)
        self.tried: list[Words] = []
        self._resolver = resolver
        self._connect = connect

    def by_domain(self) -> Found | None:
        """Ask our own data."""
        preset = preset_of_domain(self.domain)
        return None if preset is None else self._found(Origin.DOMAIN, preset)

    async def by_exchangers(self) -> Found | None:
        """Ask the DNS who takes the domain's mail; all of the best exchangers must be one provider's."""
        try:
            hosts = await self._resolver.exchangers(self.domain)
        except AskingError as error:
            self._note(f"MX {self.domain}", error.words)
            return None
        found = {preset.name if preset else None: preset for preset in map(preset_of_exchanger, hosts)}
        preset = next(iter(found.values()), None)
        if len(found) != 1 or preset is None:
            self._note(f"MX {self.domain}", Words("no known provider", "kein bekannter Anbieter"))
            return None
        confirm = Words(
            f"{preset.title} takes the mail of {self.domain} ({hosts[0]}). Is the mailbox there?",
            f"{preset.title} nimmt die E-Mails von {self.domain} an ({hosts[0]}). Liegt das Postfach dort?",
        )
        return self._found(Origin.EXCHANGER, preset, (confirm,))

    async def by_autoconfig(self) -> Found | None:
        """Ask the domain's own web server, without the address."""
        for host, target in ((f"autoconfig.{self.domain}", _PATH), (self.domain, f"/.well-known/autoconfig{_PATH}")):
            if (offers := await self._offers(host, target)) is not None:
                return await self._offered(Origin.AUTOCONFIG, offers)
        return None

    async def by_database(self) -> Found | None:
        """Ask Thunderbird's database for the domain."""
        offers = await self._offers(DATABASE, f"/autoconfig/v1.1/{self.domain}")
        return None if offers is None else await self._offered(Origin.DATABASE, offers)

    async def _offers(self, host: str, target: str) -> tuple[Offer, ...] | None:
        try:
            content = await fetch(host, target, resolver=self._resolver, connect=self._connect)
            return read_autoconfig(content, self.domain)
        except (AskingError, AutoconfigError) as error:
            self._note(f"https://{host}{target}", error.words)
            return None

    async def _offered(self, origin: Origin, offers: tuple[Offer, ...]) -> Found | None:
        """Propose what a file offers: a provider that is known, or servers whose names a person must confirm."""
        presets = presets_of_hosts({one.host for one in offers}, self.domain)
        if len(presets) == 1:
            return self._found(origin, presets[0])
        usable = [one for one in offers if await self._is_public(one.host)]
        if not usable:
            return None
        foreign = sorted({one.host for one in usable if not is_below(one.host, self.domain)})
        confirm = tuple(
            Words(
                f"{host} is not part of {self.domain}. Is it your provider's? The password goes there.",
                f"{host} gehört nicht zu {self.domain}. Ist das Ihr Anbieter? Dorthin geht das Passwort.",
            )
            for host in foreign
        )
        servers = tuple(
            FoundServer(
                kind=one.kind,
                host=one.host,
                port=one.port,
                security=one.security,
                username=one.login.of(str(self.address)),
            )
            for one in usable
        )
        return Found(origin=origin, servers=servers, confirm=confirm, tried=tuple(self.tried))

    async def _is_public(self, host: str) -> bool:
        try:
            addresses = await self._resolver.addresses(host)
        except AskingError as error:
            self._note(host, error.words)
            return False
        if addresses and all(map(is_public_address, addresses)):
            return True
        self._note(host, NOT_PUBLIC if addresses else NO_SUCH_HOST)
        return False

    def _found(self, origin: Origin, preset: Preset, confirm: tuple[Words, ...] = ()) -> Found:
        servers = tuple(
            FoundServer(
                kind=kind,
                host=server.host,
                port=server.ports[0],
                security=Security.TLS if server.ports[0] in IMPLICIT_TLS else Security.STARTTLS,
                username=server.login.of(str(self.address)),
            )
            for kind, server in preset.servers.items()
        )
        return Found(origin=origin, preset=preset, servers=servers, confirm=confirm, tried=tuple(self.tried))

    def _note(self, where: str, reason: Words) -> None:
        self.tried.append(Words(f"{where}: {reason.en}", f"{where}: {reason.de}"))
