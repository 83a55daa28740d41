"""How commands choose mails: by their ids, or many by what they have in common."""

import functools
from collections.abc import Callable
from typing import Any

import click

from relay.admin.requests import Filter
from relay.escaping import printable
from relay.model.state import State

_OLD_STATES = {"queued": ("waiting",), "done": ("delivered", "failed", "partly")}
"""What earlier releases called them."""
_FIELDS = ("states", "account", "user", "older", "since", "until", "to", "everything")
"""Of a filter: each has its option."""
_LONGEST = 1000
"""Characters of an argument."""


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

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str | None:
        """Tell where the missing word can be found."""
        shown = (param.human_readable_name or "").upper()
        if "ID" in shown.split("...")[0]:
            quarantine = ctx is not None and ctx.parent is not None and ctx.parent.info_name == "quarantine"
            return f"`relay {'quarantine' if quarantine else 'queue'} list` shows the ids"
        if "ACCOUNT" in shown:
            return "`relay account list` shows the names"
        return None


class _Span(click.ParamType[int]):
    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from relay.settings.quantities import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(f'{error}, or "2 h"', param, ctx)


class _State(click.ParamType[State]):
    """One of some states; an unknown one is refused with the nearest that is known."""

    name = "STATE"

    def __init__(self, choices: tuple[State, ...]) -> None:
        self._choices = choices

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's
        return f"[{'|'.join(self._choices)}]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> State:
        text = str(value).lower()
        if text in self._choices:
            return State(text)
        names = [str(one) for one in self._choices]
        near = [one for one in _OLD_STATES.get(text, ()) if one in names]
        import difflib

        if not near and text not in list(State):  # what is a state was meant as that
            near = difflib.get_close_matches(text, names, n=1, cutoff=0.4)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        what = "is no state that can be chosen here" if text in list(State) else "is no state"
        message = f"{printable(str(value)[:100])!r} {what}; {hint}there are: {', '.join(names)}"
        raise click.BadParameter(message, ctx, param)


def filter_options(
    *default: State, every: bool = False, account: str = "--account"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of a filter to a command, which gets them as `chosen`; `default` are the states that it sees."""
    options = [
        click.option("--state", "states", type=_State(default if every else tuple(State)), multiple=True,
                     help=f"Only these, may be given several times; default: {', '.join(default)}."),
        click.option(account, "account", type=Text(), metavar="NAME", help="Only mail of this account."),
        click.option("--user", type=Text(), metavar="NAME", help="Only mail that this user submitted."),
        click.option("--older", type=_Span(), help='Only mail that came so long ago: "2 h", "3 days".'),
        click.option("--since", type=Text(), metavar="TIME",
                     help='Only mail that came since then: "2 h", "14:30", "yesterday", "2026-11-27 14:30".'),
        click.option("--until", type=Text(), metavar="TIME",
                     help="Only mail that came until then; a day counts whole. Times are the office's."),
        click.option("--to", type=Text(), metavar="PATTERN", help='Only mail to such addresses: "*@example.net".'),
        click.option("--all", "everything", is_flag=True,
                     help="All of them." if every else "Whatever its state, also what is done."),
    ]  # fmt: skip

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(**given: Any) -> Any:  # noqa: ANN401 - the filter's, and whatever else the command takes
            chosen = {name: given.pop(name) for name in _FIELDS}
            if chosen["everything"] and chosen["states"] and not every:
                raise click.UsageError("--all and --state: one of the two")
            return function(chosen=Filter(**chosen, default=default, lists=not every), **given)

        for option in reversed(options):
            run = option(run)
        return run

    return decorate
