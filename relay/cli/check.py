"""`relay check`: the configuration, proven."""

import sys

import click

from relay.cli.configuration import MISUSED, config_option, json_option, load, plain_faults
from relay.cli.output import print_json, say
from relay.cli.unusable import find_unusable


@click.command("check")
@config_option
@json_option
@plain_faults
def command(config: str | None, *, as_json: bool) -> None:
    """Read the configuration and name every mistake in it, one a line; nothing is started.

    Root is told as well of each file that who owns the storage folder can't use: the service runs as that user.
    """
    from dataclasses import replace

    from relay.model.errors import StorageError

    settings = load(config, secrets=True)
    if settings.folder.is_dir():
        try:
            mistakes, warnings = find_unusable(settings)
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
    if as_json:
        print_json({"file": str(settings.path), **counts, "warnings": list(settings.warnings)})
        return
    for warning in settings.warnings:
        say(f"warning: {warning}")
    say(f"{settings.path}: good: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
