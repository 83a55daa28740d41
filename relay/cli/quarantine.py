"""`relay quarantine`: mail whose user's inbox could not be used, and the ways out."""

import contextlib
import difflib
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click

from relay.admin.words import unknown
from relay.cli.alone import tell_if_stopped
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, fail, json_option, load, open_storage, plain_faults
from relay.cli.groups import Group
from relay.cli.output import confirm_many, count, print_facts, print_json, say, show_size, show_time
from relay.cli.progress import progress
from relay.cli.table import Column, print_list
from relay.cli.who import who_asks
from relay.model.arrival import Place
from relay.model.errors import StorageError
from relay.rules.moments import utc_time
from relay.settings import Settings

if TYPE_CHECKING:
    from relay.model.account import User
    from relay.model.arrival import Arrival
    from relay.storage.engine import Database
    from relay.storage.quarantine import Held

_COLUMNS = (
    Column(title="Id"),
    Column(title="Came", optional=1),
    Column(title="For", least=6),
    Column(title="From", least=10, optional=2),
    Column(title="Subject", least=10),
)


@click.group("quarantine", cls=Group)
def command() -> None:
    """List, show, deliver or delete mail whose user's inbox could not be used."""


@dataclass(frozen=True, slots=True)
class _Quarantine:
    """What is in the quarantine, and how it is reached."""

    settings: Settings
    engine: "Database"
    held: "list[Held]"
    troubles: dict[str, str] = field(default_factory=dict)
    """What was found to keep mail out of inboxes, by user: many mails may be for one."""

    def choose(self, text: str) -> "Held":
        """Give the one mail that is meant, or end with status 1 and the nearest one."""
        from relay.storage.arrivals import find_arrivals
        from relay.storage.quarantine import find_held

        found = find_held(self.held, text)
        if len(found) == 1:
            return found[0]
        if found:
            fail(f"{text!r} is the beginning of {len(found)} ids in the quarantine: give more of it")
        left = [one for one in find_arrivals(self.engine, text) if one.place is not Place.QUARANTINE]
        for one in (one for one in left if text.strip().lower() in (one.id, one.mail, one.uidl)):
            place = f"it was put into the inbox of {one.holder}" if one.holder else "it was deleted"
            fail(f"{one.id} is not in the quarantine: {place}. `relay trace {one.id}` tells more")
        near = difflib.get_close_matches(text.lower(), [one.arrival.id for one in self.held], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        rest = "`relay quarantine list` shows what is there" if self.held else "it is empty"
        return fail(f"no mail in the quarantine has the id {text!r}{hint} ({rest})")

    def user(self, name: str) -> "User":
        """Give a user of the configuration, or end with status 1 and the nearest one."""
        found = self.settings.directory.user(name)
        return found or fail(unknown("user", name, [one.name for one in self.settings.directory.users]))

    def trouble(self, user: str) -> str:
        """Say what keeps mail out of a user's inbox, and what mends it; empty where nothing is found."""
        from relay.storage.inbox_trouble import find_trouble

        if user not in self.troubles:
            self.troubles[user] = str(find_trouble(self.settings.inboxes, user, self.settings.folder) or "")
        return self.troubles[user]


def _open(config: str | None) -> _Quarantine:
    settings = load(config)
    engine = open_storage(settings)
    from relay.storage.quarantine import list_held

    held = [one if one.has_row else _name_user(settings, one) for one in list_held(engine, settings.folder)]
    return _Quarantine(settings, engine, held)


def _name_user(settings: Settings, held: "Held") -> "Held":
    """Say for whom a file without a row is: the user whose address stands on top of it."""
    from relay.rules.address import parse_addr_spec

    with contextlib.suppress(ValueError):
        user = settings.directory.user_of(parse_addr_spec(held.arrival.address))
        if user is not None:
            return replace(held, arrival=replace(held.arrival, user=user.name))
    return held


@command.command("list")
@config_option
@json_option
@plain_faults
def list_(config: str | None, *, as_json: bool) -> None:
    """List what is there, and what mends it.

    The oldest comes first.
    """
    house = _open(config)
    tell_if_stopped(house.settings)
    if as_json:
        print_json([_json(house, one) for one in house.held])
        return
    if not house.held:
        say("The quarantine is empty.")
        return
    print_list(_COLUMNS, [_row(one.arrival) for one in house.held])
    say()
    for line in _notes(house):
        say(line)


def _row(one: "Arrival") -> tuple[str, ...]:
    return one.id, show_time(one.at)[:16], one.user or one.address or "?", one.sender, one.subject


def _notes(house: _Quarantine) -> list[str]:
    """Say of each user what is to be done, and of each mail that needs another deed."""
    lines, waiting = [], [one for one in house.held if not _state(one)]
    for user in dict.fromkeys(one.arrival.user for one in waiting if one.arrival.user):
        mails = count(sum(one.arrival.user == user for one in waiting), "mail")
        if house.settings.directory.user(user) is None:
            lines.append(f"{mails} for {user}, who is no user any more: `relay quarantine deliver ID --to USER`.")
        elif trouble := house.trouble(user):
            lines.append(f"{mails} for {user}, whose inbox still can't be used: {trouble}")
        else:
            lines.append(
                f"{mails} for {user}, whose inbox can be used by now: `relay quarantine deliver --all --to {user}`."
            )
    if any(not one.arrival.user for one in waiting):
        lines.append("Nobody knows any more for whom the rest is: `relay quarantine deliver ID --to USER`.")
    return lines + [f"{one.arrival.id}: {text}" for one in house.held if (text := _state(one))]


def _state(one: "Held") -> str:
    """Say what is special about a mail; empty: it is in the quarantine, and that is all."""
    if one.path is None:
        node = f" (the node {one.arrival.node} wrote it)" if one.arrival.node else ""
        return f"its file is not there{node}; `relay quarantine delete {one.arrival.id}` forgets it"
    if one.is_left_over and one.arrival.holder:
        return (
            f"it stands in the inbox of {one.arrival.holder} already; only its file here is left:"
            f" `relay quarantine delete {one.arrival.id}`"
        )
    return ""


def _json(house: _Quarantine, one: "Held") -> dict[str, Any]:
    arrival = one.arrival
    return {
        "queue_id": arrival.id,
        "received": utc_time(arrival.at),
        "user": arrival.user or None,
        "address": arrival.address or None,
        "account": arrival.account or None,
        "uidl": arrival.uidl or None,
        "message_id": arrival.header_message_id or None,
        "sender": arrival.sender,
        "subject": arrival.subject,
        "size": arrival.size,
        "file": None if one.path is None else str(one.path),
        "reason": arrival.reason or None,
        "note": _state(one) or None,
        "inbox_trouble": (house.trouble(arrival.user) if arrival.user else "") or None,
    }


@command.command("show")
@config_option
@json_option
@click.argument("id", type=Text())
@plain_faults
def show(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Show one mail, why it is there, and its way out."""
    house = _open(config)
    one = house.choose(id)
    tell_if_stopped(house.settings)
    if as_json:
        print_json(_json(house, one))
        return
    _show(house, one)


def _show(house: _Quarantine, one: "Held") -> None:
    arrival = one.arrival
    user = arrival.user if arrival.user and house.settings.directory.user(arrival.user) is not None else ""
    trouble = house.trouble(user) if user else ""
    print_facts(
        [
            ("Mail", f"{arrival.id} {arrival.header_message_id}".rstrip()),
            ("From", arrival.sender),
            ("Subject", arrival.subject),
            ("Size", show_size(arrival.size)),
            (
                "Came",
                f"{show_time(arrival.at)}" + (f", from the mailbox of {arrival.account}" if arrival.account else ""),
            ),
            ("For", f"{arrival.user or 'nobody knows whom'}" + (f" ({arrival.address})" if arrival.address else "")),
            ("Because", arrival.why),
            ("File", "is not there" if one.path is None else str(one.path)),
            ("Reason", arrival.reason or "not known: it is older than the records, or was put there by hand"),
            ("Note", _state(one)),
            ("Now", f"the inbox of {user} still can't be used: {trouble}" if trouble else ""),
            ("Next", f"relay quarantine deliver {arrival.id} --to {user or 'USER'}" if one.path is not None else ""),
        ]
    )


@command.command("deliver")
@config_option
@click.option("--to", "to", required=True, type=Text(), metavar="USER", help="Into whose inbox.")
@click.option("--all", "everything", is_flag=True, help="All mail that was meant for this user.")
@click.argument("ids", nargs=-1, metavar="[ID]...", type=Text())
@plain_faults
def deliver(config: str | None, *, to: str, everything: bool, ids: tuple[str, ...]) -> None:
    """Put mail into a user's inbox.

    It need not have been meant for this user. The service may run meanwhile. What is interrupted is ended by the same
    command, and nothing comes twice.
    """
    from relay.storage.quarantine import give

    if bool(ids) == everything:
        raise click.UsageError("name the mails by their ids, or take --all: one of the two")
    by, house = who_asks(), _open(config)
    user = house.user(to)
    if everything:
        chosen = [one for one in house.held if one.arrival.user == user.name and one.path is not None]
    else:
        chosen = list({one.arrival.id: one for one in map(house.choose, ids)}.values())
    for one in chosen:
        if one.path is None:
            fail(f"{one.arrival.id}: {_state(one)}")
    if not chosen:
        fail(f"nothing in the quarantine is for {user.name} ({count(len(house.held), 'mail')} in all)")
    with progress(f"Delivering to {user.name}", len(chosen)) as step:
        for one in chosen:
            try:
                path = give(
                    house.engine,
                    one,
                    inboxes=house.settings.inboxes,
                    user=user.name,
                    address=user.address,
                    shared=house.settings.group is not None,
                    now=time.time_ns() // 1_000_000,
                    by=by,
                )
            except StorageError as error:
                trouble = house.trouble(user.name)
                fail(
                    f"{one.arrival.id} stays in the quarantine: "
                    + (f"the inbox of {user.name} still can't be used: {trouble}" if trouble else str(error))
                )
            say(f"{one.arrival.id} stands in the inbox of {user.name}: {path}")
            _log(house.settings, "quarantine_delivered", one, user=user.name, file=str(path), by=by)
            step(1)


@command.command("delete")
@config_option
@click.option("--yes", is_flag=True, help="Do it without a question.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=Text())
@plain_faults
def delete(config: str | None, *, yes: bool, ids: tuple[str, ...]) -> None:
    """Delete mail for good.

    Each is shown before; its text is not kept anywhere.
    """
    from relay.storage import quarantine

    by, house = who_asks(), _open(config)
    chosen = list({one.arrival.id: one for one in map(house.choose, ids)}.values())
    if not yes:
        for one in chosen:
            _show(house, one)
            say()
        confirm_many(f"Delete {'this mail' if len(chosen) == 1 else f'these {len(chosen)} mails'} for good", yes=False)
    for one in chosen:
        quarantine.delete(house.engine, one, now=time.time_ns() // 1_000_000, by=by)
        say(f"{one.arrival.id} is deleted.")
        _log(house.settings, "quarantine_deleted", one, user=one.arrival.user, file=one.arrival.file, by=by)


def _log(settings: Settings, event: str, one: "Held", *, user: str, file: str, by: str) -> None:
    """Have the running service log what was done; where none runs, write it into the log's file, if there is one."""
    from relay import logs
    from relay.collection.journal import log_decision
    from relay.control.client import ControlError, ask

    told: dict[str, Any] = {
        "event": event,
        "queue_id": one.arrival.id,
        "account": one.arrival.account,
        "user": user,
        "file": file,
        "by": by,
    }
    with contextlib.suppress(ControlError, OSError):  # the deed is done, and stands in the database
        if ask(settings.folder, "log_decision", **told) is None and settings.log.file is not None:
            logs.configure(form=settings.log.format, level=settings.log.level, file=settings.log.file)
            log_decision(told)
