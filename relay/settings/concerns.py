"""What works, but is probably not what was meant. Looks at settings without mistakes."""

from collections.abc import Iterator

from relay.model.account import Account, Notify, Pop3Server, Security, SmtpServer, User
from relay.model.address import Address, ascii_domain
from relay.settings.hosts import is_loopback
from relay.settings.mistakes import Finding, Place
from relay.settings.values import Listener, ListenerTls, Settings

_INTERNAL = (".local", ".lan", ".internal")

_USUAL_SECURITY = {465: Security.TLS, 587: Security.STARTTLS, 995: Security.TLS}


def find_concerns(settings: Settings) -> Iterator[Finding]:
    """Find what to warn of."""
    for n, listener in enumerate(settings.listeners):
        yield from _look_at_listener(("listener", n), listener, settings.directory.accounts)
    collected = {account.owner for account in settings.directory.accounts if account.is_collected}
    for n, user in enumerate(settings.directory.users):
        reads_inbox = user.notify is Notify.INBOX if user.notify is not None else user.name in collected
        yield from _look_at_user(("user", n), user, settings.directory.accounts, reads_inbox=reads_inbox)
    yield from _look_at_senders(settings.directory.accounts)
    proved = {user.name for user in settings.directory.users if user.password_hash is not None}
    proved |= {device.user for device in settings.directory.devices}
    for n, account in enumerate(settings.directory.accounts):
        if account.restrict and account.smtp is not None and proved.isdisjoint((account.owner, *account.users)):
            reason = "nobody can send with this account: neither its owner nor its users have a password or a device"
            yield _warn(("account", n, "restrict"), reason)
        if account.restrict and account.smtp is None:
            reason = "has no effect without [account.smtp]: the rules do not see it, anybody may show its address"
            yield _warn(("account", n, "restrict"), reason)
        if account.users and not account.restrict:
            yield _warn(("account", n, "users"), "has no effect without restrict = true")
        if account.smtp is not None:
            yield from _look_at_server(("account", n, "smtp"), account.smtp)
        if account.pop3 is not None:
            yield from _look_at_server(("account", n, "pop3"), account.pop3)
    if settings.retry.warn_after >= settings.retry.give_up_after:
        yield _warn(("retry", "warn_after"), "not before give_up_after: nobody is warned of mail that waits")


def _look_at_listener(place: Place, listener: Listener, accounts: tuple[Account, ...]) -> Iterator[Finding]:
    lan = any(not network.is_loopback for network in listener.networks)
    plain = listener.tls is ListenerTls.NONE and not listener.plaintext_auth
    if listener.require_auth and plain and lan:
        reason = "AUTH is offered only under TLS and on loopback: from elsewhere nobody can log in, thus send"
        yield _warn((*place, "require_auth"), reason)
    if lan and not listener.require_auth:
        reason = "whoever connects from these networks may send as any user without a login"
        if any(account.restrict for account in accounts):
            reason += "; only accounts with restrict = true ask for a login or a device"
        yield _warn((*place, "networks"), f"{reason} (require_auth = true asks everybody to log in)")


def _look_at_user(place: Place, user: User, accounts: tuple[Account, ...], *, reads_inbox: bool) -> Iterator[Finding]:
    """`reads_inbox`: whether the user's notices go to his inbox, by his own word or because it gets mail anyway."""
    if user.local:
        yield _warn((*place, "local"), "has no effect yet: mail to this user goes out through the provider")
    for n, address in enumerate(user.addresses):
        if is_internal(address):
            where = (*place, "address") if n == 0 else (*place, "aliases", n - 1)
            yield _warn(where, "no provider delivers to such a domain: replies and notices to this address are lost")
    if reads_inbox:
        return
    if not any(account.smtp is not None and not account.excluded for account in accounts):
        reason = "no account of his is collected, and no account can send"
    elif is_internal(user.address):
        reason = "no account of his is collected, and no mail reaches his profile address"
    else:
        return
    yield _warn(place, f'no notice of failed mail can reach this user: {reason}; notify = "inbox" if he reads that')


def _look_at_senders(accounts: tuple[Account, ...]) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for n, account in enumerate(accounts):
        if (
            account.smtp is not None
            and (earlier := first.setdefault(account.address.key, account.name)) != account.name
        ):
            reason = f"account[{earlier}] comes first with this address: rules 1 and 2 never choose this one"
            yield _warn(("account", n, "address"), reason)
    if not any(account.smtp is not None and not account.excluded for account in accounts):
        yield _warn(("account",), "no account can send: every mail is refused")


def _look_at_server(place: Place, server: SmtpServer | Pop3Server) -> Iterator[Finding]:
    if server.security is Security.NONE and server.username is not None and not is_loopback(server.host):
        yield _warn((*place, "security"), "the password crosses the network unprotected")
    usual = _USUAL_SECURITY.get(server.port, server.security)
    if server.security is not Security.NONE and server.security is not usual:
        yield _warn((*place, "security"), f'port {server.port} usually means security = "{usual}"')


def is_internal(address: Address) -> bool:
    """Tell whether an address has a domain that only the office knows, so that no provider can deliver to it."""
    domain = ascii_domain(address.domain)
    return domain.endswith(_INTERNAL) or ("." not in domain and not domain.startswith("["))


def _warn(place: Place, reason: str) -> Finding:
    return Finding(place=place, reason=reason, warning=True)
