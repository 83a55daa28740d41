"""Mails as a table for people: one line a mail, whose id is always whole."""

from typing import TYPE_CHECKING, Final

from relay.cli.output import show_age, show_size
from relay.cli.table import Column, print_list
from relay.rules.states import State

if TYPE_CHECKING:
    from relay.admin.answers import MailPage
    from relay.admin.mail_answers import ListedMail

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


def print_mails(page: "MailPage") -> None:
    """Print a table of mails."""
    print_list(_COLUMNS, [_row(mail, told, page.now) for mail, told in zip(page.mails, page.words, strict=True)])


def _row(mail: "ListedMail", told: str, now: int) -> tuple[object, ...]:
    return (
        mail.queue_id,
        show_age(now - mail.received),
        _people(mail),
        told,
        mail.account or "inbox",
        mail.user or "",
        mail.subject,
        show_size(mail.size),
    )


def _people(mail: "ListedMail") -> tuple[str, str]:
    """Give the first of those who have not got it, else of all, and how many there are beside."""
    people = [one for one in mail.recipients if one.kind != "archive"] or list(mail.recipients)
    first = next((one for one in people if one.state.is_open), None) or next(
        (one for one in people if one.state is State.FAILED), people[0] if people else None
    )
    return ("", "") if first is None else (first.address, f" +{len(people) - 1}" if len(people) > 1 else "")
