"""`relay reload`: what SIGHUP does, with an answer."""

import sys

import click

from relay.cli.configuration import MISUSED, config_option, enter, fail, load, plain_faults
from relay.cli.output import say

_PATIENCE = 60.0
"""Seconds: names of hosts are looked up, and a reload that runs already ends first."""


@click.command("reload")
@config_option
@plain_faults
def command(config: str | None) -> None:
    """Make the running service take over a changed relay.toml. With a mistake in it, the old one stays as a whole."""
    from relay.control.client import ask

    settings = load(config)
    enter(settings)
    answer = ask(settings.folder, "reload", patience=_PATIENCE)
    if answer is None:
        fail(f"The service is not running ({settings.folder}): start it with `systemctl start relay` or `relay serve`")
    for mistake in answer.get("mistakes", ()):
        say(mistake, error=True)
    if answer.get("mistakes"):
        say("Nothing was changed: the service goes on with what it had.", error=True)
        sys.exit(MISUSED)
    say("The service has read the configuration anew.")
