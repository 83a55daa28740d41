"""How commands choose mails: by their ids, or many by what they have in common, with a look at them before."""

import datetime as dt
import difflib
import functools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from relay.cli.configuration import fail
from relay.cli.output import confirm_many, count, say, show_time
from relay.escaping import printable
from relay.rules.states import State

if TYPE_CHECKING:
    from relay.model.account import Directory
    from relay.settings import Settings
    from relay.storage.admin import Selection
    from relay.storage.engine import Database
    from relay.storage.listing import MailFilter

_OLD_STATES = {"queued": ("waiting",), "done": ("delivered", "failed", "partly")}
"""What earlier releases called them."""
_LONGEST = 1000
"""Characters of an argument."""
_SHOWN = 10
"""Mails of a preview."""
_PEOPLE = 5
"""Recipients of each of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """What the options of a command say; times in milliseconds."""

    states: tuple[State, ...]
    account: str | None = None
    user: str | None = None
    older: int | None = None
    since: str | None = None
    until: str | None = None
    to: str | None = None
    everything: bool = False
    default: tuple[State, ...] = ()
    lists: bool = False
    """Whether it is for a list, whose `everything` is also what is done."""

    @property
    def looks_back(self) -> bool:
        """Whether mails are wanted of which nothing waits any more."""
        return (self.lists and self.everything) or any(not state.is_open for state in self.states)

    @property
    def given(self) -> bool:
        """Whether any option chooses mails."""
        return self.everything or self.is_narrow

    @property
    def is_narrow(self) -> bool:
        """Whether any option leaves mails out."""
        return bool(self.states or self.account or self.user or self.older or self.since or self.until or self.to)

    def check(self, engine: "Database", directory: "Directory") -> None:
        """End with status 1 where an account or a user is named that neither the configuration nor a mail knows."""
        from relay.storage.admin import is_known

        for what, name, known in (
            ("account", self.account, [account.name for account in directory.accounts]),
            ("user", self.user, [user.name for user in directory.users]),
        ):
            if name is not None and name not in known and not is_known(engine, what, name):
                fail(unknown(what, name, known))

    def selection(self, now: int, zone: dt.tzinfo) -> "Selection":
        """Give what the storage understands of what is to be changed: deliveries that are open."""
        from relay.storage.admin import Selection
        from relay.storage.listing import DELIVERY_STATES

        since, until = self._times(now, zone)
        return Selection(
            states=[DELIVERY_STATES[state] for state in self.states or self.default],
            account=self.account,
            user=self.user,
            since=since,
            before=until,
            recipient=self.to,
        )

    def mails(self, now: int, zone: dt.tzinfo) -> "MailFilter":
        """Give what the storage understands of what is to be listed."""
        from relay.storage.listing import MailFilter

        since, until = self._times(now, zone)
        states = tuple(State) if self.lists and self.everything else self.states or self.default
        return MailFilter(
            states=states, account=self.account, user=self.user, since=since, until=until, recipient=self.to
        )

    def _times(self, now: int, zone: dt.tzinfo) -> tuple[int | None, int | None]:
        since = _moment("--since", self.since, now, zone, end=False)
        until = _moment("--until", self.until, now, zone, end=True)
        if since is not None and until is not None and since >= until:
            raise click.UsageError(
                f"--since {self.since!r} ({show_time(since)}) is not before --until {self.until!r} ({show_time(until)})"
            )
        older = None if self.older is None else now - self.older
        return since, min([one for one in (until, older) if one is not None], default=None)


def _moment(option: str, text: str | None, now: int, zone: dt.tzinfo, *, end: bool) -> int | None:
    from relay.rules.moments import parse_moment

    if text is None:
        return None
    try:
        return parse_moment(text, now=now, zone=zone, end=end)
    except ValueError as error:
        raise click.UsageError(f"Invalid value for '{option}': {text!r}: {error}") from None


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
        click.option(account, "of_account", type=Text(), metavar="NAME", help="Only mail of this account."),
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
        def run(
            *,
            states: tuple[State, ...],
            of_account: str | None,
            user: str | None,
            older: int | None,
            since: str | None,
            until: str | None,
            to: str | None,
            everything: bool,
            **rest: Any,  # noqa: ANN401 - whatever else the command takes
        ) -> Any:  # noqa: ANN401
            if everything and states and not every:
                raise click.UsageError("--all and --state: one of the two")
            chosen = Filter(
                states=states, account=of_account, user=user, older=older, since=since, until=until, to=to,
                everything=everything, default=default, lists=not every,
            )  # fmt: skip
            return function(chosen=chosen, **rest)

        for option in reversed(options):
            run = option(run)
        return run

    return decorate


def choose(
    engine: "Database",
    settings: "Settings",
    ids: tuple[str, ...],
    chosen: Filter,
    what: str,
    *,
    yes: bool,
    ask: bool = False,
    unasked: str = "",
) -> list[str]:
    """Give the mails that are meant. Many that a filter chose are shown first, and asked about; `ask`: ids as well.

    `unasked`: what is said, with {mails} and {them}, where nobody is there to answer.
    """
    from relay.storage import admin

    if bool(ids) == chosen.given:
        raise click.UsageError(
            "name the mails by their ids, which `relay queue list` shows, or choose them by options such as --account,"
            " --to or --all: one of the two"
        )
    chosen.check(engine, settings.directory)
    now = time.time_ns() // 1_000_000
    if ids:
        found = list(dict.fromkeys(one for text in ids for one in admin.find_messages(engine, text)))
    else:
        found = admin.select_messages(engine, chosen.selection(now, settings.hours.timezone))
        if not found and chosen.is_narrow:
            say(nothing_matches(engine, chosen), error=True)
    if found and not yes and (ask or not ids):
        _preview(engine, settings, found, now)
        these = "this mail" if len(found) == 1 else f"these {count(len(found), 'mail')}"
        said = unasked.format(mails=count(len(found), "mail"), them="it" if len(found) == 1 else "them")
        confirm_many(f"{what} {these}", yes=yes, unasked=said)
    return found


def nothing_matches(engine: "Database", chosen: Filter) -> str:
    """Say that a filter matches no mail, and how many there are without it."""
    from relay.storage.listing import count_mails

    finished = any(not state.is_open for state in chosen.states) or (
        chosen.everything and State.DELIVERED not in chosen.default
    )
    counts = count_mails(engine, finished=finished)
    total = counts.pop("all", None)
    told = [
        f"{number:,} {text if number == 1 else texts}"
        for state, (text, texts) in _COUNTED.items()
        if (number := counts.get(state, 0))
    ]
    if total is not None:
        told.append(f"{count(total, 'mail')} {'is' if total == 1 else 'are'} known in all")
    if not chosen.is_narrow:
        return "No mail is known yet." if chosen.looks_back else "The queue is empty: nothing waits."
    more = " `--all` looks among what is done, too." if chosen.lists and not finished and not chosen.states else ""
    return f"No mail matches; {', '.join(told) or 'nothing waits'}.{more}"


_COUNTED = {
    State.WAITING: ("waits", "wait"),
    State.ACTIVE: ("is being sent", "are being sent"),
    State.HELD: ("is stopped", "are stopped"),
}


def _preview(engine: "Database", settings: "Settings", ids: list[str], now: int) -> None:
    """Show the first of them, whole: a change is one of the mail, for all of its recipients who still wait."""
    from relay.cli.mail_table import print_mails
    from relay.cli.standing import find_standstill
    from relay.storage.listing import read_mails

    mails = read_mails(engine, ids[:_SHOWN])
    print_mails(mails, find_standstill(engine, settings, now), now)
    for mail in mails:
        people = [one.address for way in mail.deliveries for one in way.recipients if one.outcome == "pending"]
        if len(people) > 1:
            rest = f" and {len(people) - _PEOPLE} more" if len(people) > _PEOPLE else ""
            say(f"{mail.id} waits for {', '.join(people[:_PEOPLE])}{rest}")
    if len(ids) > _SHOWN:
        say(f"... {count(len(ids), 'mail')} in all")
