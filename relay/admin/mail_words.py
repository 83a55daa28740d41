"""One mail for people: how it stands, what helps, what became of each recipient, and all that happened to it."""

import dataclasses
import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Final

from relay.admin.mail_views import account_of, accounts_of_attempts, view_traced
from relay.admin.requests import Told
from relay.admin.room import Room
from relay.admin.words import count, show_size, show_soon, show_time
from relay.escaping import printable
from relay.model.mail import EVERY_ACCOUNT, Pause
from relay.model.reply import Reply
from relay.model.state import State
from relay.rules.state_words import say_cause, say_situation, say_standing
from relay.rules.states import DELETED, MailRecipient, Situation, Standing, Standstill, find_standing
from relay.storage.admin import AttemptRow, DeliveryRow, MessageDetail

_WITHOUT_CAUSE: Final = (Situation.DELIVERED, Situation.ACTIVE, Situation.HELD, Situation.NO_ACCOUNT)
"""Of these the last reply is not the cause."""


def say_in_short(standing: Standing, room: Room) -> str:
    """Say in one line how a mail stands, why, who has it, and how its blind copy stands where that needs somebody."""
    told = say_standing(standing, "en", lambda at: show_soon(at, room.now, room.zone))
    if standing.cause is not None and standing.situation not in _WITHOUT_CAUSE:
        told += f": {say_cause(standing.cause, 'en', is_over=bool(standing.lost))}"
    if standing.reached and standing.state is not State.DELIVERED:
        told += f"; {standing.reached} of {standing.reached + standing.lost + standing.left} have it"
    waits_too = standing.state.is_open and standing.copy_state is not State.HELD
    if standing.copy is not None and standing.copy_state is not State.DELIVERED and not waits_too:
        told += f"; blind copy {say_situation(standing.copy, 'en', 'later')}"
    return told


class MailWords:
    """Tells of one mail."""

    def __init__(self, mail: MessageDetail, room: Room, standstill: Standstill) -> None:
        self._mail = mail
        self._room = room
        self._standstill = standstill
        self.standing = find_standing(mail.deliveries, now=room.now, standstill=standstill)

    def show(self) -> Told:
        """Tell where the mail comes from, how it stands, and what became of each recipient."""
        mail = self._mail
        facts = (
            ("Queue id", mail.id),
            *self._state(),
            ("Received", self._time(mail.received_at)),
            ("Client", mail.client),
            ("User", mail.user or "nobody"),
            ("Rule", mail.rule),
            ("Account", account_of(mail.account, mail.deliveries) or "inbox"),
            ("Envelope sender", mail.sender or "<>"),
            ("Message-ID", mail.header_message_id),
            ("Subject", mail.subject),
            ("Size", show_size(mail.size)),
            ("Why", mail.why),
        )
        deliveries = (
            f"Delivery {way.id} by {f'the account {way.account}' if way.account else 'the inbox'}:"
            f" {count(way.attempts, 'attempt')}{_by_others(mail, way)}"
            for way in mail.deliveries
        )
        json = view_traced(mail, self.standing)
        return Told(json=(json,), facts=facts, lines=(*self._recipients(), "", *deliveries))

    def trace(self) -> Told:
        """Tell the whole life of the mail, and how it stands now."""
        mail = self._mail
        who = "the service itself" if mail.notice else f"{mail.user or 'nobody known'} at {mail.client}"
        facts = (
            ("Mail", f"{mail.id} {mail.header_message_id}"),
            ("Subject", mail.subject),
            ("From", f"{who}, envelope sender <{mail.sender}>"),
            ("Size", show_size(mail.size)),
            *self._state(),
        )
        lines = [""]
        for at, text in self._life():
            lines.append(f"{self._time(at)}  {text}")
            if at == mail.received_at and text.startswith("accepted"):
                lines += [f"{'':21}- {step}" for step in mail.why.splitlines()]
        lines += self._recipients()
        if mail.notices:
            lines += ["", f"Notices about it: {', '.join(mail.notices)}"]
        json = {"direction": "outgoing", **view_traced(mail, self.standing)}
        return Told(json=(json,), facts=facts, lines=tuple(lines))

    def _time(self, at: int) -> str:
        return show_time(at, self._room.zone)

    def _state(self) -> tuple[tuple[str, str], ...]:
        """Say how the mail stands, and which command helps, where one is needed."""
        mail, standing = self._mail, self.standing
        situation = standing.copy if standing.copy in _DECISIONS else standing.situation
        account = shlex.quote(account_of(mail.account, mail.deliveries))
        advice = _ADVICE.get(situation or standing.situation, "").format(id=mail.id, account=account)
        return ("State", f"{standing.state}: {say_in_short(standing, self._room)}"), ("What to do", advice)

    def _recipients(self) -> Iterator[str]:
        for kinds, title in ((("to", "inbox"), "To whom:"), (("archive",), "Blind copy:")):
            found = [(way, one) for way in self._mail.deliveries for one in way.recipients if one.kind in kinds]
            if found:
                yield ""
                yield title
            for way, one in sorted(found, key=lambda pair: pair[1].n):
                inbox = " (inbox)" if one.kind == "inbox" else ""
                yield f"  {printable(one.address)}{inbox}: {self._say_recipient(way, one)}"

    def _say_recipient(self, way: DeliveryRow, one: MailRecipient) -> str:
        now, zone = self._room.now, self._room.zone
        standing = find_standing([dataclasses.replace(way, recipients=(one,))], now=now, standstill=self._standstill)
        said = str(Reply(code=one.code, enhanced=one.enhanced, text=one.reply))
        words = say_standing(standing, "en", lambda at: show_soon(at, now, zone))
        return f"{words} ({printable(said)})" if said and said != DELETED else words

    def _life(self) -> list[tuple[int, str]]:
        mail = self._mail
        accepted = f"accepted: rule {mail.rule}, account {mail.account or 'inbox'}"
        if mail.about:
            accepted = f"written, about the mail {mail.about}"
        events = [(one.at, f"{_WHAT.get(one.what, one.what)}: {one.detail}") for one in mail.events]
        events += [event for delivery in mail.deliveries for event in _attempts(mail, delivery)]
        events += [event for pause in mail.pauses for event in self._pause(pause)]
        return [(mail.received_at, accepted), *sorted(events)]

    def _pause(self, pause: Pause) -> list[tuple[int, str]]:
        """Tell of a pause where it began, or where the mail came into it, and where it ended."""
        who = f"account {pause.account}" if not pause.account.startswith(EVERY_ACCOUNT) else "every account"
        since = "" if pause.since >= self._mail.received_at else f" since {self._time(pause.since)}"
        told = [(max(pause.since, self._mail.received_at), f"{who} is paused{since}: {pause.reason}")]
        return told if pause.until is None else [*told, (pause.until, f"{who} goes on")]


_DECISIONS = (Situation.HELD, Situation.IN_DOUBT, Situation.NO_ACCOUNT)
_DELETE = "`relay queue delete {id}` throws it away"
_ADVICE = {
    Situation.LATER: "nothing; `relay queue retry {id}` tries it now",
    Situation.RETRY: "nothing; `relay queue retry {id}` tries it now",
    Situation.CLOSED: "nothing; `relay queue retry {id}` tries it now, though the office is closed",
    Situation.PAUSED: "`relay account resume {account}` lets the account send again",
    Situation.REFUSED_LOGIN: "`relay account test {account}` says what the provider refuses and what mends it",
    Situation.HELD: f"`relay queue release {{id}}` sends it, {_DELETE}",
    Situation.IN_DOUBT: f"`relay queue release {{id}}` sends it, perhaps a second time; {_DELETE}",
    Situation.NO_ACCOUNT: f"`relay queue move {{id}} --account NAME` gives it an account that sends, and `relay queue"
    f" release {{id}}` then sends it; {_DELETE}",
}


def _by_others(mail: MessageDetail, way: DeliveryRow) -> str:
    """Tell how many attempts other accounts have made, before the mail was moved."""
    counts = Counter(one for one in accounts_of_attempts(mail, way) if one != way.account)
    shown = [
        f"{number} by {'another account' if name is None else name or 'the inbox'}" for name, number in counts.items()
    ]
    return f" ({', '.join(shown)}, before it was moved)" if shown else ""


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


def _attempts(mail: MessageDetail, delivery: DeliveryRow) -> list[tuple[int, str]]:
    return [
        (
            one.at,
            f"attempt {one.n}"
            + ("" if account is None else f" by {account or 'the inbox'}")
            + f", {one.seconds:.2f} s: "
            + (" ".join(filter(None, (str(one.code or ""), one.enhanced, one.reply))) or "no reply")
            + _taken_for(one, delivery),
        )
        for one, account in zip(delivery.tries, accounts_of_attempts(mail, delivery), strict=True)
    ]


def _taken_for(attempt: AttemptRow, way: DeliveryRow) -> str:
    """Say for whom the provider took the mail, where that was not for all: its answer to the rest is below."""
    real = [one for one in way.recipients if one.kind != "archive"]
    taken = [one for one in real if one.outcome == "delivered"]
    is_only = sum(200 <= one.code < 300 for one in way.tries) == 1
    if not 200 <= attempt.code < 300 or not real or (taken and not is_only) or len(taken) == len(real):
        return ""
    return f" (taken for {len(taken)} of {count(len(real), 'recipient')})" if taken else " (for the blind copy alone)"
