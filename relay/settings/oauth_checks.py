"""Checks `[account.oauth]` as a whole: what a provider does not offer, and the other way; and where a token may go."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from relay.presets.preset import hosts_of_issuer
from relay.rules.oauth_provider import needs_secret, takes_secret
from relay.settings.document import SERVER_TABLES, Table
from relay.settings.errors import Finding
from relay.settings.hosts import is_loopback

SECRET_SOURCES: Final = ("client_secret", "client_secret_file", "client_secret_env", "client_secret_command")
_SHARED: Final = ("common", "organizations", "consumers")
"""Microsoft's words for "any tenant"; an app belongs to one."""
_PERSONAL: Final = re.compile(r"(?:outlook|hotmail|live|msn|passport)\.[a-z.]{2,6}", re.IGNORECASE)
_GMAIL: Final = ("gmail.com", "googlemail.com")
_TITLES: Final = {"microsoft": "Microsoft", "google": "Google"}
"""Issuers whose servers are known."""
_URLS: Final = ("token_url", "device_url", "authorize_url")
_ONLY_CUSTOM: Final = (*_URLS, "scopes")


def check_oauth(account: Table) -> Iterator[Finding]:
    """Find what can't be together in an account's `[account.oauth]`, and what is missing there."""
    table = account.table("oauth")
    if not table.content:
        return
    provider, flow = table.text("provider"), table.text("flow")
    sources = [key for key in SECRET_SOURCES if table.has(key)]
    if len(sources) > 1:
        yield Finding(table.place, f"{' and '.join(sources)}: only one of them can hold: delete the others")
    if not any(account.has(kind) for kind in SERVER_TABLES):
        yield Finding(table.place, "is for nothing: the account has neither [account.smtp] nor [account.pop3]")
    if table.has("secret_expires") and not sources:
        yield Finding((*table.place, "secret_expires"), "there is no client_secret that could end: delete this line")
    if table.has("certificate") and not table.has("private_key"):
        yield _missing(table, "private_key", 'the certificate\'s key, a PEM file: private_key = "FILE"')
    if provider != "custom":
        for key in _ONLY_CUSTOM:
            if table.has(key):
                reason = f'is known for provider = "{provider}": delete this line (it is a key of provider = "custom")'
                yield Finding((*table.place, key), reason)
    check = {"microsoft": _check_microsoft, "google": _check_google, "custom": _check_custom}.get(provider or "")
    yield from _check_servers(account, provider)
    if check is not None and flow in ("device", "browser", "app"):
        yield from check(table, flow, _domain(table.text("user") or account.text("address") or ""))


def foreign_hosts(provider: str | None, hosts: Iterable[str]) -> list[str]:
    """Return those hosts to which a provider's tokens must not go, since they are not its own; loopback may be a proxy.

    Of "custom" nothing is known, so that nothing is foreign.
    """
    if provider not in _TITLES:
        return []
    own = hosts_of_issuer(provider)
    return [one for one in hosts if one.lower().removesuffix(".") not in own and not is_loopback(one)]


def say_foreign(provider: str) -> str:
    """Say of a host why it gets no token, and what to do."""
    title, known = _TITLES[provider], ", ".join(sorted(hosts_of_issuer(provider)))
    return (
        f"is no server of {title}, and a token of {title} opens the mailbox to whoever gets it: write one of {title}'s"
        f" ({known}); a server of somebody else takes a password, or the tokens of its own issuer (provider ="
        ' "custom")'
    )


def _check_servers(account: Table, provider: str | None) -> Iterator[Finding]:
    """Check that a token goes to its provider's servers alone, encrypted, to a certificate that is verified."""
    for kind in SERVER_TABLES:
        server = account.table(kind)
        host = server.text("host")
        if host is None or is_loopback(host):
            continue
        for _ in foreign_hosts(provider, [host]):
            yield Finding((*server.place, "host"), say_foreign(provider or ""))
        if server.text("security") == "none":
            reason = 'a token must not cross the network in clear: delete this line, or write "starttls" or "tls"'
            yield Finding((*server.place, "security"), reason)
        if server.content.get("verify") is False:
            reason = (
                "a token may go to a server with a verified certificate alone: delete this line; an authority of one's"
                ' own is named by ca_file = "FILE"'
            )
            yield Finding((*server.place, "verify"), reason)


def _check_microsoft(table: Table, flow: str, domain: str) -> Iterator[Finding]:
    tenant = table.text("tenant")
    if flow == "app":
        if _PERSONAL.fullmatch(domain) or tenant == "consumers":
            reason = (
                "Microsoft lets no app into personal accounts (outlook.com, hotmail, live): a person must sign in, with"
                ' flow = "device" or "browser"'
            )
            yield Finding((*table.place, "flow"), reason)
        elif tenant is None:
            example = 'an app belongs to one directory: tenant = "example.com" or its "Directory (tenant) ID"'
            yield _missing(table, "tenant", example)
        elif tenant in _SHARED:
            reason = (
                'an app belongs to one directory: the "Directory (tenant) ID" of its registration must stand here, or a'
                ' domain of it; or flow = "device" or "browser"'
            )
            yield Finding((*table.place, "tenant"), reason)
    yield from _check_proof(table, flow)


def _check_google(table: Table, flow: str, domain: str) -> Iterator[Finding]:
    if table.has("tenant"):
        yield Finding((*table.place, "tenant"), 'is a key of provider = "microsoft": delete this line')
    if flow == "device":
        reason = (
            "Google refuses its device login to programs that read or send mail (invalid_scope): use flow ="
            ' "browser"; or flow = "app" with a service account in Google Workspace; or a password for apps in'
            " [account.smtp] and [account.pop3]"
        )
        yield Finding((*table.place, "flow"), reason)
    elif flow == "browser":
        if needs_secret("google", flow) and not any(table.has(key) for key in SECRET_SOURCES):
            example = 'Google gives a client of the kind "Desktop app" one beside its id: client_secret_file = "FILE"'
            yield _missing(table, "client_secret", example)
        if table.has("private_key") or table.has("certificate"):
            key = "certificate" if table.has("certificate") else "private_key"
            yield Finding((*table.place, key), 'is for flow = "app" alone: delete this line, or change flow')
    else:
        yield from _check_service_account(table, domain)


def _check_service_account(table: Table, domain: str) -> Iterator[Finding]:
    if domain in _GMAIL:
        reason = (
            "a service account may act for the users of a Google Workspace alone, and this is a personal address: use"
            ' flow = "browser"'
        )
        yield Finding((*table.place, "flow"), reason)
    if not table.has("private_key"):
        example = 'the file of the service account\'s key, which Google gives as JSON: private_key = "FILE"'
        yield _missing(table, "private_key", example)
    if table.has("certificate") or any(table.has(key) for key in SECRET_SOURCES):
        key = next(key for key in ("certificate", *SECRET_SOURCES) if table.has(key))
        yield Finding((*table.place, key), "a service account of Google has a private_key alone: delete this line")
    client = table.text("client_id")
    if client and "@" not in client:
        reason = (
            "must be the address of the service account (client_email in its JSON file, ends with gserviceaccount.com)"
        )
        yield Finding((*table.place, "client_id"), reason)


def _check_custom(table: Table, flow: str, _domain: str) -> Iterator[Finding]:
    if table.has("tenant"):
        yield Finding((*table.place, "tenant"), 'is a key of provider = "microsoft": delete this line')
    needed = {"token_url": True, "device_url": flow == "device", "authorize_url": flow == "browser"}
    for key, is_needed in needed.items():
        if is_needed and not table.has(key):
            example = f'flow = "{flow}" needs it: {key} = "https://login.provider.example/..."'
            yield _missing(table, key, example)
    yield from _check_proof(table, flow)


def _check_proof(table: Table, flow: str) -> Iterator[Finding]:
    """Check what the client proves itself by: an app must, where a person signs in it may have a secret."""
    provider, has_secret = table.text("provider") or "", any(table.has(key) for key in SECRET_SOURCES)
    if needs_secret(provider, flow) and not has_secret and not table.has("certificate"):
        example = 'an app proves itself by client_secret_file = "FILE", or by certificate and private_key'
        yield _missing(table, "client_secret", example)
    if has_secret and table.has("certificate"):
        reason = "client_secret and certificate: only one of them can hold: delete the other"
        yield Finding((*table.place, "certificate"), reason)
    if table.has("private_key") and not table.has("certificate"):
        example = 'the certificate of the private_key, as the provider knows it: certificate = "FILE"'
        yield _missing(table, "certificate", example)
    if not takes_secret(provider, flow) and (has_secret or table.has("certificate")):
        key = next(key for key in (*SECRET_SOURCES, "certificate") if table.has(key))
        reason = (
            'a device login is one of a public client, which has no secret: delete this line, and set "Allow public'
            ' client flows" to Yes in the registration'
        )
        yield Finding((*table.place, key), reason)


def _missing(table: Table, key: str, example: str) -> Finding:
    return Finding((*table.place, key), f"missing: {example}")


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
