"""`relay account`: the provider accounts, what waits for each, and which are paused."""

import textwrap
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from relay.admin.words import unknown
from relay.cli.alone import tell_if_stopped
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, enter, fail, json_option, load, open_storage, plain_faults
from relay.cli.groups import Group
from relay.cli.output import clean, print_json, say
from relay.model.account import Account, Pop3Server, SmtpServer
from relay.settings import Settings

if TYPE_CHECKING:
    from relay.upstream.probe import Step


_WIDE = 71
"""Characters of a line of advice: with its indentation 80."""


@click.group("account", cls=Group)
def command() -> None:
    """List, test, pause or resume provider accounts."""


@command.command("list", short_help="List accounts: whether each sends and collects.")
@config_option
@json_option
@plain_faults
def list_(config: str | None, *, as_json: bool) -> None:
    """List the accounts in the order of the rules: whether each sends and is collected, and what waits for it."""
    from relay.cli.account_list import gather, show, to_json

    settings = load(config)
    if not settings.directory.accounts:
        if as_json:
            print_json([])
        say(f"There is no account yet: add an [[account]] to {settings.path}, then: relay check", error=as_json)
        return
    now = time.time_ns() // 1_000_000
    lines = gather(settings, open_storage(settings), now=now)
    if as_json:
        print_json([to_json(line) for line in lines])
    else:
        show(lines, now=now)
    tell_if_stopped(settings)


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


def _name_server(server: SmtpServer | Pop3Server) -> str:
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
    from relay.storage import admin

    settings = load(config)
    _require(settings, account)
    admin.pause_account(open_storage(settings), account, now=time.time_ns() // 1_000_000)
    _tell_service(settings)
    say(f"{account} is paused")


@command.command("resume", short_help="End a pause.")
@config_option
@click.argument("account", type=Text())
@plain_faults
def resume(config: str | None, account: str) -> None:
    """End an account's pause, also one that a refused login began."""
    from relay.storage import admin

    settings = load(config)
    _require(settings, account)
    if not admin.resume_account(open_storage(settings), account, now=time.time_ns() // 1_000_000):
        fail(f"{account} is not paused; `relay account list` says how it stands")
    _tell_service(settings)
    say(f"the pause of {account} is over; `relay account list` says whether it works")


def _require(settings: Settings, account: str) -> Account:
    found = settings.directory.account(account)
    if found is None:
        fail(unknown("account", account, (a.name for a in settings.directory.accounts)))
    return found


def _tell_service(settings: Settings) -> None:
    from relay.control.client import ControlError, ask

    try:
        ask(settings.folder, "look")
    except ControlError as error:  # it is written down, and the service looks by itself
        say(f"{error}; it takes this up within a minute", error=True)
