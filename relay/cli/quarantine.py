"""`relay quarantine`: mail whose user's inbox could not be used, and the ways out."""

import click

from relay.admin.answers import Quarantine, ToldQuarantined
from relay.admin.requests import DeleteQuarantined, DeliverQuarantined, ListQuarantine, ShowQuarantined
from relay.cli.asking import ask
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, json_option, plain_faults
from relay.cli.groups import Group
from relay.cli.output import print_json, print_sheet, say
from relay.cli.queue_change import carry_out
from relay.cli.table import Column, print_list

_COLUMNS = (
    Column(title="Id"),
    Column(title="Came", optional=1),
    Column(title="For", least=6),
    Column(title="From", least=10, optional=2),
    Column(title="Subject", least=10),
)


@click.group("quarantine", cls=Group)
def command() -> None:
    """List, show, deliver or delete mail whose user's inbox could not be used."""


@command.command("list")
@config_option
@json_option
@plain_faults
def list_(config: str | None, *, as_json: bool) -> None:
    """List what is there, and what mends it.

    The oldest comes first.
    """
    for said in ask(config, ListQuarantine(), reads=True):
        found = said.read(Quarantine)
        if as_json:
            print_json(said.json["mails"])
        elif not found.mails:
            say("The quarantine is empty.")
        else:
            print_list(_COLUMNS, found.rows)
            for line in ("", *found.notes):
                say(line)


@command.command("show")
@config_option
@json_option
@click.argument("id", type=Text())
@plain_faults
def show(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Show one mail, why it is there, and its way out."""
    for said in ask(config, ShowQuarantined(id=id), reads=True):
        if as_json:
            print_json(said.part("mail", dict))
        else:
            print_sheet(said.read(ToldQuarantined).sheet)


@command.command("deliver")
@config_option
@click.option("--to", "to", required=True, type=Text(), metavar="USER", help="Into whose inbox.")
@click.option("--all", "everything", is_flag=True, help="All mail that was meant for this user.")
@click.argument("ids", nargs=-1, metavar="[ID]...", type=Text())
@plain_faults
def deliver(config: str | None, *, to: str, everything: bool, ids: tuple[str, ...]) -> None:
    """Put mail into a user's inbox.

    It need not have been meant for this user. The service may run meanwhile. What is interrupted is ended by the same
    command, and nothing comes twice.
    """
    if bool(ids) == everything:
        raise click.UsageError("name the mails by their ids, or take --all: one of the two")
    carry_out(config, DeliverQuarantined(to=to, ids=ids))


@command.command("delete")
@config_option
@click.option("--yes", is_flag=True, help="Do it without a question.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=Text())
@plain_faults
def delete(config: str | None, *, yes: bool, ids: tuple[str, ...]) -> None:
    """Delete mail for good.

    Each is shown before; its text is not kept anywhere.
    """
    carry_out(config, DeleteQuarantined(ids=ids, yes=yes))
