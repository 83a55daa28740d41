"""`relay trace`: the whole life of one mail."""

import click

from relay.admin.requests import ShowMails
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, json_option
from relay.cli.telling import ask, tell


@click.command("trace")
@config_option
@json_option
@click.argument("id", type=Text())
def command(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Tell the whole life of one mail, whether it went out or came in.

    ID is any that a command or the log prints: a queue id (its beginning is enough), a delivery id, a provider's unique
    id, or a Message-ID, with or without its angle brackets. A mail that went out and came back is told in both
    directions.
    """
    tell(ask(config, ShowMails(id=id, whole=True), reads=True), as_json=as_json)
