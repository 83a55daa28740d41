"""`relay reload`: what SIGHUP does, with an answer."""

import click

from relay.admin.requests import Reload
from relay.cli.configuration import config_option
from relay.cli.telling import ask, tell


@click.command("reload")
@config_option
def command(config: str | None) -> None:
    """Make the running service take over a changed relay.toml. With a mistake in it, the old one stays as a whole."""
    tell(ask(config, Reload()))
