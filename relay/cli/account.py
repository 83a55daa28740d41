"""`relay account`: the provider accounts, what waits for each, and which are paused."""

import textwrap
from typing import Final

import click

from relay.admin.answers import AccountList, Note, TriedServer
from relay.admin.requests import ListAccounts, PauseAccount, TryAccount
from relay.cli.alone import open_room
from relay.cli.asking import ask, ask_here
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, enter, fail, json_option, plain_faults
from relay.cli.groups import Group
from relay.cli.output import clean, print_json, say
from relay.cli.queue_change import carry_out
from relay.cli.table import Column, print_list

_WIDE = 71
"""Characters of a line of advice: with its indentation 80."""
_COLUMNS: Final = (
    Column(title="Account", least=12),
    Column(title="Sends", most=30),
    Column(title="Collects", most=30),
    Column(title="Waiting"),
    Column(title="Held", optional=5),
    Column(title="Address", least=16, optional=1),
    Column(title="Owner", least=6, most=16, optional=2),
    Column(title="Server", least=16, most=40, optional=3),
)


@click.group("account", cls=Group)
def command() -> None:
    """List, test, pause or resume provider accounts."""


@command.command("list", short_help="List accounts: whether each sends and collects.")
@config_option
@json_option
@plain_faults
def list_(config: str | None, *, as_json: bool) -> None:
    """List the accounts in the order of the rules: whether each sends and is collected, and what waits for it."""
    for said in ask(config, ListAccounts(), reads=True):
        told = said.read(AccountList)
        if not told.accounts:
            text = f"There is no account yet: add an [[account]] to {told.configuration}, then: relay check"
            say(text, error=as_json)
        elif not as_json:
            show(told)
        if as_json:
            print_json(said.json["accounts"])


def show(told: AccountList) -> None:
    """Print the table, and below it what is wrong with each account and what helps."""
    print_list(_COLUMNS, told.rows)
    for trouble in told.troubles:
        say()
        for part in textwrap.wrap(clean(trouble), _WIDE + 5, break_long_words=False, break_on_hyphens=False):
            say(part)


@command.command("test", short_help="Log in to its servers, and say what works.")
@config_option
@json_option
@click.argument("account", type=Text())
@plain_faults
def test(config: str | None, *, as_json: bool, account: str) -> None:
    """Log in to the account's servers and say step by step what works; nothing is sent, fetched or deleted.

    The provider is also asked whether it lets the account's address send, and what is in the mailbox.
    """
    room = open_room(config, serves=True)
    if room.settings.folder.exists():  # it may be tried before there is a service
        enter(room.settings, serves=True)  # what the service can't read, this command is not to log in with
    steps, fault = [], ""
    for said in ask_here(room, TryAccount(account=account)):
        if said.name == TriedServer.__name__:
            steps += said.json["steps"]
            if not as_json:
                _show_steps(said.read(TriedServer))
        elif (note := said.read(Note)).is_fault:
            fault = note.text
        elif not as_json:
            say(note.text)
    if as_json:
        print_json(steps)
    if fault:
        fail(fault)


def _show_steps(told: TriedServer) -> None:
    for step in told.steps:
        say(f"  {'ok    ' if step.good else 'FAILED'} {step.step}" + (f": {clean(step.text)}" if step.text else ""))
        for line in textwrap.wrap(clean(step.advice), _WIDE, break_long_words=False, break_on_hyphens=False):
            say(f"{'':9}{line}")


@command.command("pause", short_help="Send nothing through an account until resume.")
@config_option
@click.argument("account", type=Text())
@plain_faults
def pause(config: str | None, account: str) -> None:
    """Send nothing through this account until `resume`; its mail is taken and kept, and nothing expires."""
    carry_out(config, PauseAccount(account=account))


@command.command("resume", short_help="End a pause.")
@config_option
@click.argument("account", type=Text())
@plain_faults
def resume(config: str | None, account: str) -> None:
    """End an account's pause, also one that a refused login began."""
    carry_out(config, PauseAccount(account=account, resume=True))
