"""Mails as a table for people: one line a mail, whose id is always whole."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from relay.cli.mail_json import account_of
from relay.cli.output import show_age, show_size, show_soon
from relay.cli.table import Column, print_list
from relay.rules.state_words import say_cause, say_situation, say_standing
from relay.rules.states import Situation, Standing, Standstill, State, find_standing

if TYPE_CHECKING:
    from relay.storage.listing import MailRow

_COLUMNS: Final = (
    Column(title="Queue id"),
    Column(title="Age"),
    Column(title="To", least=14, wish=24),
    Column(title="How it stands", least=28, wish=56, most=80),
    Column(title="Account", least=8, most=20, optional=1),
    Column(title="User", least=6, most=16, optional=3),
    Column(title="Subject", least=12, optional=2),
    Column(title="Size", optional=4),
)


_WITHOUT_CAUSE: Final = (Situation.DELIVERED, Situation.ACTIVE, Situation.HELD, Situation.NO_ACCOUNT)
"""Of these the last reply is not the cause."""


def print_mails(mails: "Sequence[MailRow]", standstill: Standstill, now: int) -> None:
    """Print a table of mails; `now` in milliseconds."""
    print_list(_COLUMNS, [_row(mail, standstill, now) for mail in mails])


def _row(mail: "MailRow", standstill: Standstill, now: int) -> tuple[object, ...]:
    standing = find_standing(mail.deliveries, now=now, standstill=standstill)
    return (
        mail.id,
        show_age(now - mail.received_at),
        _people(mail),
        say_in_short(standing, now),
        account_of(mail.account, mail.deliveries) or "inbox",
        mail.user or "",
        mail.subject,
        show_size(mail.size),
    )


def _people(mail: "MailRow") -> tuple[str, str]:
    """Give the first of those who have not got it, else of all, and how many there are beside."""
    all_of_them = [one for way in mail.deliveries for one in way.recipients]
    people = [one for one in all_of_them if one.kind != "archive"] or all_of_them
    first = next((one for one in people if one.outcome == "pending"), None) or next(
        (one for one in people if one.outcome == "bounced"), people[0] if people else None
    )
    return ("", "") if first is None else (first.address, f" +{len(people) - 1}" if len(people) > 1 else "")


def say_in_short(standing: Standing, now: int) -> str:
    """Say in one line how a mail stands, why, who has it, and how its blind copy stands where that needs somebody."""
    told = say_standing(standing, "en", lambda at: show_soon(at, now))
    if standing.cause is not None and standing.situation not in _WITHOUT_CAUSE:
        told += f": {say_cause(standing.cause, 'en', is_over=bool(standing.lost))}"
    if standing.reached and standing.state is not State.DELIVERED:
        told += f"; {standing.reached} of {standing.reached + standing.lost + standing.left} have it"
    if standing.copy is not None and not _goes_without_saying(standing):
        told += f"; blind copy {say_situation(standing.copy, 'en', 'later')}"
    return told


def _goes_without_saying(standing: Standing) -> bool:
    """Whether the blind copy went, or waits with the mail."""
    return standing.copy_state is State.DELIVERED or (standing.state.is_open and standing.copy_state is not State.HELD)
