"""`relay user`: lists, adds and removes users of relay.toml, and gives them passwords."""

from typing import Any, Final

import click

from relay.cli import Group, editing
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, json_option, load
from relay.cli.editing import (
    Key,
    ask_secret,
    change,
    find_file,
    key_options,
    nest,
    read_changes,
    read_text,
    reload,
    remove,
    require_new,
)
from relay.cli.output import Column, print_json, print_list, say

KEYS: Final = (
    Key("--address", ("address",), "The profile address: it is written into mail that has no From."),
    Key("--alias", ("aliases",), "Another address of hers or his; may be repeated.", many=True),
    Key("--notify", ("notify",), "How notices about failed mail come.", ("inbox", "mail")),
)
_COLUMNS: Final = (
    Column(title="User"),
    Column(title="Address", least=20),
    Column(title="Password"),
    Column(title="Other addresses", least=16, optional=1),
)


@click.group("user", cls=Group)
def command() -> None:
    """List, add or remove users of relay.toml, or give them passwords."""


@command.command("list", short_help="List the users of relay.toml.")
@config_option
@json_option
def list_(config: str | None, *, as_json: bool) -> None:
    """List the users of relay.toml: their addresses, and who has a password to log in with here."""
    directory = load(config).directory
    if as_json:
        print_json(
            [
                {
                    "name": user.name,
                    "address": str(user.address),
                    "aliases": [str(alias) for alias in user.aliases],
                    "has_password": user.password_hash is not None,
                    "notify": None if user.notify is None else str(user.notify),
                    "is_postmaster": user.name == directory.postmaster,
                }
                for user in directory.users
            ]
        )
        return
    rows = [
        (
            f"{user.name} (postmaster)" if user.name == directory.postmaster else user.name,
            str(user.address),
            "no" if user.password_hash is None else "yes",
            ", ".join(map(str, user.aliases)),
        )
        for user in directory.users
    ]
    print_list(_COLUMNS, rows)


@command.command("add", short_help="Add a user to relay.toml.")
@config_option
@click.argument("name", type=Text())
@key_options(KEYS)
@click.option("--password", is_flag=True, help="Ask for a password, with which mail programs log in here.")
def add(config: str | None, name: str, *, password: bool, **options: Any) -> None:  # noqa: ANN401 - of click
    """Add the user NAME to relay.toml."""
    path = find_file(config)
    changes = read_changes(KEYS, options)
    if ("address",) not in changes:
        raise click.UsageError("--address is missing: the user's own address")
    values = nest(changes)
    if password:
        require_new(read_text(path), "user", name)  # before the password is asked for
        values["password_hash"] = _hash(ask_secret(f"Password of {name}", new=True))
    settings = editing.add(config, "user", name, values)
    say(f"{name} is in {path} now")
    reload(config, settings)


@command.command("remove", short_help="Remove a user from relay.toml.")
@config_option
@click.argument("name", type=Text())
def remove_(config: str | None, name: str) -> None:
    """Remove the user NAME from relay.toml; what refers to him is named, and must go first. His inbox stays."""
    settings = remove(config, "user", name)
    say(f"{name} is no longer in {find_file(config)}")
    if settings is not None and (inbox := settings.inboxes / name).is_dir():
        say(f"The inbox stays where it is, with all mail in it: {inbox}")
    reload(config, settings)


@command.command("password", short_help="Give a user another password, or make the line for relay.toml.")
@config_option
@click.argument("name", type=Text(), required=False)
def password(config: str | None, name: str | None) -> None:
    """Ask for a password, and write its hash into the table of the user NAME in relay.toml.

    Without NAME the line `password_hash = ...` is printed, to be put there by hand. On a terminal the password is asked
    for twice and not shown; else the first line of standard input is taken.
    """
    if name is None:
        click.echo(f'password_hash = "{_hash(ask_secret("Password", new=True))}"')
        return
    from relay.editing.tables import change_table, read_table

    path = find_file(config)
    read_table(read_text(path), "user", name)
    hashed = _hash(ask_secret(f"New password of {name}", new=True))
    settings = change(config, path, lambda before: change_table(before, "user", name, {("password_hash",): hashed}))
    say(f"{name} has another password in {path}")
    reload(config, settings)


def _hash(secret: str) -> str:
    from relay.auth import hash_password

    return hash_password(secret)
