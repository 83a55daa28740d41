"""`relay queue retry`, `hold`, `release`, `move` and `delete`: for mails by their ids, or for many by a filter."""

import asyncio
import time
from collections.abc import Callable

import click

from relay.cli.choosing import Filter, choose, filter_options
from relay.cli.configuration import config_option, fail, load, open_storage, plain_faults
from relay.settings import Settings

_yes = click.option("--yes", is_flag=True, help="Do it without a question.")
_ids = click.argument("ids", nargs=-1, metavar="[ID]...")


def _now() -> int:
    return time.time_ns() // 1_000_000


@click.command("retry")
@config_option
@_yes
@filter_options("queued", every=True)
@_ids
@plain_faults
def retry(config: str | None, *, ids: tuple[str, ...], chosen: Filter, yes: bool) -> None:
    """Try these mails now, at any hour."""
    from relay.storage import commands

    settings = load(config)
    engine = open_storage(settings)
    act(settings, commands.retry(engine, choose(engine, ids, chosen, "Try", yes=yes), now=_now()), "to try")


@click.command("hold")
@config_option
@_yes
@filter_options("queued", every=True)
@_ids
@plain_faults
def hold(config: str | None, *, ids: tuple[str, ...], chosen: Filter, yes: bool) -> None:
    """Hold these mails until `release` or `delete`."""
    from relay.storage import commands

    engine = open_storage(load(config))
    found = choose(engine, ids, chosen, "Hold", yes=yes)
    click.echo(f"{commands.hold(engine, found, now=_now())} held")


@click.command("release")
@config_option
@_yes
@filter_options("held", every=True)
@_ids
@plain_faults
def release(config: str | None, *, ids: tuple[str, ...], chosen: Filter, yes: bool) -> None:
    """Release held mails: they are tried now, and their time to give up begins anew."""
    from relay.storage import commands

    settings = load(config)
    engine = open_storage(settings)
    act(settings, commands.release(engine, choose(engine, ids, chosen, "Release", yes=yes), now=_now()), "released")


@click.command("move")
@config_option
@_yes
@click.option("--account", required=True, metavar="NAME", help="Through which account they are to leave.")
@filter_options("queued", "held", every=True, account="--from-account")
@_ids
@plain_faults
def move(config: str | None, *, ids: tuple[str, ...], chosen: Filter, account: str, yes: bool) -> None:
    """Let these mails leave through another account, with its address as the sender. What is held stays held."""
    from relay.storage import commands

    settings = load(config)
    engine = open_storage(settings)
    rewrite = _rewriter(settings, account)
    found = choose(engine, ids, chosen, f"Move to the account {account}", yes=yes)
    act(settings, commands.move(engine, found, account, rewrite, now=_now()), "moved", wait=False)


@click.command("delete")
@config_option
@_yes
@filter_options("queued", "held", every=True)
@_ids
@plain_faults
def delete(config: str | None, *, ids: tuple[str, ...], chosen: Filter, yes: bool) -> None:
    """Delete these mails for good, with no notice to anybody. What is being delivered is not deleted."""
    from relay.storage import commands

    engine = open_storage(load(config))
    found = choose(engine, ids, chosen, "Delete for good", yes=yes, ask=True)
    click.echo(f"{commands.delete(engine, found)} deleted")


def _rewriter(settings: Settings, name: str) -> Callable[[bytes, str | None], bytes]:
    """Make the function that writes the account's sender into a header."""
    from relay.model.errors import StateConflictError
    from relay.model.route import Refusal
    from relay.routing import plan_move
    from relay.rules.headers import apply_edits

    account = settings.directory.account(name)
    if account is None or account.smtp is None:
        senders = [a.name for a in settings.directory.accounts if a.smtp is not None]
        fail(f"there is no account {name!r} that sends; there are: {', '.join(senders)}")

    def rewrite(header: bytes, user: str | None) -> bytes:
        edits = plan_move(directory=settings.directory, account=account, user=user, header=header)
        if isinstance(edits, Refusal):
            raise StateConflictError(edits.reply.text)
        return apply_edits(header, edits)

    return rewrite


def act(settings: Settings, count: int, what: str, *, wait: bool = True) -> None:
    """Wake the running service, or be the service for this moment; `wait`: mail that is left is a failure."""
    from relay.control import ask

    click.echo(f"{count} {what}")
    if count == 0 or ask(settings.folder, "hurry") is not None or not wait:
        return
    _serve_once(settings)
    from relay.storage import admin

    left = sum(sum(states.values()) for states in admin.count_open(open_storage(settings)).values())
    if left:
        fail(f"{left} still wait: `relay queue list` says why")


def _serve_once(settings: Settings) -> None:
    from relay import logs
    from relay.supervisor import Service

    logs.configure(form="console", level=settings.log.level, file=settings.log.file, descriptor=logs.STDERR)

    async def once() -> None:
        service = Service(settings)
        await service.start(listen=False)
        try:
            service.delivery.hurry()
            await service.delivery.run_until_idle()
        finally:
            await service.stop()

    asyncio.run(once())
