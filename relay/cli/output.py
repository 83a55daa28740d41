"""How commands print: lines and tables for people, JSON for programs. Nothing of a stranger reaches a terminal raw."""

import json
import sys
from collections.abc import Sequence

import click

from relay.admin.words import count as count  # noqa: PLC0414 - commands find here all that they print with
from relay.admin.words import show_size as show_size  # noqa: PLC0414
from relay.escaping import printable


def print_json(value: object) -> None:
    """Print JSON; whatever is not ASCII is escaped."""
    click.echo(json.dumps(value, indent=2))


class JsonPrinter:
    """Prints a list as `print_json` does, but item by item, so that nobody holds all of them; `single`: in no list."""

    def __init__(self, *, single: bool = False) -> None:
        self._single = single
        self._begun = False

    def add(self, items: Sequence[object]) -> None:
        """Print some items."""
        for one in items:
            if self._single:
                print_json(one)
            else:
                click.echo(("," if self._begun else "[") + "\n" + json.dumps([one], indent=2)[2:-2], nl=False)
                self._begun = True

    def end(self) -> None:
        """Print the end."""
        if not self._single:
            click.echo("\n]" if self._begun else "[]")


def say(text: str = "", *, error: bool = False) -> None:
    """Print one line, whatever the text holds; `error`: to standard error."""
    click.echo(printable(text), err=error)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print names and values below each other; values that are empty are left out.

    A value may have several lines: those after the first stand below it, where no name can stand.
    """
    shown = [(name, value.split("\n")) for name, value in facts if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, lines in shown:
        for n, line in enumerate(lines):
            say(f"{'' if n else name:<{width}}  {line}")


def confirm_many(what: str, *, yes: bool, unasked: str = "") -> None:
    """Ask before something that can't be undone; where nobody is there, end the command, with the words `unasked`."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(printable(unasked or f"{what}: add --yes to do it without a question"))
    click.confirm(printable(f"{what}?"), abort=True)
