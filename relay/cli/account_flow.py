"""What an account that is added has of its provider: the one way from an address, or options, to its table.

`relay account add` and `relay init` go it alike. Nothing here asks for a secret.
"""

from typing import Any, Final, NamedTuple

import click

from relay.cli.account_options import KEPT, KEYS, SERVERS, Changes, follow_port
from relay.cli.account_servers import choose_servers
from relay.cli.account_sign_in import choose_sign_in
from relay.cli.editing import nest
from relay.cli.interview import Interview
from relay.cli.provider import Finder, Known, Wishes, find_known, look_up

_PAIR: Final = ("port", "security")
"""One of them tells the other: what an option says of one, what was found of the other no longer fits."""


class Chosen(NamedTuple):
    """An account that is to be added."""

    table: dict[str, Any]
    """Its table, with a table for each server, even if nothing stands in it; without secrets."""
    logins: tuple[str, ...]
    """The servers that want a password."""
    known: Known


def choose_account(person: Interview, changes: Changes, wishes: Wishes, *, look: Finder = look_up) -> Chosen:
    """Find the provider of an account, ask for what neither it nor an option says, and add what goes without saying.

    `changes`: what the options say; the address is there. Raises click.UsageError and click.Abort.
    """
    known = find_known(person, changes, wishes, look=look)
    if wishes.no_login:
        _require_no_login(changes, known)
    said, servers = choose_servers(person, changes, wishes, known)
    said = choose_sign_in(person, said, wishes, known, servers)
    signs_in = ("oauth", "provider") in said
    logins = tuple(one for one in servers if not signs_in and not (one == "smtp" and wishes.no_login))
    full = follow_port({}, said)
    if known.preset is not None:
        full["preset",] = known.preset.name
    if "pop3" in logins and ("smtp", "username") in said:
        full.setdefault(("pop3", "username"), said["smtp", "username"])
    for server in servers:
        found = known.servers.get(server, {})
        is_said = any((server, key) in said for key in _PAIR)
        for key, value in found.items():
            if not (is_said and key in _PAIR):
                full.setdefault((server, key), value)
        if wishes.ca_file:
            full[server, "ca_file"] = wishes.ca_file
        if server in logins and known.preset is None:
            full.setdefault((server, "username"), said["address",])
    if "pop3" in servers:
        full.setdefault(("pop3", "leave_on_server"), KEPT)
    return Chosen(_nest(full, servers), logins, known)


def _require_no_login(changes: Changes, known: Known) -> None:
    """Raise click.UsageError where the server that sends gets a user name all the same."""
    if ("smtp", "username") in changes:
        raise click.UsageError("--smtp-username: with --no-login there is no user name: leave one of both away")
    if known.preset is not None and "smtp" in known.preset.servers:
        raise click.UsageError(f"--no-login: {known.preset.title} wants a login to send: leave it away")


def _nest(changes: Changes, servers: tuple[str, ...]) -> dict[str, Any]:
    """Return the account's table, its keys in their usual order."""
    order = [key.path for key in KEYS]
    values = nest(
        {path: changes[path] for path in sorted(changes, key=lambda path: order.index(path) if path in order else 99)}
    )
    tables = ("oauth", *SERVERS)
    plain = {key: value for key, value in values.items() if key not in tables}
    return plain | {one: values.get(one, {}) for one in tables if one in values or one in servers}
