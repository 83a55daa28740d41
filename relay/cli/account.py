"""`relay account`: the provider accounts, what waits for each, and which are paused."""

import time

import click

from relay.cli.configuration import config_option, fail, json_option, load, open_storage, plain_faults
from relay.cli.output import print_json, print_table, show_time
from relay.settings import Settings


@click.group("account")
def command() -> None:
    """List, pause or resume provider accounts."""


@command.command("list")
@config_option
@json_option
@plain_faults
def list_(config: str | None, *, as_json: bool) -> None:
    """List the accounts in the order of the rules: state, owner, server, and what waits."""
    from relay.storage import admin

    settings = load(config)
    engine = open_storage(settings)
    pauses = {pause.account: pause for pause in admin.list_pauses(engine)}
    counts = admin.count_open(engine)
    rows = []
    for account in settings.directory.accounts:
        pause, waiting = pauses.get(account.name), counts.get(account.name, {})
        state = "excluded" if account.excluded else "paused" if pause else "sends" if account.smtp else "only receives"
        rows.append(
            {
                "name": account.name,
                "address": str(account.address),
                "owner": account.owner,
                "server": f"{account.smtp.host}:{account.smtp.port}" if account.smtp else "",
                "state": state,
                "queued": waiting.get("queued", 0),
                "active": waiting.get("active", 0),
                "held": waiting.get("held", 0),
                "paused_since": None if pause is None else pause.since,
                "paused_by": None if pause is None else "command" if pause.by_person else "login refused",
                "reason": "" if pause is None else pause.reason,
                "next_probe": None if pause is None else pause.next_probe,
            }
        )
    if as_json:
        print_json(rows)
        return
    print_table(
        ("Account", "Address", "Owner", "Server", "State", "Queued", "Held", "Why"),
        [
            (
                row["name"],
                row["address"],
                row["owner"],
                row["server"],
                row["state"],
                row["queued"],
                row["held"],
                f"since {show_time(pauses[row['name']].since)}: {row['reason']}" if row["name"] in pauses else "",
            )
            for row in rows
        ],
        empty="There are no accounts.",
    )


@command.command("pause")
@config_option
@click.argument("account")
@plain_faults
def pause(config: str | None, account: str) -> None:
    """Send nothing through this account until `resume`; its mail is taken and kept, and nothing expires."""
    from relay.storage import admin

    settings = load(config)
    _require(settings, account)
    admin.pause_account(open_storage(settings), account, now=time.time_ns() // 1_000_000)
    _tell_service(settings)
    click.echo(f"{account} is paused")


@command.command("resume")
@config_option
@click.argument("account")
@plain_faults
def resume(config: str | None, account: str) -> None:
    """End an account's pause, also one that a refused login began."""
    from relay.storage import admin

    settings = load(config)
    _require(settings, account)
    if not admin.resume_account(open_storage(settings), account, now=time.time_ns() // 1_000_000):
        fail(f"{account} is not paused")
    _tell_service(settings)
    click.echo(f"{account} sends again")


def _require(settings: Settings, account: str) -> None:
    if settings.directory.account(account) is None:
        known = ", ".join(a.name for a in settings.directory.accounts) or "none"
        fail(f"there is no account {account!r}; there are: {known}")


def _tell_service(settings: Settings) -> None:
    from relay.control import ask

    ask(settings.folder, "look")
