"""`relay poll`: mailboxes collected now, with what came of it."""

import click

from relay.admin.requests import Poll
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, json_option
from relay.cli.telling import ask, tell


@click.command("poll")
@config_option
@json_option
@click.argument("account", required=False, type=Text())
def command(config: str | None, *, as_json: bool, account: str | None) -> None:
    """Collect mail from an account's mailbox now, or from all of them, at any hour.

    A running service does it and tells of its progress; without one, this command is the service for that moment.
    """
    tell(ask(config, Poll(account=account or ""), serves=True), as_json=as_json, single=True)
