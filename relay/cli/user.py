"""`relay user`: what a user needs besides his lines in the configuration."""

import sys

import click

from relay.cli import Group


@click.group("user", cls=Group)
def command() -> None:
    """Things for users."""


@command.command("password", short_help="Make the password_hash of a user from his password.")
def password() -> None:
    """Ask for a password and print the line `password_hash = ...` for the user's table in the configuration.

    On a terminal it is asked for twice and not shown; else the first line of standard input is taken.
    """
    if sys.stdin.isatty():
        chosen = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        chosen = sys.stdin.readline().rstrip("\r\n")
    if not chosen:
        raise click.UsageError("an empty password is none")
    from relay.auth import hash_password

    click.echo(f'password_hash = "{hash_password(chosen)}"')
