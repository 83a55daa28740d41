"""`relay check`: the configuration, proven, and what a service makes of it."""

import errno
import ipaddress
import socket
import sys
from typing import TYPE_CHECKING, Final

import click

from relay.cli.configuration import MISUSED, config_option, enter, json_option, load
from relay.cli.output import count, print_json, say
from relay.cli.summary import describe_service, describe_work

if TYPE_CHECKING:
    from relay.settings import Settings
    from relay.watching.asking import Service

_IPV4: Final = 4


@click.command("check")
@config_option
@json_option
def command(config: str | None, *, as_json: bool) -> None:
    """Read the configuration and name every mistake in it, one a line; nothing is started.

    If it is good, say what the service does with it, and whether one is running. Root is told as well of each file
    that who owns the storage folder can't use: the service runs as that user.
    """
    from dataclasses import replace

    from relay.admin.unit import find_backup_trouble
    from relay.admin.unusable import find_unusable
    from relay.model.errors import StorageError

    settings = load(config, secrets=True)
    if settings.folder.is_dir():
        try:
            mistakes, warnings = find_unusable(settings)
            warnings += find_backup_trouble(settings)
            warnings += _find_foreign(settings)
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
