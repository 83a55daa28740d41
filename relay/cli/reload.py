"""`relay reload`: what SIGHUP does, with an answer."""

import sys

import click

from relay.admin.answers import Reloaded
from relay.admin.requests import Reload
from relay.cli.asking import ask
from relay.cli.configuration import MISUSED, config_option, plain_faults
from relay.cli.output import say


@click.command("reload")
@config_option
@plain_faults
def command(config: str | None) -> None:
    """Make the running service take over a changed relay.toml. With a mistake in it, the old one stays as a whole."""
    for said in ask(config, Reload()):
        mistakes = said.read(Reloaded).mistakes
        for mistake in mistakes:
            say(mistake, error=True)
        if mistakes:
            say("Nothing was changed: the service goes on with what it had.", error=True)
            sys.exit(MISUSED)
        say("The service has read the configuration anew.")
