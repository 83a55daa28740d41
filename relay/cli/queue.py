"""`relay queue`: what waits, and what a postmaster does with it."""

import asyncio
import time
from typing import TYPE_CHECKING

import click

from relay.cli.configuration import config_option, fail, json_option, load, open_storage, plain_faults
from relay.cli.output import (
    clean,
    confirm_many,
    print_facts,
    print_json,
    print_table,
    show_size,
    show_span,
    show_time,
)
from relay.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

_STATES = ("queued", "active", "held", "done")


@click.group("queue")
def command() -> None:
    """List, show, run, retry, hold, release or delete queued mail."""


@command.command("list")
@config_option
@json_option
@click.option("--state", type=click.Choice(_STATES), multiple=True, help="Only these; default: all but done.")
@click.option("--account", help="Only mail of this account.")
@click.option("--user", help="Only mail that this user submitted.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True)
@plain_faults
def list_(
    config: str | None,
    *,
    as_json: bool,
    state: tuple[str, ...],
    account: str | None,
    user: str | None,
    limit: int,
) -> None:
    """List what waits: since when, for what, and what the provider said last."""
    from relay.storage import admin

    engine = open_storage(load(config))
    rows = admin.list_deliveries(
        engine, states=state or ("queued", "active", "held"), account=account, user=user, limit=limit
    )
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
        click.echo(f"(the first {limit}; --limit shows more)")


@command.command("show")
@config_option
@json_option
@click.argument("id")
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
            click.echo(
                f"\nDelivery {delivery.id}: {delivery.state}, {delivery.attempts} attempts"
                + (f", next {show_time(delivery.due)}" if delivery.state == "queued" else "")
                + (", may have been sent already" if delivery.uncertain else "")
            )
            for recipient in delivery.recipients:
                kind = "" if recipient.kind == "to" else f" ({recipient.kind})"
                click.echo(f"  {clean(recipient.address)}{kind}: {recipient.outcome} {clean(recipient.reply)}".rstrip())


@command.command("run")
@config_option
@plain_faults
def run(config: str | None) -> None:
    """Try everything that is queued now, at any hour; paused accounts stay paused."""
    from relay.storage import admin

    settings = load(config)
    count = admin.run_queue(open_storage(settings))
    _act(settings, count, "to try")


@command.command("retry")
@config_option
@click.argument("ids", nargs=-1, required=True)
@plain_faults
def retry(config: str | None, ids: tuple[str, ...]) -> None:
    """Try these mails now, at any hour."""
    from relay.storage import admin

    settings = load(config)
    engine = open_storage(settings)
    count = admin.retry(engine, _resolve(engine, ids))
    _act(settings, count, "to try")


@command.command("hold")
@config_option
@click.argument("ids", nargs=-1, required=True)
@plain_faults
def hold(config: str | None, ids: tuple[str, ...]) -> None:
    """Hold these mails until `release` or `delete`."""
    from relay.storage import admin

    engine = open_storage(load(config))
    click.echo(f"{admin.hold(engine, _resolve(engine, ids))} held")


@command.command("release")
@config_option
@click.argument("ids", nargs=-1, required=True)
@plain_faults
def release(config: str | None, ids: tuple[str, ...]) -> None:
    """Release held mails: they are tried now, and their time to give up begins anew."""
    from relay.storage import admin

    settings = load(config)
    engine = open_storage(settings)
    count = admin.release(engine, _resolve(engine, ids), now=time.time_ns() // 1_000_000)
    _act(settings, count, "released")


@command.command("delete")
@config_option
@click.option("--yes", is_flag=True, help="Do it without a question.")
@click.argument("ids", nargs=-1, required=True)
@plain_faults
def delete(config: str | None, *, yes: bool, ids: tuple[str, ...]) -> None:
    """Delete these mails for good, with no notice to anybody. What is being delivered is not deleted."""
    from relay.storage import admin

    engine = open_storage(load(config))
    found = _resolve(engine, ids)
    confirm_many(f"Delete {len(found)} mails for good", yes=yes)
    click.echo(f"{admin.delete(engine, found)} deleted")


def _resolve(engine: "Engine", ids: tuple[str, ...]) -> list[str]:
    from relay.storage import admin

    return list(dict.fromkeys(found for text in ids for found in admin.find_messages(engine, text)))


def _act(settings: Settings, count: int, what: str) -> None:
    """Wake the running service, or be the service for this moment."""
    from relay.control import ask

    click.echo(f"{count} {what}")
    if count == 0 or ask(settings.folder, "hurry") is not None:
        return
    from relay import logs
    from relay.storage import admin
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
    left = sum(sum(states.values()) for states in admin.count_open(open_storage(settings)).values())
    if left:
        fail(f"{left} still wait: `relay queue list` says why")
