"""`relay trace`: the whole life of one mail."""

import click

from relay.admin.requests import ShowMails
from relay.cli.asking import ask
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, json_option, plain_faults
from relay.cli.output import JsonList, print_sheet, say


@click.command("trace")
@config_option
@json_option
@click.argument("id", type=Text())
@plain_faults
def command(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Tell the whole life of one mail, whether it went out or came in.

    ID is any that a command or the log prints: a queue id (its beginning is enough), a delivery id, a provider's unique
    id, or a Message-ID, with or without its angle brackets. A mail that went out and came back is told in both
    directions.
    """
    tell(config, ShowMails(id=id, whole=True), as_json=as_json)


def tell(config: str | None, request: ShowMails, *, as_json: bool) -> None:
    """Print the mails of an id."""
    from relay.admin.answers import ToldMail

    printed = JsonList()
    for n, said in enumerate(ask(config, request, reads=True)):
        if as_json:
            outgoing = said.part("mail", dict | None) or {}
            if request.whole:
                outgoing = {"direction": "outgoing", **outgoing}
            printed.add(said.part("incoming", dict | None) or outgoing)
            continue
        if n:
            say()
        print_sheet(said.read(ToldMail).sheet)
    if as_json:
        printed.end()
