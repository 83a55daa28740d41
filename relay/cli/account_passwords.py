"""Passwords of accounts that are added or changed: asked for, and put into files of their own.

So no password is ever an argument of a command, which everybody on the machine could see.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from relay.cli.account_oauth import wants_client_secret
from relay.cli.editing import Options, ask_secret, read_text
from relay.cli.provider import SERVERS

LOGINS: Final = ("password", "password_file", "password_env", "password_command")


@contextlib.contextmanager
def new_passwords(
    path: Path, name: str, values: dict[str, Any], options: Options, servers: Sequence[str]
) -> Iterator[str]:
    """Put the passwords of a new account where they belong, and say where; what was made goes where the body fails.

    `servers`: those that want a login. The secret of a client goes the same way.
    """
    asked = [one for one in servers if not any(key in values[one] for key in LOGINS)]
    said = ""
    with contextlib.ExitStack() as made:
        for place, mine in _share(asked, apart=options["pop3_password"]):
            if options["password_file"] and not place:
                key, value = "password_file", str(Path(options["password_file"]).absolute())
            else:
                secret = ask_secret(f"Password of {name}{' (mailbox)' if place else ''}")
                key, value = _place(made, path, f"{name}.pop3" if place else name, secret, inside=options["inside"])
                said = f", and its password in {value}" if key == "password_file" and not said else said
            for server in mine:
                values[server][key] = value
        for key, value in _new_client_secret(made, path, name, values.get("oauth", {})):
            values["oauth"][key] = value
            said = f", and the client's secret in {value}"
        yield said


def _new_client_secret(
    made: contextlib.ExitStack, path: Path, name: str, oauth: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Ask for the secret of a client where it needs one; return the key that names its file."""
    if not wants_client_secret(oauth):
        return []
    return [("client_secret_file", _place(made, path, f"{name}.client", ask_secret(f"Client secret of {name}"))[1])]


def _share(servers: list[str], *, apart: bool) -> list[tuple[str, list[str]]]:
    """Give which servers have a password together; the second group, if there is one, is the mailbox's."""
    if apart and "pop3" in servers:
        return [("", [one for one in servers if one != "pop3"]), ("pop3", ["pop3"])][len(servers) == 1 :]
    return [("", servers)] if servers else []


def _place(made: contextlib.ExitStack, path: Path, name: str, secret: str, *, inside: bool = False) -> tuple[str, str]:
    """Return the key, and its value, by which a server has a password."""
    from relay.editing.secret_files import new_secret

    if inside:
        return "password", secret
    return "password_file", str(made.enter_context(new_secret(path, name, secret)))


def password_files(table: Mapping[str, Any]) -> Iterator[str]:
    """Give the files that have an account's passwords, as its table names them."""
    return (table[one]["password_file"] for one in SERVERS if "password_file" in table.get(one, {}))


@contextlib.contextmanager
def other_passwords(
    path: Path, name: str, table: Mapping[str, Any], options: Options, oauth: Mapping[str, Any]
) -> Iterator[Any]:
    """Give the changes that another password is, what is to be done once they are made, and what is to be said.

    `oauth`: how the account logs in from now on, where it did not before.
    """
    from relay.editing.secret_files import replace_secret, require_line

    changes: dict[tuple[str, ...], object] = {}
    files: dict[Path, str] = {}

    def later() -> None:
        for file, secret in files.items():
            replace_secret(file, secret)

    servers = [one for one in SERVERS if one in table]
    wanted = [("", servers if options["password"] or options["password_file"] else [])]
    if options["pop3_password"]:
        wanted = [("", [one for one in wanted[0][1] if one != "pop3"]), ("pop3", ["pop3"])]
    said = ""
    with contextlib.ExitStack() as made:
        for place, mine in wanted:
            if not mine:
                continue
            if options["password_file"] and not place:
                key, value = "password_file", str(Path(options["password_file"]).absolute())
            else:
                secret = ask_secret(f"New password of {name}{' (mailbox)' if place else ''}")
                require_line(secret)
                old = {table[one].get("password_file") for one in mine}
                if len(old) == 1 and (file := old.pop()) and not options["inside"] and _is_own(path, file, name, mine):
                    files[_resolve(path, file)] = secret
                    said = f"; the new password is in {file}"
                    continue
                key, value = _place(made, path, f"{name}.pop3" if place else name, secret, inside=options["inside"])
                said = f"; the new password is in {value}" if key == "password_file" else said
            for server in mine:
                changes |= {(server, one): None for one in LOGINS if one in table[server] and one != key}
                changes[server, key] = value
        for key, value in _new_client_secret(made, path, name, oauth):
            changes["oauth", key] = value
            said = f"; the client's secret is in {value}"
        yield changes, later, said


def _is_own(path: Path, file: str, name: str, servers: list[str]) -> bool:
    """Return whether a password's file belongs to these servers of one account alone."""
    import tomllib

    document = tomllib.loads(read_text(path).removeprefix("\ufeff"))
    users = [
        (account.get("name"), server)
        for account in document.get("account", ())
        for server in SERVERS
        if account.get(server, {}).get("password_file") == file
    ]
    return set(users) == {(name, server) for server in servers} and _resolve(path, file).is_file()


def _resolve(path: Path, file: str) -> Path:
    """Return what a relative name in the configuration is relative to."""
    from relay.places import find_storage

    return (find_storage(path) or path.absolute().parent) / file
