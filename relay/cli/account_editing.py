"""`relay account add | edit | remove`: they change relay.toml and nothing else in it, and the service takes it over."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click

from relay.cli.choosing import Text
from relay.cli.configuration import config_option
from relay.cli.editing import (
    Key,
    Options,
    ask_secret,
    change,
    find_file,
    key_options,
    nest,
    read_changes,
    read_path,
    read_text,
    reload,
    remove,
)
from relay.cli.output import say

_SECURITY: Final = ("tls", "starttls", "none")
_KEPT: Final = "14 days"
"""How long collected mail stays at the provider where nobody says: a first trial must not empty a mailbox."""
_LOGINS: Final = ("password", "password_file", "password_env", "password_command")
KEYS: Final = (
    Key("--address", ("address",), "The address that it sends as."),
    Key("--owner", ("owner",), "The user whose it is; default: whose address it is, or the only user."),
    Key("--display-name", ("display_name",), "The name that is written into From."),
    Key("--smtp-host", ("smtp", "host"), "The server that sends."),
    Key("--smtp-port", ("smtp", "port"), "Default: 587, with --smtp-security tls 465.", int),
    Key("--smtp-security", ("smtp", "security"), "Default: starttls, at port 465 tls.", _SECURITY),
    Key("--smtp-username", ("smtp", "username"), "The login there; default: the address."),
    Key("--pop3-host", ("pop3", "host"), "The server whose mailbox is collected."),
    Key("--pop3-port", ("pop3", "port"), "Default: 995.", int),
    Key("--pop3-security", ("pop3", "security"), "Default: tls.", _SECURITY),
    Key("--pop3-username", ("pop3", "username"), "The login there; default: the address."),
    Key("--pop3-leave", ("pop3", "leave_on_server"), f"How long mail stays at the provider; for a new one: {_KEPT}."),
)
_SERVERS: Final = ("smtp", "pop3")

_file_option = click.option(
    "--password-file", metavar="FILE", help="The file that has the password; it stays where it is."
)
_inside_option = click.option(
    "--password-in-configuration", "inside", is_flag=True, help="Write the password into relay.toml, not into a file."
)


@click.command("add", short_help="Add an account to relay.toml.")
@config_option
@click.argument("name", type=Text())
@key_options(KEYS)
@click.option("--no-login", is_flag=True, help="The server that sends wants no login.")
@click.option("--pop3-password", is_flag=True, help="The mailbox has a password of its own: ask for it as well.")
@_file_option
@_inside_option
def add(config: str | None, name: str, **options: Any) -> None:  # noqa: ANN401 - of click
    """Add the account NAME to relay.toml: behind the others, so that their rules go first.

    The password is asked for, or the first line of standard input (with --pop3-password the second is the mailbox's).
    It goes into a file of its own beside relay.toml. Nothing is written before all of it is found to be right.
    """
    path = find_file(config)
    text = read_text(path)
    changes = read_changes(KEYS, options)
    if ("address",) not in changes:
        raise click.UsageError("--address is missing: the address that the account sends as")
    values = {"name": name, **nest(_complete(changes, text, login=not options["no_login"]))}
    if not any(server in values for server in _SERVERS):
        raise click.UsageError("--smtp-host is missing: the provider's server that sends (or --pop3-host: it collects)")
    from relay.editing.tables import add_table, list_names

    if name in list_names(text, "account"):
        raise click.UsageError(f"there is an account {name} already: relay account edit {name}, or choose another name")
    with _secrets(path, name, values, options) as said:
        settings = change(config, path, lambda before: add_table(before, "account", values))
    say(f"{name} is in {path} now{said}")
    if settings is not None:
        reload(settings)
    say(f"Try it: relay account test {name}")


@click.command("edit", short_help="Change an account in relay.toml.")
@config_option
@click.argument("name", type=Text())
@key_options(KEYS)
@click.option("--unset", "unset", multiple=True, metavar="KEY", help="Remove a key, such as display_name or pop3.")
@click.option("--password", is_flag=True, help="Ask for another password.")
@click.option("--pop3-password", is_flag=True, help="Ask for another password of the mailbox alone.")
@_file_option
@_inside_option
def edit(config: str | None, name: str, **options: Any) -> None:  # noqa: ANN401 - of click
    """Change keys of the account NAME in relay.toml; what else stands there stays as it is.

    A new password takes the place of the old one in its file.
    """
    from relay.editing.tables import change_table, read_table

    path = find_file(config)
    table = read_table(read_text(path), "account", name)
    changes = read_changes(KEYS, options) | {read_path(key): None for key in options["unset"]}
    if ("name",) in changes:
        raise click.UsageError("by its name an account's mail is known: add another account, then remove this one")
    for option, server in (("pop3_password", "pop3"), ("password", "")):
        if options[option] and not any(one in table for one in ([server] if server else _SERVERS)):
            raise click.UsageError(f"{name} has no server that wants this password: add --smtp-host or --pop3-host")
    wants = [key for key in ("password", "pop3_password", "password_file") if options[key]]
    if not changes and not wants:
        raise click.UsageError("say what is to change; `relay account edit --help` shows how")
    with _new_passwords(path, name, table, options) as (logins, later, said):
        changes |= logins
        settings = change(config, path, lambda before: change_table(before, "account", name, changes))
        later()
    say(f"{name} is changed in {path}{said}" if settings or wants else f"{name} is so in {path} already")
    if settings is None and wants:
        from relay.cli.configuration import load

        settings = load(config)
    if settings is not None:
        reload(settings)


@click.command("remove", short_help="Remove an account from relay.toml.")
@config_option
@click.argument("name", type=Text())
@click.option("--yes", is_flag=True, help="Do not ask where mail still waits for it.")
def remove_(config: str | None, name: str, *, yes: bool) -> None:
    """Remove the account NAME from relay.toml. Mail that waits for it is held, until a person moves or deletes it."""
    from relay.admin.proving import count_open
    from relay.cli.configuration import load
    from relay.cli.output import confirm_many, count
    from relay.editing.tables import read_table

    path = find_file(config)
    table = read_table(read_text(path), "account", name)
    waiting = count_open(load(config), name)
    if waiting:
        wait = count(waiting, "mail still waits", "mails still wait")
        advice = f"relay queue move --from-account {name} --account OTHER"
        text = f"{wait} for {name}, and would be held. Remove it all the same"
        confirm_many(text, yes=yes, unasked=f"{wait} for {name}: add --yes to remove it all the same; {advice}")
    elif waiting is None:
        say(f"Whether mail still waits for {name} can't be told: `relay queue list --account {name}`", error=True)
    settings = remove(config, "account", name)
    say(f"{name} is no longer in {path}")
    for file in sorted({*_files(table)}):
        say(f"Its password is still in {file}: remove that where nothing else needs it")
    if settings is not None:
        reload(settings)


def _complete(changes: Mapping[tuple[str, ...], object], text: str, *, login: bool) -> dict[tuple[str, ...], object]:
    """Add what goes without saying: the owner, the port's security, logins, and that mail stays at the provider."""
    full = dict(changes)
    owner = _find_owner(text, str(changes["address",]))
    if ("owner",) not in full and owner:
        full["owner",] = owner
    for server in _SERVERS:
        if not any(path[0] == server for path in changes):
            continue
        if login or server == "pop3":
            full.setdefault((server, "username"), changes["address",])
    if full.get(("smtp", "port")) == 465:  # the port of TLS from the first byte (RFC 8314 section 3.3)
        full.setdefault(("smtp", "security"), "tls")
    if ("pop3", "host") in full:
        full.setdefault(("pop3", "leave_on_server"), _KEPT)
    order = [("name",), *(key.path for key in KEYS)]
    return {path: full[path] for path in sorted(full, key=lambda path: order.index(path) if path in order else 99)}


def _find_owner(text: str, address: str) -> str | None:
    """Return the user whose address it is, else the only one."""
    import tomllib

    users = tomllib.loads(text.removeprefix("\ufeff")).get("user", [])
    for user in users:
        if address.lower() in (str(one).lower() for one in (user.get("address"), *user.get("aliases", ()))):
            return str(user["name"])
    return str(users[0].get("name")) if len(users) == 1 else None


@contextlib.contextmanager
def _secrets(path: Path, name: str, values: dict[str, Any], options: Options) -> Iterator[str]:
    """Put the passwords of a new account where they belong, and say where; what was made goes where the body fails."""
    servers = [one for one in _SERVERS if "username" in values.get(one, {}) and not _has_login(values, one)]
    said = ""
    with contextlib.ExitStack() as made:
        for place, mine in _share(servers, apart=options["pop3_password"]):
            if options["password_file"]:
                key, value = "password_file", str(Path(options["password_file"]).absolute())
            else:
                secret = ask_secret(f"Password of {name}{' (mailbox)' if place == 'pop3' else ''}")
                key, value = _place(made, path, f"{name}.pop3" if place else name, secret, inside=options["inside"])
                said = f", and its password in {value}" if key == "password_file" and not said else said
            for server in mine:
                values[server][key] = value
        yield said


def _share(servers: list[str], *, apart: bool) -> list[tuple[str, list[str]]]:
    """Give which servers have a password together; the second group, if there is one, is the mailbox's."""
    if apart and "pop3" in servers:
        return [("", [one for one in servers if one != "pop3"]), ("pop3", ["pop3"])][len(servers) == 1 :]
    return [("", servers)] if servers else []


def _place(made: contextlib.ExitStack, path: Path, name: str, secret: str, *, inside: bool) -> tuple[str, str]:
    """Return the key, and its value, by which a server has a password."""
    from relay.editing.secret_files import new_secret

    if inside:
        return "password", secret
    return "password_file", str(made.enter_context(new_secret(path, name, secret)))


def _has_login(table: Mapping[str, Any], server: str) -> bool:
    return "oauth" in table or any(key in table[server] for key in _LOGINS)


def _files(table: Mapping[str, Any]) -> Iterator[str]:
    return (table[one]["password_file"] for one in _SERVERS if "password_file" in table.get(one, {}))


@contextlib.contextmanager
def _new_passwords(path: Path, name: str, table: Mapping[str, Any], options: Options) -> Iterator[Any]:
    """Give the changes that another password is, what is to be done once they are made, and what is to be said."""
    from relay.editing.secret_files import replace_secret, require_line

    changes: dict[tuple[str, ...], object] = {}
    files: dict[Path, str] = {}

    def later() -> None:
        for file, secret in files.items():
            replace_secret(file, secret)

    servers = [one for one in _SERVERS if one in table]
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
                changes |= {(server, one): None for one in _LOGINS if one in table[server] and one != key}
                changes[server, key] = value
        yield changes, later, said


def _is_own(path: Path, file: str, name: str, servers: list[str]) -> bool:
    """Return whether a password's file belongs to these servers of one account alone."""
    import tomllib

    document = tomllib.loads(read_text(path).removeprefix("\ufeff"))
    users = [
        (account.get("name"), server)
        for account in document.get("account", ())
        for server in _SERVERS
        if account.get(server, {}).get("password_file") == file
    ]
    return set(users) == {(name, server) for server in servers} and _resolve(path, file).is_file()


def _resolve(path: Path, file: str) -> Path:
    """Return what a relative name in the configuration is relative to."""
    from relay.places import find_storage

    return (find_storage(path) or path.absolute().parent) / file
