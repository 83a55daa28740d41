"""`relay demo`: everything at work, with nothing to set up."""

import asyncio
import sys

import click

from relay.cli.configuration import FAILED


@click.command("demo")
@click.option("--once", is_flag=True, help="End after the show, with status 0 if all went as it must, else 1.")
@click.option("--keep", is_flag=True, help="Leave its folder, with configuration, database, log and inboxes.")
def command(*, once: bool, keep: bool) -> None:
    """Show the rules, the rewritten sender, the blind copy and a refusal on real mails over real SMTP.

    The service runs in a temporary folder, with a stand-in for the provider on loopback; nothing leaves the machine.
    """
    from relay.demo.play import play

    if not asyncio.run(play(once=once, say=click.echo, keep=keep)):
        sys.exit(FAILED)
