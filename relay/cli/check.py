"""`relay check`: the configuration, proven, what a service makes of it in a few lines, and whether one runs."""

import errno
import ipaddress
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from relay.cli.configuration import MISUSED, config_option, enter, json_option, load
from relay.cli.output import count, print_json, say
from relay.clock import wall_clock

if TYPE_CHECKING:
    from relay.model.account import Account
    from relay.settings import Listener, Settings
    from relay.watching.asking import Service

_IPV4: Final = 4
_MOST = 10
"""Names of one line."""
_UNITS = ((86_400_000, "day"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


@click.command("check")
@config_option
@json_option
def command(config: str | None, *, as_json: bool) -> None:
    """Read the configuration and name every mistake in it, one a line; nothing is started.

    If it is good, say what the service does with it, and whether one is running. A password that is missing is a
    warning: it stops its account alone. Root is told as well of each file that who owns the storage folder can't use:
    the service runs as that user.
    """
    from dataclasses import replace

    from relay.admin.unusable import find_backup_trouble, find_unusable
    from relay.model.errors import StorageError

    settings = load(config, secrets=True)
    if settings.folder.is_dir():
        try:
            mistakes, warnings = find_unusable(settings)
            warnings += find_backup_trouble(settings)
            warnings += _find_foreign(settings)
            warnings += _find_ends(settings)
        except StorageError as error:  # it says nothing against the configuration itself
            mistakes, warnings = [], [str(error)]
        for mistake in mistakes:
            say(mistake, error=True)
        if mistakes:
            sys.exit(MISUSED)
        settings = replace(settings, warnings=(*settings.warnings, *warnings))
    counts = {
        "accounts": len(settings.directory.accounts),
        "users": len(settings.directory.users),
        "devices": len(settings.directory.devices),
        "listeners": len(settings.listeners),
    }
    digest, service = _ask(settings)
    if as_json:
        warnings = list(settings.warnings)
        print_json({"file": str(settings.path), **counts, "running": str(service.running), "warnings": warnings})
        return
    for warning in settings.warnings:
        say(f"warning: {warning}")
    say(f"{settings.path}: good: " + ", ".join(count(n, name.removesuffix("s")) for name, n in counts.items()))
    for line in describe_work(settings):
        say(f"  {line}")
    say(describe_service(settings, service, digest))


def _find_ends(settings: "Settings") -> list[str]:
    """Give a warning for each account whose client secret or certificate ends soon."""
    from relay.rules.oauth_ends import DAY, FORESEEN
    from relay.watching.snapshot import look_at_files, proofs_end

    found, files, now = [], look_at_files(settings), wall_clock()
    for account in settings.directory.accounts:
        first = min(proofs_end(account, files), default=None)
        left = FORESEEN[0] + 1 if first is None else (first.at - now) // DAY
        if first is not None and left <= FORESEEN[0]:
            what, then = (
                ("certificate", "make a new one, and upload it on the provider's page of the app")
                if first.is_certificate
                else (
                    "client secret",
                    "make a new one on the provider's page of the app, and write its day as secret_expires",
                )
            )
            when = f"ends in {count(left, 'day')}" if left >= 0 else "has ended"
            found.append(f"{settings.path.name}: account[{account.name}].oauth: the {what} {when}: {then}")
    return found


def _find_foreign(settings: "Settings") -> list[str]:
    """Give a warning for each listener whose address is another machine's, or is not there yet."""
    found = []
    for n, listener in enumerate(settings.listeners, 1):
        try:
            version = ipaddress.ip_address(listener.host).version
        except ValueError:  # a name
            continue
        try:
            with socket.socket(socket.AF_INET if version == _IPV4 else socket.AF_INET6) as tried:
                tried.bind((listener.host, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                found.append(
                    f"{settings.path.name}: listener[{n}].host: {listener.host}: this machine has no such address,"
                    ' so the service can\'t listen there (`ip address` shows those that it has; "0.0.0.0" is all)'
                )
    return found


def _ask(settings: "Settings") -> "tuple[str, Service]":
    """Give a hash of the configuration's file, which may be root's alone, and what a service says of itself."""
    from relay.model.errors import StorageError
    from relay.places import digest_of
    from relay.watching.asking import Running, Service, ask_service

    digest = digest_of(settings.path)
    if not settings.folder.is_dir():
        return digest, Service(running=Running.NO)
    try:
        enter(settings)
    except StorageError as error:
        return digest, Service(running=Running.SILENT, silence=str(error))
    return digest, ask_service(settings.folder)


def describe_work(settings: "Settings") -> list[str]:
    """Tell who hands in mail where, which accounts send, and which are collected."""
    accounts = settings.directory.accounts
    lines = [_describe_listener(listener) for listener in settings.listeners]
    sending = [account.name for account in accounts if account.sends]
    lines.append(f"Sends by: {_join(sending) or 'no account, so every mail is refused'}")
    collected = [_describe_collecting(account) for account in accounts if account.is_collected]
    lines.append(f"Collects: {_join(collected, '; ') or 'nothing'}")
    excluded = [account.name for account in accounts if account.excluded]
    if excluded:
        lines.append(f"Excluded, neither sent by nor collected: {_join(excluded)}")
    lines.append(f"Inboxes: {settings.inboxes}")
    return lines + _describe_presets(settings)


def _describe_presets(settings: "Settings") -> list[str]:
    """Tell of each preset that is used what no key says: which password, what to switch on, limits."""
    from relay.cli.provider import describe_preset
    from relay.presets.preset import find_preset

    names = sorted({account.preset for account in settings.directory.accounts if account.preset is not None})
    return [words.en for preset in map(find_preset, names) if preset is not None for words in describe_preset(preset)]


def describe_service(settings: "Settings", service: "Service", digest: str) -> str:
    """Tell whether a service runs, and what makes it take over the file, whose hash on the disk is `digest`."""
    from relay.places import name_option
    from relay.watching.asking import Running

    if service.running is Running.NO and not settings.directory.accounts:
        return f"The service is not running: it waits for its first [[account]] in {settings.path}"
    if service.running is Running.NO:
        command = f"relay serve{name_option(settings.path)}"
        return f"The service is not running. Start it: systemctl start relay, or here: {command}"
    if service.running is Running.SILENT:
        return f"Whether the service runs can't be told: {service.silence}"
    if service.digest and service.digest == digest:
        return "The service is running with this configuration."
    return "The service is running. To take this configuration over: relay reload (or systemctl reload relay)"


def _describe_listener(listener: "Listener") -> str:
    how = {"none": "without TLS", "starttls": "with STARTTLS", "implicit": "with TLS"}[listener.tls]
    who = _join([str(network) for network in listener.networks])
    login = ", with a login" if listener.require_auth else ""
    return f"Takes mail at: {listener.host} port {listener.port}, {how}, from {who}{login}"


def _describe_collecting(account: "Account") -> str:
    assert account.mailbox is not None
    leave = account.mailbox.leave_on_server
    if leave is True:
        fate = "stays at the provider"
    else:
        fate = "then deleted at the provider" if leave is False else f"deleted there after {_span(leave)}"
    return f"{account.name} every {_span(account.mailbox.interval)}, {fate}"


def _span(milliseconds: int) -> str:
    size, unit = next((size, unit) for size, unit in _UNITS if milliseconds % size == 0 or size == 1000)
    number = milliseconds // size
    return count(number, unit) if unit == "day" else f"{number} {unit}"


def _join(names: Sequence[str], sign: str = ", ") -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return sign.join(names[:_MOST]) + more
