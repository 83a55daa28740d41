"""What to set in mail programs and scanners, by the listeners of a configuration."""

from collections.abc import Iterator, Sequence
from typing import Final

from relay.first_steps import end_texts
from relay.model.account import User
from relay.presets.preset import Words
from relay.settings import Listener, ListenerTls, Settings
from relay.settings.hosts import is_loopback

_ALL: Final = ("0.0.0.0", "::")  # noqa: S104 - they are compared, and mean all addresses
_SECURITY: Final = {ListenerTls.STARTTLS: "STARTTLS", ListenerTls.IMPLICIT: "SSL/TLS"}


def describe_programs(settings: Settings, user: User, address: str, own: Sequence[str] = ()) -> Iterator[str]:
    """Say what to set in Thunderbird, in Outlook and in a scanner, in the office's language, a paragraph each.

    `user`: whose mail program it is; `address`: what it sends as; `own`: this machine's addresses in its networks,
    for who can't find it by name.
    """
    language = settings.language
    chosen = None
    open_to_office = [one for one in settings.listeners if not is_loopback(one.host)]
    if not open_to_office:
        port = str(settings.listeners[0].port)
        yield end_texts.ONLY_HERE.by(language).format(port=port)
    else:
        host = settings.hostname
        if own:
            addresses = f" {end_texts.OR.by(language)} ".join(own)
            host = end_texts.OR_ADDRESS.by(language).format(host=host, addresses=addresses)
        if len(settings.listeners) > 1:
            yield from (_listener(one, host, language) for one in settings.listeners)
        plain = next((one for one in open_to_office if not one.require_auth), None)
        login = next((one for one in open_to_office if one.require_auth), None)
        has_password = user.password_hash is not None
        chosen = login if login is not None and (has_password or plain is None) else plain
        if chosen is not None:
            yield from _programs(chosen, host, user, language)
        if plain is not None:
            scanner = end_texts.STARTTLS_OR_NONE if plain.tls is ListenerTls.STARTTLS else _security(plain)
            yield end_texts.SCANNER.by(language).format(
                host=host, port=plain.port, scanner=scanner.by(language), address=address, name=user.name
            )
        if any(one.tls is not ListenerTls.NONE for one in open_to_office):
            yield end_texts.TRUST.by(language)
    is_collected = any(account.is_collected for account in settings.directory.accounts)
    if is_collected:
        yield end_texts.INBOXES.by(language).format(folder=settings.inboxes / user.name, host=settings.hostname)
    if user.password_hash is None and (is_collected or (chosen is not None and chosen.require_auth)):
        needed = end_texts.INBOX_PASSWORD if is_collected else end_texts.LOGIN_NEEDS_PASSWORD
        yield needed.by(language).format(name=user.name)


def _listener(listener: Listener, host: str, language: str) -> str:
    return end_texts.LISTENER.by(language).format(
        port=listener.port,
        host=host if listener.host in _ALL else listener.host,
        security=_security(listener).by(language),
        login=(end_texts.WITH_LOGIN if listener.require_auth else end_texts.WITHOUT_LOGIN).by(language),
        networks=", ".join(map(str, listener.networks)),
    )


def _programs(listener: Listener, host: str, user: User, language: str) -> Iterator[str]:
    security = _security(listener).by(language)
    by_login = listener.require_auth
    yield end_texts.THUNDERBIRD.by(language).format(
        host=host,
        port=listener.port,
        thunderbird=security,
        method=(end_texts.METHOD_PASSWORD if by_login else end_texts.METHOD_NONE).by(language),
        user=end_texts.AS_USER.by(language).format(name=user.name) if by_login else "",
    )
    yield end_texts.OUTLOOK.by(language).format(
        host=host,
        port=listener.port,
        outlook=security,
        login=(end_texts.LOGIN_PASSWORD if by_login else end_texts.LOGIN_NONE).by(language).format(name=user.name),
    )


def _security(listener: Listener) -> Words:
    name = _SECURITY.get(listener.tls)
    return end_texts.NONE if name is None else Words(name, name)
