"""Checks parts of the configuration against each other: unique names, references to something that exists."""

import difflib
from collections.abc import Callable, Collection, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import TypeVar

from relay.rules.address import parse_addr_spec
from relay.settings.document import MAILBOX_TABLES, SERVER_TABLES, Table
from relay.settings.errors import Finding, Place
from relay.settings.fields import USER_NAME
from relay.settings.hosts import parse_ip, parse_network
from relay.settings.login_sources import STRICT, Lenience
from relay.settings.oauth_checks import check_oauth
from relay.settings.user_passwords import NOBODY, has_password
from relay.settings.validate import describe_missing

T = TypeVar("T")

_MOST_HELPED = 20
"""Unknown names for which a similar known one is looked for."""
_MOST_NAMES = 10
_LONGEST_COMPARED = 80
_MISSING_FOR_TLS = {
    "certificate": "missing: TLS needs a certificate file, from your IT support or a certificate authority:"
    ' certificate = "FILE". Have you none, take the line tls = "..." out: connections are then not encrypted',
    "private_key": "missing: TLS needs the file of the certificate's key as well, which comes with it: private_key ="
    ' "FILE" (the same one where both are in one file)',
}
PASSWORD_SOURCES = ("password", "password_file", "password_env", "password_command")


def check_document(root: Table, lenience: Lenience = STRICT) -> Iterator[Finding]:
    """Find the errors between parts of a document, whose single values may be wrong as well.

    `lenience`: what of that by which users log in may be missing, with a warning.
    """
    if root.content.get("user") == []:
        yield Finding(("user",), describe_missing(("user",)))
    yield from _check_names(root)
    yield from _check_references(root)
    yield from _check_addresses(root)
    yield from _check_listeners(root, lenience)
    for account in root.tables("account"):
        yield from _check_logins(account)
        yield from check_oauth(account)
    yield from _check_loops(root)
    yield from _check_lists(root)


def _check_names(root: Table) -> Iterator[Finding]:
    for kind, key in (("user", str.casefold), ("device", str), ("account", str)):
        why = "; the folder of a user's inbox is named so, in whatever case" if kind == "user" else ""
        first: dict[str, int] = {}
        for table in root.tables(kind):
            name, position = table.text("name"), _position(table.place)
            if name and (earlier := first.setdefault(key(name), position)) != position:
                reason = f"{kind}[{earlier}] has this name already: each needs one of its own{why}"
                yield Finding((*table.place, "name"), reason)


def _check_references(root: Table) -> Iterator[Finding]:
    known = {name for user in root.tables("user") if (name := user.text("name"))}
    references = [_reference(root.table("server"), "postmaster")]
    references += [_reference(listener, "default_user") for listener in root.tables("listener")]
    references += [_reference(device, "user") for device in root.tables("device")]
    for account in root.tables("account"):
        references += [_reference(account, "owner"), account.texts("users")]
    if not known:
        return  # which is an error of its own, and the cause of all these
    helped = 0
    for place, name in (reference for several in references for reference in several):
        if name.strip() and name not in known:
            yield Finding(place, _unknown_user(name, known if helped < _MOST_HELPED else ()))
            helped += 1


def _unknown_user(name: str, known: Collection[str]) -> str:
    """Return that there is no such user, with a similar name and the known ones. Comparing takes time."""
    usable = sorted(other for other in known if USER_NAME.fullmatch(other))
    by_key = {other.casefold(): other for other in usable}
    near = difflib.get_close_matches(name[:_LONGEST_COMPARED].casefold(), by_key, n=1)
    hint = f'; did you mean "{by_key[near[0]]}"? There are' if near else "; there are"
    more = ", ..." if len(usable) > _MOST_NAMES else ""
    return (
        f"there is no such user{hint}: {', '.join(usable[:_MOST_NAMES])}{more}" if usable else "there is no such user"
    )


def _reference(table: Table, key: str) -> list[tuple[Place, str]]:
    name = table.text(key)
    return [] if name is None else [((*table.place, key), name)]


def _check_addresses(root: Table) -> Iterator[Finding]:
    owner: dict[str, Table] = {}
    for user in root.tables("user"):
        for place, text in [*_reference(user, "address"), *user.texts("aliases")]:
            address = _parsed(parse_addr_spec, text)
            if address is not None and (earlier := owner.setdefault(address.key, user)) is not user:
                yield Finding(
                    place, f"user[{_label(earlier)}] has this address already: it can belong to one of them only"
                )


def _check_listeners(root: Table, lenience: Lenience) -> Iterator[Finding]:
    anybody_has_password = has_password(root)
    first: dict[tuple[str, int], int] = {}
    for listener in root.tables("listener"):
        host, port, position = listener.text("host"), listener.number("port"), _position(listener.place)
        where = host or "127.0.0.1"
        key = (str(parse_ip(where) or where.lower()), 2525 if port is None else port)
        # A port in quotes is an error of its own; with the default in its place there would be a second one.
        known = (host is not None or not listener.has("host")) and (port is not None or not listener.has("port"))
        if known and port != 0 and (earlier := first.setdefault(key, position)) != position:
            yield Finding(listener.place, f"the same host and port as listener[{earlier}]: only one can have them")
        if listener.text("tls") in ("starttls", "implicit"):
            for name, reason in _MISSING_FOR_TLS.items():
                if not listener.has(name):
                    yield Finding((*listener.place, name), reason)
        if listener.flag("require_auth") and not anybody_has_password:
            reason = 'no user has a password_hash, so nobody could send; "relay user password" makes one'
            yield Finding((*listener.place, "require_auth"), reason, warning=NOBODY in lenience.names)
        yield from _check_openness(listener)


def _check_openness(listener: Table) -> Iterator[Finding]:
    networks = [_parsed(parse_network, text) for _, text in listener.texts("networks")]
    # Merged, so that two halves of the internet count as all of it.
    merged: tuple[IPv4Network | IPv6Network, ...] = (
        *collapse_addresses(network for network in networks if isinstance(network, IPv4Network)),
        *collapse_addresses(network for network in networks if isinstance(network, IPv6Network)),
    )
    everybody = any(network.prefixlen == 0 for network in merged)
    if everybody and not listener.flag("require_auth"):
        reason = (
            "anybody on the internet could send through you (an open relay): name your office's network instead, e.g."
            ' ["192.168.1.0/24"], or let in only who logs in: require_auth = true'
        )
        yield Finding((*listener.place, "networks"), reason)


def _check_logins(account: Table) -> Iterator[Finding]:
    for server in map(account.table, SERVER_TABLES):
        if not server.content:
            continue
        sources = [key for key in PASSWORD_SOURCES if server.has(key)]
        if len(sources) > 1:
            yield Finding(server.place, f"{' and '.join(sources)}: only one of them can hold: delete the others")
        if account.has("oauth"):
            for key in sources:
                reason = "with [account.oauth] the account logs in by a token: delete this line, or that table"
                yield Finding((*server.place, key), reason)
            continue
        if server.has("username") and not sources:
            reason = "a login without a password: add password_file, password_env, password_command or password"
            yield Finding((*server.place, "username"), reason)
        if sources and not server.has("username") and server.place[-1] == "smtp":
            yield Finding((*server.place, "username"), f'missing: {sources[0]} is for nobody; add username = "..."')


def _check_loops(root: Table) -> Iterator[Finding]:
    """Find archive addresses whose mailbox is distributed: the copies would return to sender and recipients."""
    distributed = {
        address.key: account
        for account in root.tables("account")
        if any(account.table(kind).flag("distribute") for kind in MAILBOX_TABLES)
        and account.flag("receive", default=True)
        and not account.flag("excluded")
        and (address := _parsed(parse_addr_spec, account.text("address") or ""))
    }
    archives = root.table("archive").texts("bcc")
    for account in root.tables("account"):
        archives += account.texts("archive")
    for place, text in archives:
        address = _parsed(parse_addr_spec, text)
        collected = distributed.get(address.key) if address else None
        if collected is not None:
            yield Finding(
                place,
                f"a loop: account[{_label(collected)}] collects this mailbox and distributes it, "
                "so that each archived mail would come back to its users as new mail; archive into another mailbox",
            )


def _check_lists(root: Table) -> Iterator[Finding]:
    networks = [(table, "networks") for kind in ("listener", "device") for table in root.tables(kind)]
    for table, key in [*networks, (root.table("retry"), "intervals"), (root.table("schedule"), "active")]:
        if table.content.get(key) == []:
            yield Finding((*table.place, key), "must not be empty: fill the list, or delete the line")


def _parsed(parse: Callable[[str], T], text: str) -> T | None:
    """Return what a text is parsed to; None if that fails."""
    try:
        return parse(text)
    except ValueError:
        return None


def _label(table: Table) -> str:
    return table.text("name") or str(_position(table.place))


def _position(place: Place) -> int:
    number = place[-1]
    assert isinstance(number, int)
    return number + 1
