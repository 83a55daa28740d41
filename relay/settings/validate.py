"""Checks each value by itself, and finds unknown keys."""

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from relay.settings.document import MAILBOX_TABLES, SERVER_TABLES
from relay.settings.errors import MOST, Finding, Place
from relay.settings.schema import DOCUMENT, LISTS, TABLES, Document

_LONGEST_COMPARED = 80
_DISCREET = frozenset({"password_env", "client_secret_env", "token_url", "device_url", "authorize_url"})
"""Keys whose values may hold a secret in the wrong place."""
_USER = 'name = "anna" and address = "anna@example.com"'

EXAMPLES: Mapping[Place, str] = {
    ("server",): '[server] with hostname = "relay.office.example" and postmaster = "anna" (one of the users)',
    ("server", "hostname"): 'hostname = "relay.office.example", the name of this machine',
    ("server", "postmaster"): 'postmaster = "anna", the user who gets alerts',
    ("user",): f"a [[user]] for each person, with {_USER}",
    ("user", "name"): 'name = "anna", the login and the name of the inbox',
    ("user", "address"): 'address = "anna@example.com"',
    ("device", "name"): 'name = "Scanner 2nd floor"',
    ("device", "networks"): 'networks = ["192.168.1.40"], the addresses of the device',
    ("device", "user"): 'user = "anna", for whom the device sends',
    ("account", "name"): 'name = "sales", what commands and the log call it',
    ("account", "address"): 'address = "sales@example.com", what the account sends as',
    ("account", "owner"): 'owner = "anna", the user whose it is',
    ("account", "smtp", "host"): 'host = "smtp.provider.example"',
    ("account", "pop3", "host"): 'host = "pop.provider.example"',
    ("account", "pop3", "username"): 'username = "sales@example.com"',
    ("account", "oauth", "provider"): 'provider = "microsoft", "google" or "custom"',
    ("account", "oauth", "flow"): 'flow = "device" (a code, on any computer), "browser", or "app" (nobody signs in)',
    ("account", "oauth", "client_id"): 'client_id = "...", the "Application (client) ID" of your registration there',
    ("backup", "folder"): 'folder = "/mnt/backup/relay"',
}
"""Of what must be there, by its place without positions in lists."""


def describe_missing(place: Place) -> str:
    """Return that something is missing, and an example of it."""
    example = EXAMPLES.get(_names(place))
    return "missing" if example is None else f"missing: add {example}"


def validate_document(document: Mapping[str, Any]) -> Document | list[Finding]:
    """Return the validated document, or all errors in its values. No error holds a value."""
    try:
        return DOCUMENT.validate_python(_with_usernames(document))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    findings = [_read_detail(detail, helpful=n < MOST) for n, detail in enumerate(details)]
    # A key that is misspelt is not missing as well.
    meant = {_meant(detail) for detail in details[:MOST] if detail["type"] == "extra_forbidden"}
    pairs = zip(details, findings, strict=True)
    return [finding for detail, finding in pairs if detail["type"] != "missing" or finding.place not in meant]


def _with_usernames(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a document in which the servers of accounts that log in by a token have a user name: the address."""
    accounts = document.get("account")
    if not isinstance(accounts, list):
        return document
    return {**document, "account": [_with_username(one) for one in accounts]}


def _with_username(account: object) -> object:
    if not isinstance(account, dict) or "oauth" not in account:
        return account
    name = {"username": account.get("address", "?")}  # an address that is missing, or none, is a mistake of its own
    servers = {kind: account[kind] for kind in SERVER_TABLES if isinstance(account.get(kind), dict)}
    return {**account, **{kind: {**name, **server} for kind, server in servers.items()}}


def _meant(detail: ErrorDetails) -> Place:
    """Return the place of the key that was probably meant."""
    place: Place = detail["loc"]
    near = _near(_names(place))
    return (*place[:-1], near[0]) if near else place


def _near(names: tuple[str, ...], cutoff: float = 0.6) -> list[str]:
    known = sorted(TABLES.get(names[:-1], ()))
    return difflib.get_close_matches(names[-1][:_LONGEST_COMPARED], known, n=1, cutoff=cutoff)


_KINDS = {"smtp": "sending", **dict.fromkeys(MAILBOX_TABLES, "collecting")}
"""Tables below an account, and what each is for."""


def _read_detail(detail: ErrorDetails, *, helpful: bool) -> Finding:
    """Make a finding of pydantic's error. `helpful`: look for a similar known key, which takes time."""
    place: Place = detail["loc"]
    match detail["type"]:
        case "value_error":
            reason = str(detail["ctx"]["error"])
        case "missing":
            reason = describe_missing(place)
        case "extra_forbidden":
            reason = _unknown_key(place) if helpful else "unknown key"
        case "tuple_type":
            reason = f"must be written {_header(place)}" if place in LISTS else 'must be a list: ["...", "..."]'
        case "dict_type":
            reason = f"must be a table: {_header(_names(place))}"
        case kind:
            reason = f"is not valid ({kind})"
    discreet = detail["type"] != "value_error" or place[-1] in _DISCREET
    return Finding(place, reason, discreet=discreet)


def _unknown_key(place: Place) -> str:
    """Suggest a similar key of this table, or name another table with this key, whose header may be missing."""
    *_, key = names = _names(place)
    below = [(*names[:-1], kind) for kind in _KINDS if key in TABLES.get((*names[:-1], kind), ())]
    if below:
        places = " or ".join(f"{_header(other)} ({_KINDS[str(other[-1])]})" for other in below)
        return f"stands before the header that it belongs under: move it below {places}, or add that header above it"
    near = _near(names)
    if near:
        return f'unknown key; did you mean "{near[0]}"?'
    elsewhere = [_header(other) for other, keys in TABLES.items() if key in keys]
    if elsewhere:
        return f"unknown key here; it belongs to {' or '.join(elsewhere)}"
    nearest = _near(names, cutoff=0.0)
    return f'unknown key; the nearest known one is "{"".join(nearest)}"'


def _names(place: Place) -> tuple[str, ...]:
    return tuple(key for key in place if isinstance(key, str))


def _header(names: Place) -> str:
    if not names:
        return "the top of the file"
    return f"[[{names[0]}]]" if names in LISTS else f"[{'.'.join(map(str, names))}]"
