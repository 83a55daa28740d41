"""`relay quarantine`: mail whose user's inbox could not be used, and the ways out."""

import click

from relay.admin.requests import DeleteQuarantined, DeliverQuarantined, ListQuarantine, ShowQuarantined
from relay.cli import Group
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, json_option
from relay.cli.output import Column
from relay.cli.telling import ask, tell

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
def list_(config: str | None, *, as_json: bool) -> None:
    """List what is there, and what mends it.

    The oldest comes first.
    """
    tell(ask(config, ListQuarantine(), reads=True), columns=_COLUMNS, as_json=as_json)


@command.command("show")
@config_option
@json_option
@click.argument("id", type=Text())
def show(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Show one mail, why it is there, and its way out."""
    tell(ask(config, ShowQuarantined(id=id), reads=True), as_json=as_json, single=True)


@command.command("deliver")
@config_option
@click.option("--to", "to", required=True, type=Text(), metavar="USER", help="Into whose inbox.")
@click.option("--all", "everything", is_flag=True, help="All mail that was meant for this user.")
@click.argument("ids", nargs=-1, metavar="[ID]...", type=Text())
def deliver(config: str | None, *, to: str, everything: bool, ids: tuple[str, ...]) -> None:
    """Put mail into a user's inbox.

    It need not have been meant for this user. The service may run meanwhile. What is interrupted is ended by the same
    command, and nothing comes twice.
    """
    if bool(ids) == everything:
        raise click.UsageError("name the mails by their ids, or take --all: one of the two")
    tell(ask(config, DeliverQuarantined(to=to, ids=ids)))


@command.command("delete")
@config_option
@click.option("--yes", is_flag=True, help="Do it without a question.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=Text())
def delete(config: str | None, *, yes: bool, ids: tuple[str, ...]) -> None:
    """Delete mail for good.

    Each is shown before; its text is not kept anywhere.
    """
    tell(ask(config, DeleteQuarantined(ids=ids, yes=yes)))
