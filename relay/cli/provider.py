"""The provider of an account that is added: known by its name, or found by the address; and what is said of it.

What strangers said is proposed and never taken by itself: a person agrees at the terminal, or names it in an option.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from relay.cli.output import say
from relay.escaping import printable
from relay.places import guide

if TYPE_CHECKING:
    from relay.model.address import Address
    from relay.presets.finding import Found, FoundServer
    from relay.presets.preset import Preset

SERVERS: Final = ("smtp", "pop3")
KEPT: Final = "14 days"
"""How long collected mail stays at the provider where nobody says: a first trial must not empty a mailbox."""
_NAMES: Final = {"smtp": "SMTP", "pop3": "POP3"}

Changes = dict[tuple[str, ...], Any]
"""Keys of the account's table, by their paths."""


class Wishes(NamedTuple):
    """What is asked of the provider."""

    collect: bool | None = None
    """Whether the mailbox is collected by POP3; None: nobody has said."""
    ask_database: bool = False
    """Whether Mozilla may be told the domain."""


class Chosen(NamedTuple):
    """What an account has of its provider."""

    changes: Changes
    """What was asked for, and what goes without saying."""
    servers: tuple[str, ...]
    """The tables that the account is to have: smtp, pop3."""
    preset: "Preset | None" = None
    offered: tuple[str, ...] = ()
    """The servers that the provider has, as far as that is known."""


Finder = Callable[["Address", Callable[[], bool]], "Found"]


def look_up(address: "Address", agrees: Callable[[], bool]) -> "Found":
    """Find the provider of an address; `agrees` is asked before Mozilla is told the domain."""
    import asyncio

    from relay.presets.finding import find_provider

    return asyncio.run(find_provider(address, ask_database=agrees))


def choose_provider(changes: Changes, wishes: Wishes, *, look: Finder = look_up) -> Chosen:
    """Complete what the options say of an account's servers, by a preset's name or by looking the provider up.

    Hosts that are written need neither. Says what was found and what must be known of it. Raises click.UsageError.
    """
    named = ("preset",) in changes
    if not named and any((server, "host") in changes for server in SERVERS):
        if wishes.collect and ("pop3", "host") not in changes:
            raise click.UsageError("--pop3-host is missing: the provider's server whose mailbox is collected")
        return Chosen(changes, tuple(one for one in SERVERS if any(path[0] == one for path in changes)))
    preset, found = (_named(str(changes["preset",])), {}) if named else _find(changes, wishes, look)
    offered = tuple(one for one in SERVERS if (one, "host") in found or (preset and one in preset.servers))
    servers = tuple(one for one in SERVERS if one == "smtp" or _is_collected(changes, wishes, offered, preset))
    full = found | changes
    full = {path: value for path, value in full.items() if path[0] not in SERVERS or path[0] in servers}
    if preset is None:
        return Chosen(full, servers, offered=offered)
    full["preset",] = preset.name
    _require_hosts(preset, servers, full)
    oauth = any(path[0] == "oauth" for path in full)
    if not oauth and preset.oauth and (needed := [_NAMES[one] for one in servers if one in preset.oauth.needed]):
        raise click.UsageError(
            f"{preset.title} takes no password for {' and '.join(needed)}: add --oauth {preset.oauth.provider}"
            f" --client-id ID ({guide(preset.oauth.provider)} says where you get it)"
        )
    for line in describe_preset(preset, password=not oauth):
        say(line)
    return Chosen(full, servers, preset, offered)


def describe_preset(preset: "Preset", *, password: bool = True) -> list[str]:
    """Name a preset, and tell what no key says of its provider."""
    from relay.presets.describing import describe

    return [f"Preset {preset.name}: {preset.title}, as of {preset.checked}", *describe(preset, "en", password=password)]


def _named(name: str) -> "Preset":
    from relay.presets.preset import find_preset
    from relay.settings.presets import read_preset

    try:
        preset = find_preset(read_preset(name))
    except ValueError as error:
        raise click.UsageError(printable(f"--preset {name[:80]}: {error}")) from None
    assert preset is not None
    return preset


def _is_collected(changes: Changes, wishes: Wishes, offered: Sequence[str], preset: "Preset | None") -> bool:
    """Return whether the mailbox is to be collected; a person at the terminal is asked where nothing says so."""
    wanted = any(path[0] == "pop3" for path in changes) if wishes.collect is None else wishes.collect
    if wanted and "pop3" not in offered and ("pop3", "host") not in changes:
        where = preset.title if preset else "this provider"
        raise click.UsageError(f"{where} offers no POP3 that is known: leave --collect away, or add --pop3-host HOST")
    if wanted or wishes.collect is False or "pop3" not in offered or not sys.stdin.isatty():
        return wanted
    question = f"Collect its mail by POP3, too? A copy stays at the provider for {KEPT}"
    return click.confirm(question, default=False)


def _require_hosts(preset: "Preset", servers: Sequence[str], changes: Mapping[tuple[str, ...], object]) -> None:
    """Ask for the hosts that each account of a provider has of its own, and say where they are to be found."""
    own = [one for one in servers if one not in preset.servers or preset.servers[one].host is None]
    missing = [f"--{one}-host HOST" for one in own if (one, "host") not in changes]
    if missing and preset.find_host is not None:
        raise click.UsageError(
            f"At {preset.title} each account has a host of its own: {preset.find_host.en}. Add --preset {preset.name}"
            f" {' '.join(missing)} (such as {preset.example})"
        )


def _find(changes: Changes, wishes: Wishes, look: Finder) -> "tuple[Preset | None, Changes]":
    """Find the provider by the address; say how, and let a person agree where a stranger has said it."""
    from relay.presets.finding import Origin
    from relay.rules.address import parse_addr_spec

    text = str(changes["address",])
    try:
        address = parse_addr_spec(text)
    except ValueError as error:
        raise click.UsageError(printable(f"--address {text[:80]}: {error}")) from None

    def agrees() -> bool:
        question = f"Ask Thunderbird's database as well? Mozilla is then told the domain {address.domain}"
        return wishes.ask_database or (sys.stdin.isatty() and click.confirm(question, default=False))

    if sys.stdin.isatty():
        say(f"Looking for the provider of {address.domain} ...", error=True)
    found = look(address, agrees)
    if found.origin is None:
        raise click.UsageError(_say_nothing(address.domain, found, asked=wishes.ask_database))
    hosts = [one for one in found.servers if one.kind in SERVERS]
    if found.preset is None and not any(one.kind == "smtp" for one in hosts):
        raise click.UsageError(
            f"{address.domain} names a server to collect from, and none to send by: add --smtp-host HOST"
            f" {' '.join(_options(hosts))}"
        )
    if found.preset is None:
        refuse_foreign(changes.get(("oauth", "provider")), [one.host for one in hosts if one.host is not None])
    how = {
        Origin.DOMAIN: f"the domain {address.domain} is theirs",
        Origin.EXCHANGER: f"the DNS says that they take the mail of {address.domain}",
        Origin.AUTOCONFIG: f"the web server of {address.domain} says so",
        Origin.DATABASE: f"Thunderbird's database says so of {address.domain}",
    }[found.origin]
    if found.preset is not None:
        say(f"The provider is {found.preset.title}: {how}.")
    else:
        for one in hosts:
            say(f"{_NAMES[one.kind]} is at {one.host}, port {one.port} ({one.security}), as {one.username}: {how}.")
    _confirm(changes, found, hosts)
    if found.preset is not None:
        return found.preset, {}
    return None, {(one.kind, key): value for one in hosts for key, value in one.table.items()}


def refuse_foreign(issuer: object, hosts: Iterable[str]) -> None:
    """Refuse servers that must not get the tokens of an issuer, before any more is asked. Raises click.UsageError."""
    from relay.settings.oauth_checks import foreign_hosts, say_foreign

    if issuer is not None and (foreign := foreign_hosts(str(issuer), hosts)):
        raise click.UsageError(printable(f"--oauth {issuer}: {foreign[0]} {say_foreign(str(issuer))}"))


def _confirm(changes: Changes, found: "Found", hosts: Sequence["FoundServer"]) -> None:
    """Let a person agree to what a stranger said; where nobody is there, it must be named in an option."""
    preset = found.preset
    if preset and preset.oauth and preset.oauth.provider == changes.get(("oauth", "provider")):
        return  # who is to sign in there has been named already, and no password is sent
    for words in found.confirm:
        if not sys.stdin.isatty():
            named = f"--preset {preset.name}" if preset else " ".join(_options(hosts))
            raise click.UsageError(printable(f"{words.en} If so, say it: add {named}"))
        click.confirm(printable(words.en), abort=True)


def _options(hosts: Sequence["FoundServer"]) -> list[str]:
    return [" ".join(f"--{one.kind}-{key} {value}" for key, value in one.table.items()) for one in hosts]


def _say_nothing(domain: str, found: "Found", *, asked: bool) -> str:
    tried = "".join(f"\n  {words.en}" for words in found.tried)
    more = "" if asked else "\n  --ask-thunderbird   to ask Thunderbird's database, which tells Mozilla the domain"
    return (
        f"no provider is known for {printable(domain)}:{printable_lines(tried)}\nAdd one of:\n"
        f"  --preset NAME       if you know whose it is, such as ionos ({guide('')} has all that are known)\n"
        f"  --smtp-host HOST    the server that sends, as the provider names it{more}"
    )


def printable_lines(text: str) -> str:
    """Make each line of a text fit for a terminal."""
    return "\n".join(printable(line) for line in text.split("\n"))
