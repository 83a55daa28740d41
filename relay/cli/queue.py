"""`relay queue`: what waits, and what a postmaster does with it."""

import click

from relay.admin.requests import Filter, ListMails, RunQueue, ShowMails
from relay.cli.asking import ask
from relay.cli.choosing import Text, filter_options
from relay.cli.configuration import config_option, json_option
from relay.cli.groups import Group
from relay.cli.queue_change import COLUMNS, delete, hold, move, release, retry
from relay.cli.telling import tell
from relay.rules.states import State


@click.group("queue", cls=Group)
def command() -> None:
    """List, show, run, retry, hold, release, move or delete queued mail."""


@command.command("list", short_help="List mails and how each stands.")
@config_option
@json_option
@filter_options(State.WAITING, State.ACTIVE, State.HELD)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=200, show_default=True)
def list_(config: str | None, *, as_json: bool, chosen: Filter, limit: int) -> None:
    """List mails, the newest first: since when, to whom, how each stands and why.

    What is open is listed: waiting, active (being sent) and held; with --state or --all also what is delivered (handed
    over to the provider for all recipients), failed (nobody gets it) or partly (some have it).
    """
    tell(ask(config, ListMails(filter=chosen, limit=limit), reads=True), columns=COLUMNS, as_json=as_json)


@command.command("show", short_help="Show one mail with its recipients.")
@config_option
@json_option
@click.argument("id", type=Text())
def show(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Show one mail: how it was routed, its recipients, and what each got. `relay trace` tells its history as well."""
    tell(ask(config, ShowMails(id=id), reads=True), as_json=as_json)


@command.command("run", short_help="Try all waiting mails now, at any hour.")
@config_option
def run(config: str | None) -> None:
    """Try everything that is queued now, at any hour; paused accounts stay paused, and what is held stays held."""
    tell(ask(config, RunQueue(), serves=True))


for change in (retry, hold, release, move, delete):
    command.add_command(change)
