"""The servers of an account that is added: which it has, and what of them has to be asked for.

What an option says goes before what was found, and before what the provider's preset fills in.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import click

from relay.cli.account_options import OPTIONS, SERVERS, Changes
from relay.cli.interview import Interview
from relay.cli.provider import Known, Wishes
from relay.first_steps import reading, texts
from relay.model.account import Security
from relay.presets.preset import Preset, Words
from relay.settings.document import SERVER_TABLES


class _Field(NamedTuple):
    """A key of a server's table that can be asked for."""

    question: Words
    read: Callable[[str], Any]


_FIELDS: Final[Mapping[str, Mapping[str, _Field]]] = {
    kind: {
        "host": _Field(host, reading.read_server),
        "port": _Field(port, reading.read_port),
        "security": _Field(texts.SECURITY, reading.one_of([str(one) for one in Security])),
        "username": _Field(texts.USERNAME, reading.read_text),
    }
    for kind, host, port in (
        ("smtp", texts.SMTP_HOST, texts.SMTP_PORT),
        ("pop3", texts.POP3_HOST, texts.POP3_PORT),
    )
}


def choose_servers(
    person: Interview, changes: Changes, wishes: Wishes, known: Known
) -> tuple[Changes, tuple[str, ...]]:
    """Return what the options say with what was answered, and which servers the account has.

    Raises click.UsageError and click.Abort.
    """
    changes = {**changes}
    for kind, fields in _FIELDS.items():
        for key, field in fields.items():
            if (given := changes.get((kind, key))) is not None:
                changes[kind, key] = person.ask(
                    field.question, field.read, option=OPTIONS[kind, key], given=str(given)
                )  # fmt: skip
    sends = wishes.is_first or not known.is_named or any(path[0] == "smtp" for path in changes)
    if not person.terminal and known.preset is not None:
        collects = is_collected(person, changes, wishes, known)
        _require_hosts(known.preset, ["smtp", *["pop3"] * collects], changes)
    if sends:
        _ask_missing(person, changes, known, "smtp", login=not wishes.no_login)
    if not is_collected(person, changes, wishes, known):
        return changes, ("smtp",) * sends
    _ask_missing(person, changes, known, "pop3")
    if ("pop3", "leave_on_server") not in changes:
        person.tell(texts.KEPT_THERE)
    return changes, SERVERS if sends else ("pop3",)


def is_collected(person: Interview, changes: Changes, wishes: Wishes, known: Known) -> bool:
    """Return whether the mailbox is to be collected; a person at the terminal is asked where nothing says so."""
    named = [OPTIONS.get(path, f"--set {'.'.join(path)}") for path in changes if path[0] == "pop3"]
    if named and wishes.collect is False:
        raise click.UsageError(f"{named[0]}: with --no-collect nothing is collected: leave one of both away")
    wanted = True if named else wishes.collect  # whoever names the mailbox wants it to be collected
    is_possible = "pop3" in known.offered or ("pop3", "host") in changes
    if known.preset is not None and not is_possible:
        title = known.preset.title
        if wanted:
            named = named or ["--collect"]
            raise click.UsageError(
                f"{named[0]}: {title} offers no POP3 that is known: leave it away, or add --pop3-host HOST"
            )
        if wishes.is_first:
            person.tell(texts.NO_POP3, title=title)
        return False
    if wanted is None and (is_possible or wishes.is_first):
        default = wishes.is_first and (is_possible or person.terminal)
        return person.agree(texts.COLLECT, option="--collect", default=default)
    return bool(wanted)


def _ask_missing(person: Interview, changes: Changes, known: Known, kind: str, *, login: bool = True) -> None:
    """Ask for a server of which neither the provider nor an option tells the host; Enter means what is usual.

    `login`: whether it wants one.
    """
    preset = known.preset
    if kind in known.servers or (kind, "host") in changes or not (preset is None or _has_own_host(preset, kind)):
        return
    sending = changes.get(("smtp", "host")) if preset is not None and kind != "smtp" else None
    if preset is not None and preset.find_host is not None and sending is None:
        person.tell(texts.OWN_HOST, title=preset.title, text=preset.find_host.by(person.language))
    usual = SERVER_TABLES[kind]
    port = usual.ports[Security(changes.get((kind, "security"), usual.security))]
    username = changes.get(("smtp", "username"), changes["address",])
    defaults = {"host": sending}  # where each account has its own, it is mostly the same
    defaults |= {"port": str(port)} if preset is None else {}
    defaults |= {"username": username} if preset is None and login else {}
    for key, default in defaults.items():
        if (kind, key) not in changes:
            field = _FIELDS[kind][key]
            changes[kind, key] = person.ask(field.question, field.read, option=OPTIONS[kind, key], default=default)


def _has_own_host(preset: Preset, kind: str) -> bool:
    return kind not in preset.servers or preset.servers[kind].host is None


def _require_hosts(preset: Preset, servers: Sequence[str], changes: Changes) -> None:
    """Ask for the hosts that each account of a provider has of its own, and say where they are to be found."""
    missing = [
        f"--{one}-host HOST" for one in servers if _has_own_host(preset, one) and (one, "host") not in changes
    ]  # fmt: skip
    if missing and preset.find_host is not None:
        raise click.UsageError(
            f"At {preset.title} each account has a host of its own: {preset.find_host.en}. Add --preset {preset.name}"
            f" {' '.join(missing)} (such as {preset.example})"
        )
