"""`relay queue`: what waits, and what a postmaster does with it."""

import time
from collections import Counter
from typing import TYPE_CHECKING

import click

from relay.cli.choosing import Filter, Text, filter_options
from relay.cli.configuration import config_option, fail, json_option, load, open_storage, plain_faults
from relay.cli.output import (
    clean,
    print_facts,
    print_json,
    print_table,
    say,
    show_outcome,
    show_size,
    show_span,
    show_time,
)
from relay.cli.queue_change import delete, hold, move, release, retry, wake_or_serve
from relay.cli.trace import accounts_of_attempts
from relay.settings import Settings

if TYPE_CHECKING:
    from relay.storage.admin import DeliveryRow, MessageDetail
    from relay.storage.engine import Database


@click.group("queue")
def command() -> None:
    """List, show, run, retry, hold, release, move or delete queued mail."""


@command.command("list")
@config_option
@json_option
@filter_options("queued", "active", "held")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=200, show_default=True)
@plain_faults
def list_(
    config: str | None,
    *,
    as_json: bool,
    chosen: Filter,
    limit: int,
) -> None:
    """List what waits: since when, for what, and what the provider said last."""
    from relay.storage import admin

    settings = load(config)
    engine = open_storage(settings)
    chosen.check(engine, settings.directory)
    rows = admin.list_deliveries(engine, chosen.selection(), limit=limit)
    if as_json:
        print_json(rows)
        return
    now = time.time_ns() // 1_000_000
    print_table(
        ("Queue id", "State", "Age", "Size", "Account", "To", "Attempts", "Next attempt", "Last reply", "Subject"),
        [
            (
                row.message_id,
                row.state,
                show_span(now - row.received_at),
                show_size(row.size),
                row.account or "inbox",
                ", ".join(r.address for r in row.recipients if r.outcome == "pending")[:60],
                row.attempts,
                show_time(row.due) if row.state == "queued" else "",
                row.last_reply[:80],
                row.subject[:40],
            )
            for row in rows
        ],
        empty="The queue is empty.",
    )
    if len(rows) == limit:
        say(f"(the first {limit}; --limit shows more)")
    for line in _standstills(engine, settings, now):
        say(line)


def _standstills(engine: "Database", settings: Settings, now: int) -> list[str]:
    """Say which accounts' mail waits for more than its time."""
    from relay.rules.hours import day_of, is_open, next_day, next_open
    from relay.storage import admin

    lines = [f"Account {pause.account} is paused since {show_time(pause.since)}: {clean(pause.reason)}"
             for pause in admin.list_pauses(engine)]  # fmt: skip
    counts = admin.count_of_day(engine, day_of(settings.hours, now))
    for account in settings.directory.accounts:
        most = None if account.smtp is None else account.smtp.recipients_per_day
        if most is not None and counts.get(account.name, 0) >= most:
            again = show_time(next_day(settings.hours, now))
            lines.append(f"Account {account.name} has had its {most} recipients of the day: it goes on at {again}")
    if not is_open(settings.hours, now):
        lines.append(f"The office is closed: mail goes on at {show_time(next_open(settings.hours, now))}")
    return lines


@command.command("show")
@config_option
@json_option
@click.argument("id", type=Text())
@plain_faults
def show(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Show one mail: how it was routed, its recipients, and what each got."""
    from relay.storage import admin

    engine = open_storage(load(config))
    for message_id in admin.find_messages(engine, id):
        detail = admin.show_message(engine, message_id)
        if as_json:
            print_json(detail)
            continue
        print_facts(
            [
                ("Queue id", detail.id),
                ("Received", show_time(detail.received_at)),
                ("Client", detail.client),
                ("User", detail.user or "nobody"),
                ("Rule", detail.rule),
                ("Account", detail.account or "inbox"),
                ("Envelope sender", detail.reverse_path or "<>"),
                ("Message-ID", detail.header_message_id),
                ("Subject", detail.subject),
                ("Size", show_size(detail.size)),
                ("Why", detail.why),
            ]
        )
        for delivery in detail.deliveries:
            say()
            say(
                f"Delivery {delivery.id} by {delivery.account or 'the inbox'}: {delivery.state},"
                f" {delivery.attempts} attempts"
                + _by_others(detail, delivery)
                + (f", next {show_time(delivery.due)}" if delivery.state == "queued" else "")
                + (", may have been sent already" if delivery.uncertain else "")
            )
            for recipient in delivery.recipients:
                kind = "" if recipient.kind == "to" else f" ({recipient.kind})"
                say(f"  {clean(recipient.address)}{kind}: {show_outcome(recipient)}")


def _by_others(mail: "MessageDetail", delivery: "DeliveryRow") -> str:
    """Tell how many attempts other accounts have made, before the mail was moved."""
    counts = Counter(one for one in accounts_of_attempts(mail, delivery) if one != delivery.account)
    shown = [
        f"{count} by {'another account' if name is None else name or 'the inbox'}" for name, count in counts.items()
    ]
    return f" ({', '.join(shown)}, before it was moved)" if shown else ""


@command.command("run")
@config_option
@plain_faults
def run(config: str | None) -> None:
    """Try everything that is queued now, at any hour; paused accounts stay paused, and what is held stays held."""
    from relay.storage import admin, commands

    settings = load(config, secrets=True)
    engine = open_storage(settings, serves=True)
    held = _count(admin.count_open(engine), "held")
    count = commands.run_queue(engine, now=time.time_ns() // 1_000_000)
    say(f"{count} to try")
    if count and wake_or_serve(settings):
        left = _count(admin.count_open(engine), "queued", "active", "held") - held
        if left > 0:
            fail(f"{left} still wait: `relay queue list` says why")


def _count(states: dict[str, dict[str, int]], *wanted: str) -> int:
    return sum(count for of_account in states.values() for state, count in of_account.items() if state in wanted)


for change in (retry, hold, release, move, delete):
    command.add_command(change)
