"""`relay queue`: what waits, and what a postmaster does with it."""

from typing import Final

import click

from relay.admin.requests import Action, ChangeMails, Filter, ListMails, RunQueue, ShowMails
from relay.cli import Group
from relay.cli.choosing import Text, filter_options
from relay.cli.configuration import config_option, json_option
from relay.cli.output import Column
from relay.cli.telling import ask, tell
from relay.model.state import State

_STEPS: Final = "Many are done in steps, so that the service can go on meanwhile."
_WAY: Final = "Through which account they are to leave."
_COLUMNS: Final = (
    Column(title="Queue id"),
    Column(title="Age"),
    Column(title="To", least=14, wish=24),
    Column(title="How it stands", least=28, wish=56, most=80),
    Column(title="Account", least=8, most=20, optional=1),
    Column(title="User", least=6, most=16, optional=3),
    Column(title="Subject", least=12, optional=2),
    Column(title="Size", optional=4),
)
"""Of a table of mails: one line a mail, whose id is always whole."""
_CHANGES: Final = {
    Action.RETRY: ("Try these mails now, at any hour.", (State.WAITING,), "Try these mails now, at any hour."),
    Action.HOLD: (
        "Stop these mails until release or delete.",
        (State.WAITING,),
        "Hold these mails until `release` or `delete`.",
    ),
    Action.RELEASE: (
        "Let stopped mails go on, at once.",
        (State.HELD,),
        (
            "Release held mails: they are tried now, and their time to give up begins anew.\n\n"
            "What is held since its account is excluded or gone stays held: `move` gives it another."
        ),
    ),
    Action.MOVE: (
        "Send these mails by another account.",
        (State.WAITING, State.HELD),
        (
            "Let these mails leave through another account, with its address as the sender. What is held stays held."
            "\n\nWhat goes into an inbox, and what is being delivered, is not moved."
        ),
    ),
    Action.DELETE: (
        "Delete these mails for good.",
        (State.WAITING, State.HELD),
        (
            "Delete these mails for good, with no notice to anybody.\n\n"
            "A mail is deleted whole: for all of its recipients who still wait, also where `--to` names only one of"
            " them. `relay trace` goes on knowing it. What is being delivered is not deleted."
        ),
    ),
}
"""Of each change, for mails by their ids or for many by a filter: its short help, which states it sees, its help."""


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
    tell(ask(config, ListMails(filter=chosen, limit=limit), reads=True), columns=_COLUMNS, as_json=as_json)


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


def _add_change(action: Action, short_help: str, states: tuple[State, ...], text: str) -> None:
    def run(config: str | None, *, ids: tuple[str, ...], chosen: Filter, yes: bool, to_account: str = "") -> None:
        request = ChangeMails(action=action, filter=chosen, ids=ids, account=to_account, yes=yes)
        # To try mails the command is the service until nothing more is due, where none runs.
        tell(ask(config, request, serves=action in (Action.RETRY, Action.RELEASE)), columns=_COLUMNS)

    moves = action is Action.MOVE
    change = click.argument("ids", nargs=-1, metavar="[ID]...", type=Text())(run)
    change = filter_options(*states, every=True, account="--from-account" if moves else "--account")(change)
    if moves:
        account = click.option("--account", "to_account", required=True, type=Text(), metavar="NAME", help=_WAY)
        change = account(change)
    change = click.option("--yes", is_flag=True, help="Do it without a question.")(change)
    command.command(str(action), short_help=short_help, help=f"{text} {_STEPS}")(config_option(change))


for _action, _told in _CHANGES.items():
    _add_change(_action, *_told)
