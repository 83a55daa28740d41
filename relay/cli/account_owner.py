"""`relay account add`: whose the account is, found or asked before anything else is."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from relay.escaping import printable


def choose_owner(users: Sequence[dict[str, Any]], address: str) -> str | None:
    """Return the user whose address it is, or the only one; else ask at the terminal. None: there is no user.

    `users`: the [[user]] tables. Raises click.UsageError where several are possible and nobody can be asked.
    """
    for user in users:
        if address.lower() in (str(one).lower() for one in (user.get("address"), *user.get("aliases", ()))):
            return str(user.get("name"))
    names = [str(user.get("name")) for user in users]
    if len(names) <= 1:
        return names[0] if names else None
    if not sys.stdin.isatty():
        said = f"{', '.join(names[:-1])} or {names[-1]}"
        raise click.UsageError(f"--owner is missing: {printable(said)}: whoever gets the mail of {printable(address)}")
    from relay.cli.interview import Interview, fill_in
    from relay.first_steps import reading, texts

    question = fill_in(texts.OWNER, names=printable(", ".join(names)))
    return Interview("en").ask(question, reading.one_of(names), option="--owner")
