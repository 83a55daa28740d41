"""Whose an account is that is added: found, or asked before anything else is."""

from collections.abc import Mapping, Sequence
from typing import Any

from relay.cli.interview import Interview, fill_in
from relay.escaping import printable
from relay.first_steps import reading, texts


def choose_owner(person: Interview, users: Sequence[Mapping[str, Any]], address: str, given: object) -> str | None:
    """Return the user who is named, whose address it is, or the only one; else ask. None: there is no user.

    `users`: the [[user]] tables. Raises click.UsageError where nobody can be asked, or a name is nobody's.
    """
    names = [str(user.get("name")) for user in users]
    if given is None:
        for user in users:
            if address.lower() in (str(one).lower() for one in (user.get("address"), *user.get("aliases", ()))):
                return str(user.get("name"))
        if len(names) <= 1:
            return names[0] if names else None
    question = fill_in(texts.OWNER, names=printable(", ".join(names)))
    named = None if given is None else str(given)
    return person.ask(question, reading.one_of(names), option="--owner", given=named)
