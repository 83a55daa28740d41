"""`relay account`: the provider accounts, what waits for each, and which are paused."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from relay.admin.answers import AccountList
from relay.admin.requests import ListAccounts, PauseAccount
from relay.admin.words import unknown
from relay.cli.asking import ask
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, enter, fail, json_option, load, plain_faults
from relay.cli.groups import Group
from relay.cli.output import clean, print_json, say
from relay.cli.queue_change import carry_out
from relay.cli.table import Column, print_list

if TYPE_CHECKING:
    from relay.model.account import Account, Pop3Server, SmtpServer
    from relay.settings import Settings
    from relay.upstream.probe import Step


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
    import asyncio

    from relay.accounts.credentials import Credentials
    from relay.upstream.probe import probe_pop3, probe_smtp

    settings = load(config, secrets=True)
    chosen = _require(settings, account)
    if settings.folder.exists():  # it may be tried before there is a service
        enter(settings, serves=True)  # what the service can't read, this command is not to log in with
    if chosen.smtp is None and chosen.pop3 is None:
        fail(f"account[{chosen.name}] has neither [account.smtp] nor [account.pop3]: there is nothing to test")
    steps: list[tuple[str, Step]] = []
    if chosen.smtp is not None:
        if not as_json:
            say(f"Sending: {_name_server(chosen.smtp)}, account[{chosen.name}].smtp")
        tried = probe_smtp(chosen, chosen.smtp, Credentials.of(chosen.smtp), hostname=settings.hostname)
        steps += _tell("smtp", asyncio.run(tried), quiet=as_json)
    if chosen.pop3 is not None:
        if not as_json:
            say(f"Collecting: {_name_server(chosen.pop3)}, account[{chosen.name}].pop3")
        tried = probe_pop3(chosen, chosen.pop3, Credentials.of(chosen.pop3))
        steps += _tell("pop3", asyncio.run(tried), quiet=as_json)
    if as_json:
        print_json(
            [
                {"server": which, "step": one.name, "good": one.good, "text": one.text, "advice": one.advice}
                for which, one in steps
            ]
        )
    if not all(step.good for _, step in steps):
        fail(f"{account} does not work yet: mend what FAILED, in {settings.path}, and test it again")
    if not as_json:
        say(f"{account} works" + (", but is excluded: nothing is sent or collected" if chosen.excluded else ""))


def _name_server(server: "SmtpServer | Pop3Server") -> str:
    return f'{server.host} port {server.port}, security = "{server.security}"'


def _tell(which: str, steps: "Sequence[Step]", *, quiet: bool) -> "list[tuple[str, Step]]":
    """Tell the steps to people, unless `quiet`, and give them with the server's kind."""
    for step in () if quiet else steps:
        say(f"  {'ok    ' if step.good else 'FAILED'} {step.name}" + (f": {clean(step.text)}" if step.text else ""))
        for line in textwrap.wrap(clean(step.advice), _WIDE, break_long_words=False, break_on_hyphens=False):
            say(f"{'':9}{line}")
    return [(which, step) for step in steps]


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


def _require(settings: "Settings", account: str) -> "Account":
    found = settings.directory.account(account)
    if found is None:
        fail(unknown("account", account, (a.name for a in settings.directory.accounts)))
    return found
