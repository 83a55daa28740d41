"""One mail for people: how it stands, what helps, what became of each recipient, and all that happened to it."""

import dataclasses
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from relay.cli.mail_json import account_of, trace_json
from relay.cli.mail_table import say_in_short
from relay.cli.moves import accounts_of_attempts
from relay.cli.output import clean, count, print_facts, say, show_size, show_soon, show_time
from relay.model.mail import EVERY_ACCOUNT
from relay.model.reply import Reply
from relay.rules.state_words import say_standing
from relay.rules.states import DELETED, Situation, Standing, Standstill, find_standing

if TYPE_CHECKING:
    from relay.storage.admin import AttemptRow, DeliveryRow, MessageDetail, PauseRow, RecipientRow


def details_json(mails: "Sequence[MessageDetail]", now: int, standstill: Standstill) -> list[dict[str, Any]]:
    """Give mails with their history as JSON."""
    return [
        trace_json(mail, now, standstill, [accounts_of_attempts(mail, way) for way in mail.deliveries])
        for mail in mails
    ]


def show_mail(mail: "MessageDetail", now: int, standstill: Standstill) -> None:
    """Show where a mail comes from, how it stands, and what became of each recipient."""
    standing = find_standing(mail.deliveries, now=now, standstill=standstill)
    print_facts(
        [
            ("Queue id", mail.id),
            ("State", f"{standing.state}: {say_in_short(standing, now)}"),
            ("What to do", advise(mail, standing)),
            ("Received", show_time(mail.received_at)),
            ("Client", mail.client),
            ("User", mail.user or "nobody"),
            ("Rule", mail.rule),
            ("Account", account_of(mail.account, mail.deliveries) or "inbox"),
            ("Envelope sender", mail.reverse_path or "<>"),
            ("Message-ID", mail.header_message_id),
            ("Subject", mail.subject),
            ("Size", show_size(mail.size)),
            ("Why", mail.why),
        ]
    )
    _show_recipients(mail, now, standstill)
    say()
    for way in mail.deliveries:
        say(
            f"Delivery {way.id} by {f'the account {way.account}' if way.account else 'the inbox'}:"
            f" {count(way.attempts, 'attempt')}{_by_others(mail, way)}"
        )


def trace_mail(mail: "MessageDetail", now: int, standstill: Standstill) -> None:
    """Tell the whole life of a mail, and how it stands now."""
    standing = find_standing(mail.deliveries, now=now, standstill=standstill)
    print_facts(
        [
            ("Mail", f"{mail.id} {mail.header_message_id}"),
            ("Subject", mail.subject),
            ("From", f"{_who(mail)}, envelope sender <{mail.reverse_path}>"),
            ("Size", show_size(mail.size)),
            ("State", f"{standing.state}: {say_in_short(standing, now)}"),
            ("What to do", advise(mail, standing)),
        ]
    )
    say()
    for at, text in _life(mail):
        say(f"{show_time(at)}  {text}")
        if at == mail.received_at and text.startswith("accepted"):
            for step in mail.why.splitlines():
                say(f"{'':21}- {step}")
    _show_recipients(mail, now, standstill)
    if mail.notices:
        say()
        say(f"Notices about it: {', '.join(mail.notices)}")


def advise(mail: "MessageDetail", standing: Standing) -> str:
    """Say which command helps; empty where none need."""
    situation = standing.copy if standing.copy in _DECISIONS else standing.situation
    account = shlex.quote(account_of(mail.account, mail.deliveries))
    return _ADVICE.get(situation or standing.situation, "").format(id=mail.id, account=account)


_DECISIONS = (Situation.HELD, Situation.IN_DOUBT, Situation.NO_ACCOUNT)
_DELETE = "`relay queue delete {id}` throws it away"
_ADVICE = {
    Situation.LATER: "nothing; `relay queue retry {id}` tries it now",
    Situation.RETRY: "nothing; `relay queue retry {id}` tries it now",
    Situation.CLOSED: "nothing; `relay queue retry {id}` tries it now, though the office is closed",
    Situation.PAUSED: "`relay account resume {account}` lets the account send again",
    Situation.REFUSED_LOGIN: "put the right password into the configuration; `relay account test {account}` tries it",
    Situation.HELD: f"`relay queue release {{id}}` sends it, {_DELETE}",
    Situation.IN_DOUBT: f"`relay queue release {{id}}` sends it, perhaps a second time; {_DELETE}",
    Situation.NO_ACCOUNT: f"`relay queue move {{id}} --account NAME` gives it an account that sends, and `relay queue"
    f" release {{id}}` then sends it; {_DELETE}",
}


def _who(mail: "MessageDetail") -> str:
    return "the service itself" if mail.notice else f"{mail.user or 'nobody known'} at {mail.client}"


def _show_recipients(mail: "MessageDetail", now: int, standstill: Standstill) -> None:
    for kinds, title in ((("to", "inbox"), "To whom:"), (("archive",), "Blind copy:")):
        found = [(way, one) for way in mail.deliveries for one in way.recipients if one.kind in kinds]
        if found:
            say()
            say(title)
        for way, one in sorted(found, key=lambda pair: pair[1].n):
            inbox = " (inbox)" if one.kind == "inbox" else ""
            say(f"  {clean(one.address)}{inbox}: {_say_recipient(way, one, now, standstill)}")


def _say_recipient(way: "DeliveryRow", one: "RecipientRow", now: int, standstill: Standstill) -> str:
    standing = find_standing([dataclasses.replace(way, recipients=(one,))], now=now, standstill=standstill)
    said = str(Reply(code=one.code, enhanced=one.enhanced, text=one.reply))
    words = say_standing(standing, "en", lambda at: show_soon(at, now))
    return f"{words} ({clean(said)})" if said and said != DELETED else words


def _by_others(mail: "MessageDetail", way: "DeliveryRow") -> str:
    """Tell how many attempts other accounts have made, before the mail was moved."""
    counts = Counter(one for one in accounts_of_attempts(mail, way) if one != way.account)
    shown = [
        f"{number} by {'another account' if name is None else name or 'the inbox'}" for name, number in counts.items()
    ]
    return f" ({', '.join(shown)}, before it was moved)" if shown else ""


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
            + (" ".join(filter(None, (str(one.code or ""), one.enhanced, one.reply))) or "no reply")
            + _taken_for(one, delivery),
        )
        for one, account in zip(delivery.tries, accounts_of_attempts(mail, delivery), strict=True)
    ]


def _taken_for(attempt: "AttemptRow", way: "DeliveryRow") -> str:
    """Say for whom the provider took the mail, where that was not for all: its answer to the rest is below."""
    real = [one for one in way.recipients if one.kind != "archive"]
    taken = [one for one in real if one.outcome == "delivered"]
    is_only = sum(200 <= one.code < 300 for one in way.tries) == 1
    if not 200 <= attempt.code < 300 or not real or (taken and not is_only) or len(taken) == len(real):
        return ""
    return f" (taken for {len(taken)} of {count(len(real), 'recipient')})" if taken else " (for the blind copy alone)"


def _by(account: str | None) -> str:
    return "" if account is None else f" by {account or 'the inbox'}"
