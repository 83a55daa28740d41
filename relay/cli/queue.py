"""`relay queue`: what waits, and what a postmaster does with it."""

import click

from relay.admin.requests import Filter, ListMails, RunQueue, ShowMails
from relay.cli.asking import ask
from relay.cli.choosing import Text, filter_options
from relay.cli.configuration import config_option, json_option, plain_faults
from relay.cli.groups import Group
from relay.cli.output import JsonList, say
from relay.cli.queue_change import carry_out, delete, hold, move, release, retry
from relay.cli.trace import tell
from relay.rules.states import State


@click.group("queue", cls=Group)
def command() -> None:
    """List, show, run, retry, hold, release, move or delete queued mail."""


@command.command("list", short_help="List mails and how each stands.")
@config_option
@json_option
@filter_options(State.WAITING, State.ACTIVE, State.HELD)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=200, show_default=True)
@plain_faults
def list_(
    config: str | None,
    *,
    as_json: bool,
    chosen: Filter,
    limit: int,
) -> None:
    """List mails, the newest first: since when, to whom, how each stands and why.

    What is open is listed: waiting, active (being sent) and held; with --state or --all also what is delivered (handed
    over to the provider for all recipients), failed (nobody gets it) or partly (some have it).
    """
    printed = JsonList()
    mails = 0
    for said in ask(config, ListMails(filter=chosen, limit=limit), reads=True):
        if said.name == "MailPage":
            page = said.part("mails", list)
            mails += len(page)
            if not as_json:
                from relay.admin.answers import MailPage
                from relay.cli.mail_table import print_mails

                print_mails(said.read(MailPage))
                continue
            for mail in page:
                printed.add(mail)
        else:
            if as_json:
                printed.end()
            nothing = said.part("nothing", str)
            if nothing and (chosen.is_narrow or not as_json):
                say(nothing, error=as_json)
            if not as_json:
                from relay.admin.answers import ListEnd

                notes = said.read(ListEnd).notes
                for line in (*[f"(the newest {limit:,}; --limit shows more)"] * (mails == limit), *notes):
                    say(line)


@command.command("show", short_help="Show one mail with its recipients.")
@config_option
@json_option
@click.argument("id", type=Text())
@plain_faults
def show(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Show one mail: how it was routed, its recipients, and what each got. `relay trace` tells its history as well."""
    tell(config, ShowMails(id=id), as_json=as_json)


@command.command("run", short_help="Try all waiting mails now, at any hour.")
@config_option
@plain_faults
def run(config: str | None) -> None:
    """Try everything that is queued now, at any hour; paused accounts stay paused, and what is held stays held."""
    carry_out(config, RunQueue(), serves=True)


for change in (retry, hold, release, move, delete):
    command.add_command(change)
