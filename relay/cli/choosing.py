"""How commands choose mails: by their ids, or many by what they have in common, with a look at them before."""

import difflib
import functools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from relay.cli.configuration import fail
from relay.cli.output import confirm_many, print_table, say, show_span
from relay.escaping import printable

if TYPE_CHECKING:
    from relay.model.account import Directory
    from relay.storage.admin import Selection
    from relay.storage.engine import Database

_STATES = ("queued", "active", "held", "done")
_LONGEST = 1000
"""Characters of an argument."""
_SHOWN = 10
"""Mails of a preview."""
_PEOPLE = 3
"""Recipients of each of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """What the options of a command say."""

    states: tuple[str, ...]
    account: str | None = None
    user: str | None = None
    older: int | None = None
    """Milliseconds."""
    to: str | None = None
    everything: bool = False
    default: tuple[str, ...] = ()

    @property
    def given(self) -> bool:
        """Whether any option chooses mails."""
        return self.everything or bool(self.states or self.account or self.user or self.older or self.to)

    def check(self, engine: "Database", directory: "Directory") -> None:
        """End with status 1 where an account or a user is named that neither the configuration nor a mail knows."""
        from relay.storage.admin import is_known

        for what, name, known in (
            ("account", self.account, [account.name for account in directory.accounts]),
            ("user", self.user, [user.name for user in directory.users]),
        ):
            if name is not None and name not in known and not is_known(engine, what, name):
                fail(unknown(what, name, known))

    def selection(self) -> "Selection":
        """Give what the storage understands."""
        from relay.storage.admin import Selection

        return Selection(
            states=self.states or self.default,
            account=self.account,
            user=self.user,
            before=None if self.older is None else time.time_ns() // 1_000_000 - self.older,
            recipient=self.to,
        )


class Text(click.ParamType[str]):
    """An argument of one line: what can be stored, compared and shown."""

    name = "TEXT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take a text of at most 1,000 characters without control characters, in the terminal's encoding."""
        text = str(value)
        if len(text) > _LONGEST:
            self.fail(f"has {len(text)} characters, at most {_LONGEST} are taken", param, ctx)
        if printable(text) != text:
            self.fail(f"holds what can't be shown: {printable(text)}", param, ctx)
        return text


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such account or user, with the nearest name that there is, and all of them."""
    names = list(known)
    near = difflib.get_close_matches(name.lower(), [one.lower() for one in names], n=1)
    hint = next((f"did you mean {one!r}? " for one in names if one.lower() in near), "")
    return f"there is no {what} {name!r}; {hint}there are: {', '.join(names) or 'none'}"


class _Span(click.ParamType[int]):
    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from relay.settings.quantities import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def filter_options(
    *default: str, every: bool = False, account: str = "--account"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of a filter to a command, which gets them as `chosen`; `default` are the states that it sees."""
    options = [
        click.option("--state", "states", type=click.Choice(_STATES if not every else default), multiple=True,
                     help=f"Only these; default: {', '.join(default)}."),
        click.option(account, "of_account", type=Text(), metavar="NAME", help="Only mail of this account."),
        click.option("--user", type=Text(), metavar="NAME", help="Only mail that this user submitted."),
        click.option("--older", type=_Span(), help='Only mail that came so long ago: "2 h", "3 days".'),
        click.option("--to", type=Text(), metavar="PATTERN", help='Only mail to such addresses: "*@example.net".'),
    ]  # fmt: skip
    if every:
        options.append(click.option("--all", "everything", is_flag=True, help="All of them."))

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(
            *,
            states: tuple[str, ...],
            of_account: str | None,
            user: str | None,
            older: int | None,
            to: str | None,
            everything: bool = False,
            **rest: Any,  # noqa: ANN401 - whatever else the command takes
        ) -> Any:  # noqa: ANN401
            chosen = Filter(
                states=states, account=of_account, user=user, older=older, to=to, everything=everything, default=default
            )
            return function(chosen=chosen, **rest)

        for option in reversed(options):
            run = option(run)
        return run

    return decorate


def choose(
    engine: "Database",
    directory: "Directory",
    ids: tuple[str, ...],
    chosen: Filter,
    what: str,
    *,
    yes: bool,
    ask: bool = False,
) -> list[str]:
    """Give the mails that are meant. Many that a filter chose are shown first, and asked about; `ask`: ids as well."""
    from relay.storage import admin

    if bool(ids) == chosen.given:
        raise click.UsageError("name the mails by their ids, or choose them by options: one of the two")
    chosen.check(engine, directory)
    if ids:
        found = list(dict.fromkeys(one for text in ids for one in admin.find_messages(engine, text)))
        if ask:
            confirm_many(f"{what} {len(found)} mails", yes=yes)
        return found
    found = admin.select_messages(engine, chosen.selection())
    if found and not yes:
        _preview(engine, found)
        confirm_many(f"{what} these {len(found)} mails", yes=yes)
    return found


def _preview(engine: "Database", ids: list[str]) -> None:
    """Show the first of them, whole: a change is one of the mail, for all of its recipients who still wait."""
    from relay.storage import admin

    now = time.time_ns() // 1_000_000
    rows = []
    for message_id in ids[:_SHOWN]:
        mail = admin.show_message(engine, message_id)
        waiting = [delivery for delivery in mail.deliveries if delivery.state != "done"]
        people = [r.address for delivery in waiting for r in delivery.recipients if r.outcome == "pending"]
        rows.append(
            (
                mail.id,
                ", ".join(sorted({delivery.state for delivery in waiting})),
                show_span(now - mail.received_at),
                ", ".join(sorted({delivery.account or "inbox" for delivery in waiting})),
                _shorten(people),
                mail.subject[:40],
            )
        )
    print_table(("Queue id", "State", "Age", "Account", "To all of", "Subject"), rows, empty="")
    if len(ids) > _SHOWN:
        say(f"... {len(ids)} mails in all")


def _shorten(people: list[str]) -> str:
    shown = ", ".join(people[:_PEOPLE])
    return shown if len(people) <= _PEOPLE else f"{shown} and {len(people) - _PEOPLE} more"
