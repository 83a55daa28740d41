"""The provider of an account that is added: known by its name, or found by the address; and what is said of it.

What strangers said is proposed and never taken by itself: a person agrees at the terminal, or names it in an option.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from relay.cli.account_options import SERVERS, Changes
from relay.cli.interview import Interview, fill_in
from relay.escaping import printable
from relay.first_steps import reading, texts
from relay.places import guide
from relay.presets.preset import Preset, Words, find_preset

if TYPE_CHECKING:
    from relay.model.address import Address
    from relay.presets.finding import Found


class Wishes(NamedTuple):
    """What is asked of the provider, beside keys of the table."""

    collect: bool | None = None
    """Whether the mailbox is collected by POP3; None: nobody has said."""
    ask_database: bool | None = None
    """Whether Mozilla may be told the domain; None: nobody has said."""
    password: str = ""
    """An option that only makes sense for an account that logs in by a password; empty: there is none."""
    no_login: bool = False
    """Whether the server that sends wants none."""
    ca_file: str | None = None
    """The authority of its servers' certificates."""
    is_first: bool = False
    """Whether it is an office's first account: it is to send, and a person is asked for all that can be chosen."""


class Known(NamedTuple):
    """What is known of a provider."""

    preset: Preset | None = None
    servers: Mapping[str, Mapping[str, Any]] = {}
    """Where there is no preset, and they were found: host, port, security and user name, by protocol."""
    is_named: bool = False
    """Whether the options name its servers, so that nobody was asked."""

    @property
    def offered(self) -> tuple[str, ...]:
        """The servers that it has, as far as that is known."""
        return tuple(one for one in SERVERS if one in self.servers or (self.preset and one in self.preset.servers))


Finder = Callable[["Address", Callable[[], bool]], "Found"]


def look_up(address: "Address", agrees: Callable[[], bool]) -> "Found":
    """Find the provider of an address; `agrees` is asked before Mozilla is told the domain."""
    import asyncio

    from relay.presets.finding import find_provider

    return asyncio.run(find_provider(address, ask_database=agrees))


def find_known(person: Interview, changes: Changes, wishes: Wishes, *, look: Finder = look_up) -> Known:
    """Return what is known of an account's provider, by a preset's name or by looking it up, and say it.

    Hosts that are written need neither. Raises click.UsageError where nothing is known and nobody can be asked.
    """
    if ("preset",) in changes:
        given = str(changes["preset",])
        name = person.ask(texts.PRESET, reading.read_known_preset, option="--preset", given=given)
        known = Known(find_preset(name))
    elif any((one, "host") in changes for one in (("smtp",) if wishes.is_first else SERVERS)):
        return Known(is_named=True)
    else:
        known = _find(person, changes, wishes, look)
    if known.preset is not None:
        only_token = known.preset.oauth is not None and "smtp" in known.preset.oauth.needed
        password = ("oauth", "provider") not in changes and not only_token
        for words in describe_preset(known.preset, password=password):
            person.note(words)
        for kind in SERVERS:
            if (server := known.preset.servers.get(kind)) is not None and server.host is not None:
                person.tell(texts.SERVER, kind=kind.upper(), host=server.host, port=server.ports[0])
    return known


def describe_preset(preset: Preset, *, password: bool = True) -> Iterator[Words]:
    """Name a preset, and tell what no key says of its provider."""
    from relay.presets.describing import describe

    yield fill_in(texts.PROVIDER, name=preset.name, title=preset.title, day=preset.checked)
    for lines in zip(*(describe(preset, language, password=password) for language in ("en", "de")), strict=True):
        yield Words(*lines)


def _find(person: Interview, changes: Changes, wishes: Wishes, look: Finder) -> Known:
    """Find the provider by the address; say how, and let a person agree where a stranger has said it."""
    from relay.presets.finding import Origin

    address = person.ask(texts.ADDRESS, _read_address, option="--address", given=str(changes["address",]))
    found = _look(person, address, wishes, look)
    if found.origin is None:
        if not person.terminal:
            raise click.UsageError(_say_nothing(address.domain, found, asked=bool(wishes.ask_database)))
        for words in found.tried:
            person.tell(Words(*(f"  {text}" for text in words)))
        person.tell(texts.UNKNOWN)
        return Known()
    preset, hosts = found.preset, [one for one in found.servers if one.kind in SERVERS]
    tables = {one.kind: one.table for one in hosts}
    if wishes.no_login and "smtp" in tables:
        del tables["smtp"]["username"]
    named = " ".join(f"--{kind}-{key} {value}" for kind, table in tables.items() for key, value in table.items())
    if preset is None and not person.terminal and "smtp" not in tables:
        raise click.UsageError(
            f"{address.domain} names a server to collect from, and none to send by: add --smtp-host HOST {named}"
        )
    if preset is None:
        refuse_foreign(changes.get(("oauth", "provider")), [one.host for one in hosts if one.host is not None])
    how = {
        Origin.DOMAIN: texts.BY_DOMAIN,
        Origin.EXCHANGER: texts.BY_EXCHANGER,
        Origin.AUTOCONFIG: texts.BY_AUTOCONFIG,
        Origin.DATABASE: texts.BY_DATABASE,
    }[found.origin].by(person.language)
    how = how.format(domain=address.domain)
    if preset is not None:
        person.note(texts.FOUND, title=preset.title, how=how)
    for one in () if preset else hosts:
        person.note(
            texts.FOUND_SERVER, kind=one.kind.upper(), host=one.host, port=one.port, security=str(one.security),
            user=one.username, how=how,
        )  # fmt: skip
    if not _is_agreed(person, changes, found, f"--preset {preset.name}" if preset else named):
        person.tell(texts.NAME_THEM)
        return Known()
    return Known(preset) if preset else Known(servers=tables)


def _read_address(text: str) -> "Address":
    from relay.settings.fields import read_address

    return read_address(reading.read_mail_address(text))


def _look(person: Interview, address: "Address", wishes: Wishes, look: Finder) -> "Found":
    """Look a provider up, once for each answer to whether Mozilla may be asked; None stands for no question.

    Where nothing was found, whoever comes back to this question has it looked up anew: a network may be there now.
    """
    question = fill_in(texts.DATABASE, domain=address.domain)

    def agrees() -> bool:
        given = wishes.ask_database
        said.append(person.agree(question, option="--ask-thunderbird", given=given, default=False))
        return said[-1]

    said: list[bool] = []
    kept = person.kept.setdefault(f"provider of {address}", {})
    if kept and (None in kept or agrees() in kept):
        found: Found = kept[said[-1] if said else None]
        if found.origin is not None or person.repeats:
            return found
        kept.pop(None, None)  # of which the question may be asked now
    person.tell(texts.LOOKING, domain=address.domain)
    found = look(address, (lambda: said[-1]) if said else agrees)
    kept[said[-1] if said else None] = found
    return found


def refuse_foreign(issuer: object, hosts: Iterable[str]) -> None:
    """Refuse servers that must not get the tokens of an issuer, before any more is asked. Raises click.UsageError."""
    from relay.settings.oauth_checks import foreign_hosts, say_foreign

    if issuer is not None and (foreign := foreign_hosts(str(issuer), hosts)):
        raise click.UsageError(printable(f"--oauth {issuer}: {foreign[0]} {say_foreign(str(issuer))}"))


def _is_agreed(person: Interview, changes: Changes, found: "Found", named: str) -> bool:
    """Let a person agree to what a stranger said; where nobody is there, `named`, options, must say it."""
    preset = found.preset
    if preset and preset.oauth and preset.oauth.provider == changes.get(("oauth", "provider")):
        return True  # who is to sign in there has been named already, and no password is sent
    for words in found.confirm:
        if not person.terminal:
            raise click.UsageError(printable(f"{words.en} If so, say it: add {named}"))
        if not person.agree(words, option="--preset", default=False):
            return False
    return True


def _say_nothing(domain: str, found: "Found", *, asked: bool) -> str:
    tried = "".join(f"\n  {printable(words.en)}" for words in found.tried)
    more = "" if asked else "\n  --ask-thunderbird   to ask Thunderbird's database, which tells Mozilla the domain"
    return (
        f"no provider is known for {printable(domain)}:{tried}\nAdd one of:\n"
        f"  --preset NAME       if you know whose it is, such as ionos ({guide('')} has all that are known)\n"
        f"  --smtp-host HOST    the server that sends, as the provider names it{more}"
    )
