"""`preset = "ionos"` in an account: fills in what its servers' tables do not say, before the values are checked.

Which tables there are stays the configuration's own: an account without `[account.pop3]` is not collected.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from relay.model.account import Security
from relay.presets.preset import IMPLICIT_TLS, Endpoint, Preset, find_preset, meant_by, preset_names
from relay.settings.document import SERVER_TABLES, Table
from relay.settings.errors import Finding, warn
from relay.settings.quantities import parse_duration

_LONGEST_COMPARED = 80


def read_preset(value: object) -> str:
    """Read the name of a preset. Raises ValueError with the nearest known one and all names."""
    if isinstance(value, str) and find_preset(value) is not None:
        return value
    if not isinstance(value, str):
        raise ValueError('must be text in quotes: preset = "ionos"')  # noqa: TRY004 - an error of the file
    names = preset_names()
    word = value[:_LONGEST_COMPARED].lower()
    near = [meant] if (meant := meant_by(word)) else difflib.get_close_matches(word, names, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else "."
    raise ValueError(
        f"no provider is known by this name{hint} Known are {', '.join(names)}. For any other leave preset away, and"
        " write host, port and username as the provider names them"
    )


def fill_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document in which each account with a known preset has what its servers' tables did not say.

    Only what is missing is added, so that all else keeps its place and value, right or wrong.
    """
    accounts = document.get("account")
    if not isinstance(accounts, list) or not any(isinstance(one, dict) and "preset" in one for one in accounts):
        return {**document}
    return {**document, "account": [_filled(one) for one in accounts]}


def preset_of(account: Mapping[str, Any]) -> Preset | None:
    """Return the preset that an account of a document names; None if it names none, or one that is not known."""
    name = account.get("preset")
    return find_preset(name) if isinstance(name, str) else None


def _filled(account: object) -> object:
    if not isinstance(account, dict) or (preset := preset_of(account)) is None:
        return account
    address = account.get("address")
    filled = {
        kind: fill_table(account[kind], preset.servers.get(kind), address if isinstance(address, str) else None)
        for kind in SERVER_TABLES
        if isinstance(account.get(kind), dict)
    }
    return {**account, **filled}


def fill_table(table: dict[str, Any], server: Endpoint | None, address: str | None) -> dict[str, Any]:
    """Return the table of a server with what the provider's row says and it does not.

    `address`: the account's, of which the user name is made.
    """
    if server is None:  # whose host is missing: one mistake, not two
        return {"username": address, **table} if address is not None else table
    known: dict[str, Any] = {} if server.host is None else {"host": server.host}
    known |= _choose_port(table, server.ports)
    if address is not None:
        known["username"] = server.login.of(address)
    return {**table, **{key: value for key, value in (known | dict(server.settings)).items() if key not in table}}


def _choose_port(table: Mapping[str, Any], ports: tuple[int, ...]) -> dict[str, Any]:
    """Return port and security: the provider's first, or whichever fits to the one of both that is written."""
    fitting = [
        port
        for port in ports
        if table.get("port", port) == port and table.get("security", _security(port)) == _security(port)
    ]
    return {"port": fitting[0], "security": str(_security(fitting[0]))} if fitting else {}


def _security(port: int) -> Security:
    return Security.TLS if port in IMPLICIT_TLS else Security.STARTTLS


def check_presets(root: Table) -> Iterator[Finding]:
    """Find what a preset can't fill in, in a filled document: a host of the account's own, what is not offered."""
    for account in root.tables("account"):
        if (preset := preset_of(account.content)) is None:
            continue
        if not any(account.has(kind) for kind in SERVER_TABLES):
            reason = (
                "fills in the servers of [account.smtp] and [account.pop3], and this account has neither: write the"
                " header of each that it needs, with its password below it"
            )
            yield Finding((*account.place, "preset"), reason)
        for kind, protocol in SERVER_TABLES.items():
            server = account.table(kind)
            if account.has(kind) and not server.has("host"):
                reason = _tell_host(preset, kind, protocol.name)
                yield Finding((*server.place, "host"), reason)
            yield from _check_interval(preset, kind, server)


def _tell_host(preset: Preset, kind: str, protocol: str) -> str:
    if kind not in preset.servers:
        return f"missing: {preset.title} offers no {protocol}: delete [account.{kind}]"
    where = f": {preset.find_host.en}" if preset.find_host else ""
    example = f'. Write it: host = "{preset.example}"' if preset.example else ""
    return f"missing: at {preset.title} each account has a host of its own{where}{example}"


def _check_interval(preset: Preset, kind: str, server: Table) -> Iterator[Finding]:
    least = preset.servers[kind].settings.get("interval") if kind in preset.servers else None
    written = server.content.get("interval")
    if least is None or not isinstance(written, str):
        return
    try:
        if parse_duration(written) < parse_duration(least):
            reason = f"{preset.title} refuses logins that come more often than every {least}, as if they were wrong"
            yield warn((*server.place, "interval"), reason)
    except ValueError:  # an error of its own
        return
