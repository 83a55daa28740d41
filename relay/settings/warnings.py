"""Finds settings that are valid, but probably not what was meant."""

import itertools
import shlex
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

from relay.model.account import Account, Device, MailboxServer, Notify, Security, SmtpServer, User
from relay.model.address import Address, ascii_domain
from relay.model.oauth import Provider
from relay.places import guide
from relay.rules.passwords_end import ENDS_ON, uses_ending_password
from relay.settings.document import SERVER_TABLES, Protocol
from relay.settings.errors import PLACEHOLDER, Finding, Place, warn
from relay.settings.hosts import is_loopback
from relay.settings.values import Listener, ListenerTls, Settings

Network: TypeAlias = IPv4Network | IPv6Network

_MOST_SHOWN = 8
"""Networks that one line lists."""
_INTERNAL = (".local", ".lan", ".internal")

_USUAL = {
    465: ("SMTP", Security.TLS),
    587: ("SMTP", Security.STARTTLS),
    25: ("SMTP", Security.STARTTLS),
    995: ("POP3", Security.TLS),
    110: ("POP3", Security.STARTTLS),
    993: ("IMAP", Security.TLS),
    143: ("IMAP", Security.STARTTLS),
}
"""What is usual at a port."""


def find_warnings(settings: Settings) -> Iterator[Finding]:
    """Find what to warn of in settings without errors."""
    for n, listener in enumerate(settings.listeners):
        yield from _look_at_listener(("listener", n), listener, settings.directory.accounts)
    collected = {account.owner for account in settings.directory.accounts if account.is_collected}
    for n, user in enumerate(settings.directory.users):
        reads_inbox = user.notify is Notify.INBOX if user.notify is not None else user.name in collected
        yield from _look_at_user(("user", n), user, settings.directory.accounts, reads_inbox=reads_inbox)
    yield from _look_at_devices(settings.directory.devices, settings.listeners)
    yield from _look_at_senders(settings.directory.accounts)
    proved = {user.name for user in settings.directory.users if user.password_hash is not None}
    proved |= {device.user for device in settings.directory.devices}
    for n, account in enumerate(settings.directory.accounts):
        if account.restrict and account.smtp is not None and proved.isdisjoint((account.owner, *account.users)):
            reason = "nobody can send with this account: neither its owner nor its users have a password or a device"
            yield warn(("account", n, "restrict"), reason)
        if account.restrict and account.smtp is None:
            reason = "has no effect without [account.smtp]: the rules do not see it, anybody may show its address"
            yield warn(("account", n, "restrict"), reason)
        if account.users and not account.restrict:
            yield warn(("account", n, "users"), "has no effect without restrict = true")
        for kind, protocol in SERVER_TABLES.items():
            if (server := getattr(account, kind)) is not None:
                yield from _look_at_server(("account", n, kind), server, protocol)
    yield from _look_at_passwords(settings.directory.accounts)
    yield from _look_at_logins(settings.directory.accounts)
    if settings.retry.warn_after >= settings.retry.give_up_after:
        yield warn(("retry", "warn_after"), "not before give_up_after: nobody is warned of mail that waits")


def _look_at_logins(accounts: tuple[Account, ...]) -> Iterator[Finding]:
    """Find client secrets of which nobody could say when they end."""
    for n, account in enumerate(accounts):
        oauth = account.oauth
        if oauth is None or oauth.provider is not Provider.MICROSOFT or not oauth.client_secret.is_given:
            continue
        if oauth.secret_expires is None:
            reason = (
                "is not said, and Microsoft ends each secret after two years at the latest: write the day that its page"
                " shows, such as secret_expires = 2027-06-30, and you are told before"
            )
            yield warn(("account", n, "oauth", "secret_expires"), reason)


def _look_at_listener(place: Place, listener: Listener, accounts: tuple[Account, ...]) -> Iterator[Finding]:
    lan = any(not network.is_loopback for network in listener.networks)
    if not lan and not is_loopback(listener.host):
        reason = (
            "other machines reach it, but only this machine may connect. To let the office in, add its network, e.g."
            ' networks = ["192.168.1.0/24"] ("ip -4 addr" shows yours)'
        )
        yield warn((*place, "host"), reason)
    plain = listener.tls is ListenerTls.NONE and not listener.plaintext_auth
    if listener.require_auth and plain and lan:
        reason = "AUTH is offered only under TLS and on loopback: from elsewhere nobody can log in, thus send"
        yield warn((*place, "require_auth"), reason)
    if lan and not listener.require_auth:
        reason = "whoever connects from these networks may send as any user without a login"
        if any(account.restrict for account in accounts):
            reason += "; only accounts with restrict = true ask for a login or a device"
        yield warn((*place, "networks"), f"{reason} (require_auth = true asks everybody to log in)")


def _look_at_user(place: Place, user: User, accounts: tuple[Account, ...], *, reads_inbox: bool) -> Iterator[Finding]:
    """`reads_inbox`: whether the user's notices go into his inbox, as configured or because his mail is collected."""
    if user.admin:
        yield warn((*place, "admin"), "has no effect yet: there is no page to sign in to; postmaster gets the alerts")
    if user.local:
        yield warn((*place, "local"), "has no effect yet: mail to this user goes out through the provider")
    for n, address in enumerate(user.addresses):
        if is_internal(address):
            where = (*place, "address") if n == 0 else (*place, "aliases", n - 1)
            yield warn(where, "no provider delivers to such a domain: replies and notices to this address are lost")
    if reads_inbox:
        return
    if not any(account.smtp is not None and not account.excluded for account in accounts):
        reason = "no account of his is collected, and no account can send"
    elif is_internal(user.address):
        reason = "no account of his is collected, and no mail reaches his profile address"
    else:
        return
    yield warn(place, f'no notice of failed mail can reach this user: {reason}; notify = "inbox" if he reads that')


def _look_at_devices(devices: tuple[Device, ...], listeners: tuple[Listener, ...]) -> Iterator[Finding]:
    """Find addresses that belong to an earlier device, and devices that no listener accepts."""
    first: dict[Network, str] = {}
    heard = list(dict.fromkeys(network for listener in listeners for network in listener.networks))
    for n, device in enumerate(devices):
        for m, network in enumerate(device.networks):
            wider = (network.supernet(new_prefix=length) for length in range(network.prefixlen, -1, -1))  # itself first
            earlier = next((first[one] for one in wider if one in first), device.name)
            if earlier != device.name:
                reason = f"device[{earlier}] comes first with this address: its user is taken; name each address once"
                yield warn(("device", n, "networks", m), reason)
        for network in device.networks:
            first.setdefault(network, device.name)
        if device.bare_line_feeds and any(network.num_addresses > 1 for network in device.networks):
            reason = "it is meant for single scanners: a mail that a server passes on could hide another one in it"
            yield warn(("device", n, "bare_line_feeds"), f"{reason}; name single addresses (/32, /128)")
        pairs = itertools.product(device.networks, heard)
        if not any(one.version == other.version and one.overlaps(other) for one, other in pairs):
            yield warn(("device", n, "networks"), _let_in(device, listeners))


def _let_in(device: Device, listeners: tuple[Listener, ...]) -> str:
    """Return how to make a listener accept a device, in addition to those that it accepts already."""
    own = [_write(network) for network in device.networks]
    what = "it" if len(own) == 1 else "them"
    reason = f"no [[listener]] lets {' and '.join(own[:_MOST_SHOWN])} in: add {what} to the networks of"
    (listener, *others) = listeners
    there = [_write(network) for network in listener.networks]
    if others or len(there) + len(own) > _MOST_SHOWN:
        return f"{reason} the one that the device uses, beside those already there"
    together = ", ".join(f'"{network}"' for network in (*there, *own))
    host = ' and host = "0.0.0.0", so that it is reached at all' if is_loopback(listener.host) else ""
    return f"{reason} the [[listener]], beside those already there: networks = [{together}]{host}"


def _write(network: Network) -> str:
    """Return a network as people write it: a single address without a length."""
    return str(network.network_address if network.num_addresses == 1 else network)


def _look_at_senders(accounts: tuple[Account, ...]) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for n, account in enumerate(accounts):
        if (
            account.smtp is not None
            and (earlier := first.setdefault(account.address.key, account.name)) != account.name
        ):
            reason = f"account[{earlier}] comes first with this address: rules 1 and 2 never choose this one"
            yield warn(("account", n, "address"), reason)
    if not any(account.smtp is not None and not account.excluded for account in accounts):
        yield warn(("account",), "no account can send: every mail is refused")


def _look_at_passwords(accounts: tuple[Account, ...]) -> Iterator[Finding]:
    for n, account in enumerate(accounts):
        if uses_ending_password(account):
            name = shlex.quote(account.name)
            reason = (
                f"Microsoft takes passwords for sending until {ENDS_ON} (longer only where an administrator of"
                f" Microsoft 365 allows it): relay account edit {name} --oauth microsoft --tenant TENANT --client-id ID"
                f" ({guide('microsoft')} says where both are), then: relay account authorize {name}"
            )
            yield warn(("account", n), reason)


def _look_at_server(place: Place, server: SmtpServer | MailboxServer, protocol: Protocol) -> Iterator[Finding]:
    ports = {security: port for security, port in protocol.ports.items() if security is not Security.NONE}
    spoken, usual = _USUAL.get(server.port, (protocol.name, server.security))
    if server.security is Security.NONE and server.username is not None and not is_loopback(server.host):
        what = "password" if server.oauth is None else "token"
        yield warn((*place, "security"), f"the {what} crosses the network unprotected")
    if server.password.value == PLACEHOLDER:
        yield warn((*place, "password"), "is still the one of the example: put the account's own there")
    advice = " and ".join(f'{port} with security = "{security}"' for security, port in ports.items())
    if spoken != protocol.name:
        yield warn((*place, "port"), f"is a port of {spoken}; usual for {protocol.name} are {advice}")
        return
    if server.security is usual or (server.security is Security.NONE and usual is not Security.TLS):
        return
    instead = f'; "{server.security}" is usual on port {ports[server.security]}' if server.security in ports else ""
    yield warn(
        (*place, "security"),
        f'port {server.port} usually means security = "{usual}"{instead}: compare both with what the provider names',
    )


def is_internal(address: Address) -> bool:
    """Return whether an address has an internal domain, to which no provider can deliver."""
    domain = ascii_domain(address.domain)
    return domain.endswith(_INTERNAL) or ("." not in domain and not domain.startswith("["))
