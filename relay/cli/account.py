"""`relay account`: the provider accounts, what waits for each, and which are paused; who signs in for them."""

import sys
from typing import Final

import click

from relay.admin.requests import ListAccounts, PauseAccount, TryAccount
from relay.cli import Group
from relay.cli.account_editing import add, edit, remove_
from relay.cli.authorizing import authorize
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, enter, json_option
from relay.cli.output import Column
from relay.cli.telling import ask, print_answers, tell

COLUMNS: Final = (
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
    """List, add, edit, remove, authorize, test, pause or resume provider accounts."""


for _one in (add, edit, remove_, authorize):
    command.add_command(_one)


@command.command("list", short_help="List accounts: whether each sends and collects.")
@config_option
@json_option
def list_(config: str | None, *, as_json: bool) -> None:
    """List the accounts in the order of the rules: whether each sends and is collected, and what waits for it."""
    tell(ask(config, ListAccounts(), reads=True), columns=COLUMNS, as_json=as_json)


@command.command("test", short_help="Log in to its servers, and say what works.")
@config_option
@json_option
@click.option("--all", "everything", is_flag=True, help="Test all accounts, one provider after the other.")
@click.option("--round-trip", is_flag=True, help="Then send a mail to the account itself, and fetch it back.")
@click.argument("account", type=Text(), required=False, default="")
def test(config: str | None, *, as_json: bool, everything: bool, round_trip: bool, account: str) -> None:
    """Log in to the account's servers and say step by step what works; nothing is sent, fetched or deleted.

    The provider is also asked whether it lets the account's address send, and what is in the mailbox. A login that was
    refused is not tried again; with --all, nothing more is tried at a provider that has refused one.

    With --round-trip, one mail is sent, fetched back and deleted, and what has changed of it is said; no other mail is
    touched. That takes up to two minutes.
    """
    if everything and account:
        raise click.UsageError("give either an ACCOUNT or --all")
    if not everything and not account:
        context = click.get_current_context()
        (argument,) = (one for one in context.command.params if one.name == "account")
        raise click.MissingParameter(ctx=context, param=argument, param_hint="'ACCOUNT'")
    request = TryAccount(account=account, everything=everything, round_trip=round_trip)
    if status := run_test(config, request, as_json=as_json):
        sys.exit(status)


def run_test(config: str | None, request: TryAccount, *, as_json: bool = False) -> int:
    """Test accounts in this process, and show each step; return the status. Raises RelayError.

    Root becomes the storage folder's owner: what the service can't read, a test is not to log in with.
    """
    from relay.admin.desk import answer
    from relay.cli.alone import open_room

    room = open_room(config, serves=True, makes=True)
    if room.settings.folder.exists():  # it may be tried before there is a service
        enter(room.settings, serves=True)
    return print_answers(answer(room, request), as_json=as_json)


@command.command("pause", short_help="Send nothing through an account until resume.")
@config_option
@click.argument("account", type=Text())
def pause(config: str | None, account: str) -> None:
    """Send nothing through this account until `resume`; its mail is taken and kept, and nothing expires."""
    tell(ask(config, PauseAccount(account=account)))


@command.command("resume", short_help="End a pause.")
@config_option
@click.argument("account", type=Text())
def resume(config: str | None, account: str) -> None:
    """End an account's pause, also one that a refused login began."""
    tell(ask(config, PauseAccount(account=account, resume=True)))
