"""The passwords of users that a backup without secrets has emptied, and what gives them anew.

Guarantee: the service does not start with one, since the rule who may send could become another one; a command that
changes the configuration is not kept from its work by one that was empty before.
"""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from relay.settings.blanking import is_blank
from relay.settings.document import Table
from relay.settings.errors import Finding, Place
from relay.settings.login_sources import Lenience

_KEY: Final = "password_hash"
NOBODY: Final = f"{_KEY} of any user"
"""Name of what is missing where a listener wants a login that nobody has."""


def find_lost_passwords(root: Table) -> Iterator[str]:
    """Give what is missing of the users' passwords, by the names that a `Lenience` covers."""
    yield from map(_name, _find_blank(root))
    if not has_password(root) and any(listener.flag("require_auth") for listener in root.tables("listener")):
        yield NOBODY


def find_password_commands(root: Table) -> Iterator[tuple[Place, str]]:
    """Give the place of each password that is empty, and the command that gives it anew."""
    return (((*user.place, _KEY), _command(user)) for user in _find_blank(root))


def has_password(root: Table) -> bool:
    """Return whether a user has a password, be it empty."""
    return any(user.has(_KEY) for user in root.tables("user"))


def check_passwords(root: Table, lenience: Lenience) -> Iterator[Finding]:
    """Find the passwords that are empty; one that may be is a warning."""
    for user in _find_blank(root):
        reason = (
            f'is empty, as after a restore without secrets: "{_command(user)}" asks for a new password; of a user who'
            " never logs in here, take this line out"
        )
        yield Finding((*user.place, _KEY), reason, warning=_name(user) in lenience.names)


def without_blank(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a document without empty passwords of users, so that the rest of it can be validated."""
    empty = {user.place[-1] for user in _find_blank(Table(content=document))}
    if not empty:
        return document
    users = [
        {key: value for key, value in user.items() if key != _KEY} if n in empty else user
        for n, user in enumerate(document["user"])
    ]
    return {**document, "user": users}


def _find_blank(root: Table) -> Iterator[Table]:
    """Give the users with an empty password; one without a name has a mistake that is told first."""
    return (user for user in root.tables("user") if user.text("name") and is_blank(user.content.get(_KEY)))


def _name(user: Table) -> str:
    return f"{_KEY} of {user.text('name')}"


def _command(user: Table) -> str:
    return f"relay user password {shlex.quote(user.text('name') or '')}"
