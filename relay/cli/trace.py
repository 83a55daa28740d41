"""`relay trace`: the whole life of one mail."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from relay.cli.choosing import Text
from relay.cli.configuration import config_option, json_option, load, open_storage, plain_faults
from relay.cli.output import clean, print_facts, print_json, say, show_outcome, show_size, show_time
from relay.model.mail import EVERY_ACCOUNT

if TYPE_CHECKING:
    from relay.storage.admin import DeliveryRow, EventRow, MessageDetail, PauseRow


@click.command("trace")
@config_option
@json_option
@click.argument("id", type=Text())
@plain_faults
def command(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Tell the whole life of one mail, by its queue id (or the beginning of it) or its Message-ID."""
    from relay.storage import admin

    engine = open_storage(load(config))
    traces = [admin.show_message(engine, message_id) for message_id in admin.find_messages(engine, id)]
    if as_json:
        print_json(traces)
        return
    for trace in traces:
        _show(trace)


def _show(mail: "MessageDetail") -> None:
    print_facts(
        [
            ("Mail", f"{mail.id} {mail.header_message_id}"),
            ("Subject", mail.subject),
            ("From", f"{mail.user or 'nobody known'} at {mail.client}, envelope sender <{mail.reverse_path}>"),
            ("Size", show_size(mail.size)),
        ]
    )
    say()
    for at, text in _life(mail):
        say(f"{show_time(at)}  {text}")
        if at == mail.received_at and text.startswith("accepted"):
            for step in mail.why.splitlines():
                say(f"{'':21}- {step}")
    for delivery in mail.deliveries:
        say()
        say(_where(delivery))
        for recipient in delivery.recipients:
            kind = {"archive": " (blind copy)", "inbox": " (inbox)"}.get(recipient.kind, "")
            say(f"  {clean(recipient.address)}{kind}: {show_outcome(recipient)}")
    if mail.notices:
        say()
        say(f"Notices about it: {', '.join(mail.notices)}")


def _life(mail: "MessageDetail") -> list[tuple[int, str]]:
    """Give all that happened to a mail, in its order."""
    accepted = f"accepted: rule {mail.rule}, account {mail.account or 'inbox'}"
    if mail.about:
        accepted = f"written, about the mail {mail.about}"
    events = [(one.at, f"{_WHAT.get(one.what, one.what)}: {one.detail}") for one in mail.events]
    events += [event for delivery in mail.deliveries for event in _attempts(mail, delivery)]
    events += [event for pause in mail.pauses for event in _standstill(pause, mail.received_at)]
    return [(mail.received_at, accepted), *sorted(events)]


_WHAT = {
    "held": "held",
    "released": "released",
    "retried": "to be tried at once",
    "moved": "moved",
    "possible_duplicate": "may have been sent already",
    "archive_split": "split",
    "doubt_split": "split",
    "deleted": "deleted",
    "given_up": "given up: its time was over",
    "notice_moved": "this notice takes another way",
    "delay_told": "its sender was told of the delay, by the notice",
}


def _standstill(pause: "PauseRow", received_at: int) -> list[tuple[int, str]]:
    """Tell of a pause where it began, or where the mail came into it, and where it ended."""
    who = f"account {pause.account}" if not pause.account.startswith(EVERY_ACCOUNT) else "every account"
    since = "" if pause.since >= received_at else f" since {show_time(pause.since)}"
    told = [(max(pause.since, received_at), f"{who} is paused{since}: {pause.reason}")]
    return told if pause.until is None else [*told, (pause.until, f"{who} goes on")]


def _attempts(mail: "MessageDetail", delivery: "DeliveryRow") -> list[tuple[int, str]]:
    return [
        (
            one.at,
            f"attempt {one.n}{_by(account)}, {one.seconds:.2f} s: "
            + (" ".join(filter(None, (str(one.code or ""), one.enhanced, one.reply))) or "no reply"),
        )
        for one, account in zip(delivery.tries, accounts_of_attempts(mail, delivery), strict=True)
    ]


def _by(account: str | None) -> str:
    return "" if account is None else f" by {account or 'the inbox'}"


def accounts_of_attempts(mail: "MessageDetail", delivery: "DeliveryRow") -> list[str | None]:
    """Give by which account each attempt of a delivery was made; None where nothing tells.

    What is stored is the account of now: which one it was before tell the moves in the mail's history, and the account
    that took the mail in.
    """
    moves = sorted(filter(None, map(_read_move, mail.events)), key=lambda move: move.at)
    if not delivery.account and all(move.after for move in moves):  # what goes into an inbox is not moved
        return [delivery.account for _ in delivery.tries]
    return [_account_at(one.at, moves, mail.account, delivery.account) for one in delivery.tries]


def _account_at(at: int, moves: "list[_Move]", first: str, last: str) -> str | None:
    earlier = [move for move in moves if move.at <= at]
    later = moves[len(earlier) :]
    if not later:
        return last
    return later[0].before or (earlier[-1].after if earlier else first or None)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Move:
    """A mail's way from one account to another; the first may not be known, an empty second one is the inbox."""

    at: int
    before: str | None
    after: str


def _read_move(event: "EventRow") -> _Move | None:
    if event.what == "moved":
        _, found, after = event.detail.partition(" to the account ")
        return _Move(at=event.at, before=None, after=after) if found else None
    if event.what == "notice_moved":
        before, _, way = event.detail.rpartition(" fails: ")
        return _Move(at=event.at, before=before, after="" if way == "into the inbox" else way.removeprefix("through "))
    return None


def _where(delivery: "DeliveryRow") -> str:
    what = "the archive's version" if delivery.version else "the mail"
    doubt = ", may have been sent already" if delivery.uncertain else ""
    match delivery.state:
        case "queued":
            state = f"waits, next attempt {show_time(delivery.due)}"
        case "active":
            state = "is being delivered now"
        case "held":
            state = "is held: `relay queue release` or `delete` decides"
        case _:
            state = "is done"
    return f"Now: {what} {state}{doubt}"
