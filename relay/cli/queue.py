"""`relay queue`: what waits, and what a postmaster does with it."""

import time
from typing import TYPE_CHECKING

import click

from relay.cli.choosing import Filter, Text, filter_options, nothing_matches
from relay.cli.configuration import config_option, fail, json_option, load, open_storage, plain_faults
from relay.cli.groups import Group
from relay.cli.output import clean, count, print_json, say, show_time
from relay.cli.progress import progress
from relay.cli.queue_change import delete, hold, move, release, retry, wake_or_serve
from relay.cli.standing import find_blocked, find_standstill, tell_if_stopped
from relay.rules.states import Standstill, State, find_standing

if TYPE_CHECKING:
    from relay.storage.engine import Database


@click.group("queue", cls=Group)
def command() -> None:
    """List, show, run, retry, hold, release, move or delete queued mail."""


@command.command("list", short_help="List mails and how each stands.")
@config_option
@json_option
@filter_options(State.WAITING, State.ACTIVE, State.HELD)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=200, show_default=True)
@plain_faults
def list_(
    config: str | None,
    *,
    as_json: bool,
    chosen: Filter,
    limit: int,
) -> None:
    """List mails, the newest first: since when, to whom, how each stands and why.

    What is open is listed: waiting, active (being sent) and held; with --state or --all also what is delivered (handed
    over to the provider for all recipients), failed (nobody gets it) or partly (some have it).
    """
    from relay.cli.mail_json import list_json
    from relay.cli.mail_table import print_mails
    from relay.storage.listing import list_mails

    settings = load(config)
    engine = open_storage(settings)
    chosen.check(engine, settings.directory)
    now = time.time_ns() // 1_000_000
    mails = list_mails(engine, chosen.mails(now, settings.hours.timezone), limit=limit)
    standstill = find_standstill(engine, settings, now)
    if as_json:
        print_json([list_json(one, find_standing(one.deliveries, now=now, standstill=standstill)) for one in mails])
    elif mails:
        print_mails(mails, standstill, now)
    else:
        say(nothing_matches(engine, chosen))
    if not as_json:
        if len(mails) == limit:
            say(f"(the newest {limit:,}; --limit shows more)")
        for line in _standstills(engine, standstill):
            say(line)
    elif not mails and chosen.is_narrow:
        say(nothing_matches(engine, chosen), error=True)
    tell_if_stopped(settings)


def _standstills(engine: "Database", found: Standstill) -> list[str]:
    """Say which accounts' mail waits for more than its time."""
    from relay.storage import admin

    lines = [f"Account {pause.account} is paused since {show_time(pause.since)}: {clean(pause.reason)}"
             for pause in admin.list_pauses(engine)]  # fmt: skip
    lines += [
        f"Account {name} has had its recipients of the day: it goes on at {show_time(again)}"
        for name, again in found.full.items()
    ]
    if found.closed_until is not None:
        lines.append(f"The office is closed: mail goes on at {show_time(found.closed_until)}")
    return lines


@command.command("show", short_help="Show one mail with its recipients.")
@config_option
@json_option
@click.argument("id", type=Text())
@plain_faults
def show(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Show one mail: how it was routed, its recipients, and what each got. `relay trace` tells its history as well."""
    from relay.cli.mail_show import details_json, show_mail
    from relay.storage import admin

    settings = load(config)
    engine = open_storage(settings)
    mails = [admin.show_message(engine, message_id) for message_id in admin.find_messages(engine, id)]
    now = time.time_ns() // 1_000_000
    standstill = find_standstill(engine, settings, now)
    if as_json:
        print_json(details_json(mails, now, standstill))
    else:
        for n, mail in enumerate(mails):
            if n:
                say()
            show_mail(mail, now, standstill)
    tell_if_stopped(settings)


@command.command("run", short_help="Try all waiting mails now, at any hour.")
@config_option
@plain_faults
def run(config: str | None) -> None:
    """Try everything that is queued now, at any hour; paused accounts stay paused, and what is held stays held."""
    from relay.storage import admin, commands

    settings = load(config, secrets=True)
    engine = open_storage(settings, serves=True)
    now = time.time_ns() // 1_000_000
    with progress("Making due") as step:
        waiting = commands.run_queue(engine, now=now, progress=step)
    blocked = find_blocked(engine, settings, now)
    tried = sorted({one for account, ids in waiting.items() if account not in blocked for one in ids})
    say(f"{count(len(tried), 'mail')} to try")
    for account, ids in waiting.items():
        if account in blocked:
            say(f"{count(len(ids), 'mail waits', 'mails wait')} for the account {account}, which {blocked[account]}")
    if tried and wake_or_serve(settings) and (left := admin.count_waiting(engine, tried)):
        fail(f"{count(left, 'mail still waits', 'mails still wait')}: `relay queue list` says why")


for change in (retry, hold, release, move, delete):
    command.add_command(change)
