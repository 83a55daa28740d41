"""The part of `relay init` that asks for the account's servers, as far as nobody has named them yet.

What an option says goes before what was found, and before what the provider's preset fills in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import click

from relay.cli.interview import Interview
from relay.cli.provider import KEPT
from relay.first_steps import reading, texts
from relay.model.account import Security
from relay.presets.preset import Preset, Words
from relay.settings.document import SERVER_TABLES

_SECURITY: Final[Mapping[int, Security]] = {465: Security.TLS, 995: Security.TLS, 110: Security.STARTTLS}
"""Ports that tell how encryption begins there; at any other the protocol's usual way holds."""


class _Field(NamedTuple):
    """A key of a server's table that an option says."""

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


@dataclass(kw_only=True)
class Draft:
    """What is known of the account so far."""

    address: str
    preset: Preset | None = None
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Where there is no preset, and they were found: host, port, security and user name, by protocol."""
    username: str | None = None
    """What the person said for the first server."""


def ask_sending(interview: Interview, options: dict[str, Any], draft: Draft) -> dict[str, Any]:
    """Return [account.smtp], without what the preset fills in. Raises click.UsageError and click.Abort."""
    return _server(interview, options, draft, "smtp")


def ask_collecting(interview: Interview, options: dict[str, Any], draft: Draft) -> dict[str, Any] | None:
    """Return [account.pop3]; None where nothing is to be collected. Raises click.UsageError and click.Abort."""
    preset, given = draft.preset, options["collect"]
    named = [f"--pop3-{key}" for key in _FIELDS["pop3"] if options[f"pop3_{key}"] is not None]
    if preset is not None and "pop3" not in preset.servers:
        if needless := ["--collect"] * bool(given) + named:
            raise click.UsageError(f"{needless[0]}: {preset.title} offers no POP3: leave it away")
        interview.tell(texts.NO_POP3, title=preset.title)
        return None
    if named and given is False:
        raise click.UsageError(f"{named[0]}: with --no-collect nothing is collected: leave one of both away")
    known = preset is not None or "pop3" in draft.servers
    given = True if named else given  # whoever names the mailbox wants it to be collected
    if not interview.agree(texts.COLLECT, option="--collect", given=given, default=known or interview.terminal):
        return None
    interview.tell(texts.KEPT_THERE)
    return {**_server(interview, options, draft, "pop3"), "leave_on_server": KEPT}


def _server(interview: Interview, options: dict[str, Any], draft: Draft, kind: str) -> dict[str, Any]:
    """Return one server's table: what was found, else asked for, and over it what the options say."""
    preset, found = draft.preset, draft.servers.get(kind, {})
    asked = not found and (preset is None or preset.servers[kind].host is None)
    if asked and preset is not None and preset.find_host is not None:
        interview.tell(texts.OWN_HOST, title=preset.title, text=preset.find_host.by(interview.language))
    said = {
        key: interview.ask(one.question, one.read, option=f"--{kind}-{key}", given=options[f"{kind}_{key}"])
        for key, one in _FIELDS[kind].items()
        if options[f"{kind}_{key}"] is not None
    }
    if draft.username is not None:
        said.setdefault("username", draft.username)
    if asked:
        said |= _ask_missing(interview, draft, kind, said)
    paired = {"port", "security"} if said.keys() & {"port", "security"} else set()  # one of them tells the other
    table = {key: value for key, value in found.items() if key not in paired} | said
    if preset is None:
        table = _complete(kind, table)
    table = {key: table[key] for key in _FIELDS[kind] if key in table}
    if found:
        interview.tell(texts.SERVER, kind=kind.upper(), host=table["host"], port=table["port"])
    draft.username = said.get("username")
    if options["ca_file"] is not None:
        table["ca_file"] = interview.ask(texts.CA_FILE, reading.read_file, option="--ca-file", given=options["ca_file"])
    return table


def _ask_missing(interview: Interview, draft: Draft, kind: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for what no option says of a server of which nothing is known."""
    answered: dict[str, Any] = {}

    def ask(key: str, default: str | None = None) -> None:
        if key not in said:
            one = _FIELDS[kind][key]
            answered[key] = interview.ask(one.question, one.read, option=f"--{kind}-{key}", default=default)

    ask("host")
    if draft.preset is None:
        if kind == "smtp":
            usual = SERVER_TABLES[kind]
            ask("port", str(usual.ports[Security(said.get("security", usual.security))]))
        ask("username", draft.address)
    return answered


def _complete(kind: str, table: dict[str, Any]) -> dict[str, Any]:
    """Add the security that is usual at a port, or the other way; with neither the configuration's defaults hold."""
    usual = SERVER_TABLES[kind]
    if "port" in table:
        return {"security": str(_SECURITY.get(table["port"], usual.security)), **table}
    return {"port": usual.ports[Security(table["security"])], **table} if "security" in table else table
