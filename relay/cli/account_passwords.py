"""Passwords of accounts that are added or changed: asked for, and put into files of their own.

So no password is ever an argument of a command, which everybody on the machine could see.
"""

import contextlib
import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from relay.cli.account_oauth import wants_client_secret
from relay.cli.account_options import SERVERS, Changes
from relay.cli.editing import Options, ask_secret, read_text
from relay.cli.output import say

LOGINS: Final = ("password", "password_file", "password_env", "password_command")
Rehearse = Callable[[dict[Any, Any]], None]
Ask = Callable[[str], str]
"""Returns a secret; it is called with what is asked for, such as "Password of anna"."""
_GOOGLE: Final = ("gmail", "google")
_APP_PASSWORD: Final = re.compile(r"[a-z]{4}(?:\s[a-z]{4}){3}")


def join_app_password(secret: str, preset: object, language: str = "en") -> str:
    """Return a secret; an app password of Google without the blanks with which its page shows it, and say so."""
    if preset not in _GOOGLE or not _APP_PASSWORD.fullmatch(secret.strip()):
        return secret
    from relay.first_steps import texts

    say(texts.BLANKS_GONE.by(language))
    return "".join(secret.split())


class _Password(NamedTuple):
    """By which key, and value of it, a server has a password."""

    key: str
    value: str
    told: str = ""
    """The file that it was put into."""


@dataclass
class _Asking:
    """Asks for the passwords of one account, and makes the files for them."""

    path: Path
    name: str
    options: Options
    made: contextlib.ExitStack
    """Removes the files again."""
    files: dict[Path, str] = field(default_factory=dict, repr=False)
    """Files that are there, and what is to be put into them."""
    preset: object = None
    """The provider, as the account's table names it."""
    rehearses: bool = False
    """Whether nobody is asked: what is wrong otherwise is to be said first."""
    is_wanted: bool = False
    """Whether there is a secret to be asked for."""
    ask: Ask = ask_secret

    def choose(self, place: str, *, what: str = "Password", own: str = "") -> _Password:
        """Take the file that is named, or ask for a password and put it where it belongs.

        `place`: "pop3" for one of the mailbox alone, else empty. `own`: a file that has the account's old one alone.
        """
        from relay.editing.secret_files import require_line

        if self.options["password_file"] and not place:
            return _Password("password_file", str(Path(self.options["password_file"]).absolute()))
        if self.rehearses:
            return self._pretend("password_file")
        own = "" if self.options["inside"] else own
        secret = self._ask(f"{what} of {self.name}{' (mailbox)' if place else ''}", own)
        secret = join_app_password(secret, self.preset)
        require_line(secret)
        if self.options["inside"]:
            return _Password("password", secret)
        return self._keep(f"{self.name}.pop3" if place else self.name, secret, "password_file", own)

    def client_secret(self, oauth: Mapping[str, Any], *, again: bool = False, own: str = "") -> _Password | None:
        """Ask for the secret of a client, where it needs one that nothing in `[account.oauth]` gives.

        `again`: for another one in any case; `own`: a file that has the old one alone.
        """
        if not again and not wants_client_secret(oauth):
            return None
        if self.rehearses:
            return self._pretend("client_secret_file")
        secret = self._ask(f"{'New client' if again else 'Client'} secret of {self.name}", own)
        return self._keep(f"{self.name}.client", secret, "client_secret_file", own)

    def _pretend(self, key: str) -> _Password:
        self.is_wanted = True
        return _Password(key, "is asked for")

    def _ask(self, what: str, own: str) -> str:
        """Ask for a secret, once it is known that the file that has the old one can be written."""
        from relay.editing.place import require_place

        if own:
            require_place(_resolve(self.path, own))
        return self.ask(what)

    def _keep(self, name: str, secret: str, key: str, own: str) -> _Password:
        """Put a secret into the file that has the old one, later, or into a new file at once."""
        from relay.editing.secret_files import new_secret, require_line

        if own:
            require_line(secret)
            self.files[_resolve(self.path, own)] = secret
            return _Password(key, own, own)
        file = str(self.made.enter_context(new_secret(self.path, name, secret)))
        return _Password(key, file, file)

    def replace(self) -> None:
        """Put new passwords into the files that are there."""
        from relay.editing.secret_files import replace_secret

        for file, secret in self.files.items():
            replace_secret(file, secret)


@contextlib.contextmanager
def new_passwords(
    path: Path,
    name: str,
    values: dict[str, Any],
    options: Options,
    servers: Sequence[str],
    rehearse: Rehearse,
    *,
    ask: Ask = ask_secret,
) -> Iterator[str]:
    """Put the passwords of a new account where they belong, and say where; what was made goes where the body fails.

    `servers`: those that want a login; the secret of a client goes the same way. `rehearse`: raises what is against
    the account's table, before anything is asked.
    """

    def place(asking: _Asking, values: dict[str, Any]) -> str:
        wanting = [one for one in servers if not any(key in values[one] for key in LOGINS)]
        said = ""
        for where, mine in _share(wanting, apart=options["pop3_password"]):
            chosen = asking.choose(where)
            said = said or (chosen.told and f", and its password in {chosen.told}")
            for server in mine:
                values[server][chosen.key] = chosen.value
        if secret := asking.client_secret(values.get("oauth", {})):
            values["oauth"][secret.key] = secret.value
            said = f", and the client's secret in {secret.told}"
        return said

    with contextlib.ExitStack() as made:
        asking = _Asking(path, name, options, made, preset=values.get("preset"), rehearses=True, ask=ask)
        place(asking, tried := copy.deepcopy(values))
        if asking.is_wanted:
            rehearse(tried)
        asking.rehearses = False
        yield place(asking, values)


def _share(servers: Sequence[str], *, apart: bool) -> Iterator[tuple[str, list[str]]]:
    """Give which servers have a password together; the second group, if there is one, is the mailbox's."""
    groups = {"": [one for one in servers if not (apart and one == "pop3")]}
    groups["pop3"] = [one for one in servers if one not in groups[""]]
    return ((place, mine) for place, mine in groups.items() if mine)


def password_files(table: Mapping[str, Any]) -> Iterator[str]:
    """Give the files that have an account's passwords, as its table names them."""
    return (table[one]["password_file"] for one in SERVERS if "password_file" in table.get(one, {}))


@contextlib.contextmanager
def other_passwords(
    path: Path, name: str, table: Mapping[str, Any], options: Options, oauth: Mapping[str, Any], rehearse: Rehearse
) -> Iterator[Any]:
    """Give the changes that another password is, what is to be done once they are made, and what is to be said.

    `oauth`: how the account logs in from now on, where it did not before. `rehearse`: raises what is against such
    changes, before anything is asked.
    """
    from relay.settings.oauth_checks import SECRET_SOURCES

    alone = options["pop3_password"]
    shared = options["password"] or options["password_file"]
    wanting = [one for one in SERVERS if one in table and (shared or (alone and one == "pop3"))]
    before, again = table.get("oauth", {}), options["client_secret"]

    def place(asking: _Asking) -> tuple[Changes, str]:
        changes: Changes = {}
        said = ""
        for where, mine in _share(wanting, apart=alone):
            own = _own_file(path, name, table, mine, "password_file")
            chosen = asking.choose(where, what="New password", own=own)
            said = f"; the new password is in {chosen.told}" if chosen.told else said
            for server in mine:
                changes |= {(server, one): None for one in LOGINS if one in table[server] and one != chosen.key}
                changes[server, chosen.key] = chosen.value
        own = _own_file(path, name, table, ["oauth"], "client_secret_file") if again and before else ""
        if secret := asking.client_secret(oauth, again=again, own=own):
            changes |= {("oauth", one): None for one in SECRET_SOURCES if one in before and one != secret.key}
            changes["oauth", secret.key] = secret.value
            said = f"; the client's secret is in {secret.told}"
        return changes, said

    with contextlib.ExitStack() as made:
        asking = _Asking(path, name, options, made, preset=table.get("preset"), rehearses=True)
        tried, _ = place(asking)
        if asking.is_wanted:
            rehearse(tried)
        asking.rehearses = False
        changes, said = place(asking)
        yield changes, asking.replace, said


def _own_file(path: Path, name: str, table: Mapping[str, Any], tables: Sequence[str], key: str) -> str:
    """Return the file that these tables of one account name by a key, and no others; empty: there is none."""
    from relay.editing.tables import list_tables

    files = {table[one].get(key) for one in tables}
    file = files.pop()
    if files or not file:
        return ""
    users = {
        (account.get("name"), one)
        for account in list_tables(read_text(path), "account")
        for one in (*SERVERS, "oauth")
        if account.get(one, {}).get(key) == file
    }
    is_own = users == {(name, one) for one in tables} and _resolve(path, file).is_file()
    return str(file) if is_own else ""


def _resolve(path: Path, file: str) -> Path:
    """Return what a relative name in the configuration is relative to."""
    from relay.places import find_storage

    return (find_storage(path) or path.absolute().parent) / file
