"""`relay queue retry`, `hold`, `release`, `move` and `delete`: for mails by their ids, or for many by a filter."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from relay.cli.choosing import Filter, Text, choose, filter_options, unknown
from relay.cli.configuration import FAILED, config_option, fail, load, open_storage, plain_faults
from relay.cli.output import clean, count, say, show_time
from relay.cli.progress import progress
from relay.cli.standing import find_blocked
from relay.rules.states import State
from relay.settings import Settings

if TYPE_CHECKING:
    from relay.storage.engine import Database
    from relay.storage.steps import Done

_yes = click.option("--yes", is_flag=True, help="Do it without a question.")
_MOST_TOLD = 10
"""Mails of which each has a line."""
_HELP = {
    "is being sent now": ": try again when the attempt is over; `relay queue show` tells how it ended",
    "is not held": ": there is nothing to release; to try it now: `relay queue retry {id}`",
}
_FOR_GOOD = (
    "Nothing is deleted yet. This would delete {mails} for good, and those who have not got {them} yet never will: add"
    " --yes if you want that"
)
_ids = click.argument("ids", nargs=-1, metavar="[ID]...", type=Text())


def _now() -> int:
    return time.time_ns() // 1_000_000


@click.command("retry", short_help="Try these mails now, at any hour.")
@config_option
@_yes
@filter_options(State.WAITING, every=True)
@_ids
@plain_faults
def retry(config: str | None, *, ids: tuple[str, ...], chosen: Filter, yes: bool) -> None:
    """Try these mails now, at any hour. Many are done in steps, so that the service can go on meanwhile."""
    from relay.storage import commands

    settings = load(config, secrets=True)
    engine = open_storage(settings, serves=True)
    found = choose(engine, settings, ids, chosen, "Try", yes=yes)
    with progress("Making due", len(found)) as step:
        done = commands.retry(engine, found, now=_now(), progress=step)
    good = _tell(done, "to try", named=bool(ids))
    if done.count:
        good = _deliver(settings, engine, found) and good
    _end(good=good)


@click.command("hold", short_help="Stop these mails until release or delete.")
@config_option
@_yes
@filter_options(State.WAITING, every=True)
@_ids
@plain_faults
def hold(config: str | None, *, ids: tuple[str, ...], chosen: Filter, yes: bool) -> None:
    """Hold these mails until `release` or `delete`. Many are done in steps, so that the service can go on meanwhile."""
    from relay.storage import commands

    settings = load(config)
    engine = open_storage(settings)
    found = choose(engine, settings, ids, chosen, "Hold", yes=yes)
    with progress("Holding", len(found)) as step:
        done = commands.hold(engine, found, now=_now(), progress=step)
    good = _tell(done, "held", named=bool(ids))
    _end(good=(not _tell_active(engine, settings, chosen, found) or bool(done.count)) and good)


@click.command("release", short_help="Let stopped mails go on, at once.")
@config_option
@_yes
@filter_options(State.HELD, every=True)
@_ids
@plain_faults
def release(config: str | None, *, ids: tuple[str, ...], chosen: Filter, yes: bool) -> None:
    """Release held mails: they are tried now, and their time to give up begins anew.

    What is held since its account is excluded or gone stays held: `move` gives it another. Many are done in steps, so
    that the service can go on meanwhile.
    """
    from relay.storage import commands

    settings = load(config, secrets=True)
    engine = open_storage(settings, serves=True)
    found = choose(engine, settings, ids, chosen, "Release", yes=yes)
    sends = {a.name for a in settings.directory.accounts if a.smtp is not None and not a.excluded}
    with progress("Releasing", len(found)) as step:
        done = commands.release(engine, found, now=_now(), sends=sends, progress=step)
    good = _tell(done, "released", named=bool(ids))
    if done.count:
        good = _deliver(settings, engine, found) and good
    _end(good=good)


@click.command("move", short_help="Send these mails by another account.")
@config_option
@_yes
@click.option("--account", required=True, type=Text(), metavar="NAME", help="Through which account they are to leave.")
@filter_options(State.WAITING, State.HELD, every=True, account="--from-account")
@_ids
@plain_faults
def move(config: str | None, *, ids: tuple[str, ...], chosen: Filter, account: str, yes: bool) -> None:
    """Let these mails leave through another account, with its address as the sender. What is held stays held.

    What goes into an inbox, and what is being delivered, is not moved. Many are done in steps, so that the service can
    go on meanwhile.
    """
    from relay.storage import commands

    settings = load(config)
    engine = open_storage(settings)
    address, rewrite = _rewriter(settings, account)
    found = choose(engine, settings, ids, chosen, f"Move to the account {account}", yes=yes)
    with progress("Moving", len(found)) as step:
        done = commands.move(engine, found, account, rewrite, reverse_path=address, now=_now(), progress=step)
    good = _tell(done, "moved", named=bool(ids))
    if done.count:
        _wake(settings, [account])
        _tell_when(engine, [one for one in found if one not in done.skipped], account)
    _end(good=good)


@click.command("delete", short_help="Delete these mails for good.")
@config_option
@_yes
@filter_options(State.WAITING, State.HELD, every=True)
@_ids
@plain_faults
def delete(config: str | None, *, ids: tuple[str, ...], chosen: Filter, yes: bool) -> None:
    """Delete these mails for good, with no notice to anybody.

    A mail is deleted whole: for all of its recipients who still wait, also where `--to` names only one of them.
    `relay trace` goes on knowing it. What is being delivered is not deleted. Many are done in steps, so that the
    service can go on meanwhile.
    """
    from relay.storage import commands

    settings = load(config)
    engine = open_storage(settings)
    found = choose(
        engine,
        settings,
        ids,
        chosen,
        "Delete for good, also for those who have not got it yet,",
        yes=yes,
        ask=True,
        unasked=_FOR_GOOD,
    )
    with progress("Deleting", len(found)) as step:
        done = commands.delete(engine, found, now=_now(), progress=step)
    good = _tell(done, "deleted", named=bool(ids))
    _end(good=(not _tell_active(engine, settings, chosen, found) or bool(done.count)) and good)


def _rewriter(settings: Settings, name: str) -> tuple[str, Callable[[bytes, str | None], bytes]]:
    """Give an account's address, and the function that writes it as the sender into a header."""
    from relay.model.errors import StateConflictError
    from relay.model.route import Refusal
    from relay.routing import plan_move
    from relay.rules.headers import apply_edits

    account = settings.directory.account(name)
    if account is None or account.smtp is None:
        senders = [a.name for a in settings.directory.accounts if a.smtp is not None]
        fail(unknown("account that sends and is called", name, senders))

    def rewrite(header: bytes, user: str | None) -> bytes:
        edits = plan_move(directory=settings.directory, account=account, user=user, header=header)
        if isinstance(edits, Refusal):
            raise StateConflictError(edits.reply.text)
        return apply_edits(header, edits)

    return account.address.wire, rewrite


def _tell(done: "Done", what: str, *, named: bool) -> bool:
    """Say what was done, and what was not and why; tells whether that is what was wanted.

    Of mails that were `named`, each counts. A filter says what it passed over, and fails only if that was everything.
    """
    say(f"{count(done.count, 'mail')} {what}")
    if named:
        for message_id, why in done.skipped.items():
            say(f"{message_id}: {clean(why)}{_HELP.get(why, '').format(id=message_id)}", error=True)
        return not done.skipped
    for why, number in Counter(done.skipped.values()).most_common():
        say(f"{count(number, 'mail')} skipped: {clean(why)}", error=True)
    return bool(done.count) or not done.skipped


def _tell_when(engine: "Database", ids: list[str], account: str) -> None:
    """Say when mails that were moved leave: each keeps the next attempt that it had, and what is held stays so."""
    from relay.storage import admin

    if held := admin.count_held(engine, ids, account):
        told = count(held, "of them is", "of them are")
        say(f"{told} held still: `relay queue release --account {account}` lets go what that account holds")
    waiting = admin.next_attempts(engine, ids, account, now=_now())
    for message_id, due in waiting[:_MOST_TOLD]:
        say(f"{message_id} keeps its next attempt, {show_time(due)}: `relay queue retry {message_id}` sends it now")
    if len(waiting) > _MOST_TOLD:
        rest = len(waiting) - _MOST_TOLD
        more = count(rest, "more mail keeps its", "more mails keep their")
        say(f"{more} next attempt: `relay queue retry ID` sends one now, `relay queue list` shows them")


def _tell_active(engine: "Database", settings: Settings, chosen: Filter, found: list[str]) -> bool:
    """Say how many mails a filter would have chosen, too, were they not being delivered; tells whether any."""
    from dataclasses import replace

    from relay.storage import admin

    if not chosen.given or chosen.states:
        return False
    selection = replace(chosen, states=(State.ACTIVE,)).selection(_now(), settings.hours.timezone)
    active = set(admin.select_messages(engine, selection)) - {*found}
    if active:
        told = count(len(active), "mail is", "mails are")
        say(f"{told} being sent now, left alone: `relay queue list --state active` shows them", error=True)
    return bool(active)


def _deliver(settings: Settings, engine: "Database", ids: list[str]) -> bool:
    """Have these mails delivered; tells whether none is left, where this command had to do it."""
    from relay.storage import admin

    accounts = admin.accounts_of(engine, ids)
    blocked = find_blocked(engine, settings, _now())
    for account in accounts:
        if account in blocked:
            say(f"Not by the account {account}, which {blocked[account]}")
    if not wake_or_serve(settings, accounts):
        return True
    left = admin.count_waiting(engine, ids)
    if left:
        say(f"{count(left, 'mail still waits', 'mails still wait')}: `relay queue list` says why", error=True)
    return not left


def wake_or_serve(settings: Settings, accounts: list[str] | None = None) -> bool:
    """Wake the running service, or be the service until nothing more is due; tells whether it was the latter.

    `accounts`: whose mails are to go at once (None: all); what other accounts wait for stays as it is.
    """
    if _wake(settings, accounts):
        return False
    _serve_once(settings)
    return True


def _wake(settings: Settings, accounts: list[str] | None = None) -> bool:
    """Wake the running service; tells whether there is one."""
    from relay.control import ControlError, ask

    try:
        return ask(settings.folder, "hurry", accounts=accounts) is not None
    except ControlError as error:  # what was changed is written down, and the service looks by itself
        say(f"{error}; it takes this up within a minute", error=True)
        return True


def _end(*, good: bool) -> None:
    if not good:
        sys.exit(FAILED)


def _serve_once(settings: Settings) -> None:
    import asyncio

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
