"""`relay check`: the configuration, proven."""

import click

from relay.cli.configuration import config_option, json_option, load, plain_faults, warn_of_owner
from relay.cli.output import print_json, say


@click.command("check")
@config_option
@json_option
@plain_faults
def command(config: str | None, *, as_json: bool) -> None:
    """Read the configuration and name every mistake in it, one a line; nothing is started."""
    from dataclasses import replace

    from relay.model.errors import StorageError

    settings = load(config, secrets=True)
    if settings.folder.is_dir():
        try:
            settings = warn_of_owner(settings)
        except StorageError as error:  # it says nothing against the configuration itself
            settings = replace(settings, warnings=(*settings.warnings, str(error)))
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
