"""`relay queue retry`, `hold`, `release`, `move` and `delete`: for mails by their ids, or for many by a filter."""

from collections.abc import Callable
from typing import Any, Final

import click

from relay.admin.requests import Action, ChangeMails, Filter
from relay.cli.asking import ask
from relay.cli.choosing import Text, filter_options
from relay.cli.configuration import config_option
from relay.cli.table import Column
from relay.cli.telling import tell
from relay.rules.states import State

COLUMNS: Final = (
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
_SERVES: Final = (Action.RETRY, Action.RELEASE)
"""Of these the command is the service until nothing more is due, where none runs."""


def _change(action: Action, short_help: str, *states: State, account: str = "--account") -> Callable[[Any], Any]:
    """Make a command of a function, whose docstring is its help."""

    def decorate(function: Callable[[], None]) -> click.Command:
        def run(config: str | None, *, ids: tuple[str, ...], chosen: Filter, yes: bool, to_account: str = "") -> None:
            request = ChangeMails(action=action, filter=chosen, ids=ids, account=to_account, yes=yes)
            tell(ask(config, request, serves=action in _SERVES), columns=COLUMNS)

        run.__doc__ = function.__doc__
        command = click.argument("ids", nargs=-1, metavar="[ID]...", type=Text())(run)
        command = filter_options(*states, every=True, account=account)(command)
        if action is Action.MOVE:
            command = click.option(
                "--account", "to_account", required=True, type=Text(), metavar="NAME",
                help="Through which account they are to leave.",
            )(command)  # fmt: skip
        command = click.option("--yes", is_flag=True, help="Do it without a question.")(command)
        return click.command(str(action), short_help=short_help)(config_option(command))

    return decorate


@_change(Action.RETRY, "Try these mails now, at any hour.", State.WAITING)
def retry() -> None:
    """Try these mails now, at any hour. Many are done in steps, so that the service can go on meanwhile."""


@_change(Action.HOLD, "Stop these mails until release or delete.", State.WAITING)
def hold() -> None:
    """Hold these mails until `release` or `delete`. Many are done in steps, so that the service can go on meanwhile."""


@_change(Action.RELEASE, "Let stopped mails go on, at once.", State.HELD)
def release() -> None:
    """Release held mails: they are tried now, and their time to give up begins anew.

    What is held since its account is excluded or gone stays held: `move` gives it another. Many are done in steps, so
    that the service can go on meanwhile.
    """


@_change(Action.MOVE, "Send these mails by another account.", State.WAITING, State.HELD, account="--from-account")
def move() -> None:
    """Let these mails leave through another account, with its address as the sender. What is held stays held.

    What goes into an inbox, and what is being delivered, is not moved. Many are done in steps, so that the service can
    go on meanwhile.
    """


@_change(Action.DELETE, "Delete these mails for good.", State.WAITING, State.HELD)
def delete() -> None:
    """Delete these mails for good, with no notice to anybody.

    A mail is deleted whole: for all of its recipients who still wait, also where `--to` names only one of them.
    `relay trace` goes on knowing it. What is being delivered is not deleted. Many are done in steps, so that the
    service can go on meanwhile.
    """
