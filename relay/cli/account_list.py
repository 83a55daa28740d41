"""The accounts as `relay account list` shows them: never better than what their last attempts say."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from relay.cli.output import clean, count, say, show_soon, show_time
from relay.cli.table import Column, print_list
from relay.model.account import Account
from relay.rules.moments import utc_time

if TYPE_CHECKING:
    from relay.model.mail import Pause
    from relay.model.maildrop import Mailbox
    from relay.settings import Settings
    from relay.storage.account_news import AccountNews
    from relay.storage.engine import Database

_WIDE: Final = 76
_COLUMNS: Final = (
    Column(title="Account", least=12),
    Column(title="Sends", most=30),
    Column(title="Collects", most=30),
    Column(title="Waiting"),
    Column(title="Held", optional=5),
    Column(title="Address", least=16, optional=1),
    Column(title="Owner", least=6, most=16, optional=2),
    Column(title="Server", least=16, most=40, optional=3),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What is known of one account."""

    account: Account
    waiting: int = 0
    active: int = 0
    held: int = 0
    pause: "Pause | None" = None
    news: "AccountNews | None" = None
    mailbox: "Mailbox | None" = None
    quarantined: int = 0

    @property
    def state(self) -> str:
        """Whether it sends: one of a few words, for people and programs alike."""
        if self.account.excluded:
            return "excluded"
        if self.account.smtp is None:
            return "only receives"
        if self.pause is not None:
            return "paused" if self.pause.by_person else "login refused"
        if self.news is None:
            return "not tried yet"
        if self.fails:
            return "fails"
        return "sends" if self.news.last_sent is not None else "not tried yet"

    @property
    def fails(self) -> bool:
        """Whether the last attempt says something against the account, and not only against one mail."""
        from relay.rules.notice_advice import Advice, FailureReason, choose_advice

        if self.news is None or (reply := self.news.last_error) is None:
            return False
        if reply.code in (0, 421):
            return True
        meaning = choose_advice(reply, FailureReason.REFUSED)
        return meaning in (Advice.SENDER_REFUSED, Advice.AUTHENTICATION, Advice.RELAY_DENIED)


def gather(settings: "Settings", engine: "Database", *, now: int) -> list[Line]:
    """Read what is known of each account, in the order of the rules. `now`: milliseconds since 1970."""
    from relay.storage import admin
    from relay.storage.account_news import read_news
    from relay.storage.arrivals import list_quarantined
    from relay.storage.mailboxes import list_mailboxes

    pauses = {pause.account: pause for pause in admin.list_pauses(engine)}
    counts = admin.count_open(engine)
    news, mailboxes = read_news(engine, now=now), list_mailboxes(engine)
    quarantined = Counter(arrival.account for arrival in list_quarantined(engine))

    def line(account: Account) -> Line:
        states: Mapping[str, int] = counts.get(account.name, {})
        return Line(
            account=account,
            waiting=states.get("queued", 0),
            active=states.get("active", 0),
            held=states.get("held", 0),
            pause=pauses.get(account.name),
            news=news.get(account.name),
            mailbox=mailboxes.get(account.name) if account.is_collected else None,
            quarantined=quarantined[account.name],
        )

    return [line(account) for account in settings.directory.accounts]


def to_json(line: Line) -> dict[str, Any]:
    """Give what programs read; times are ISO 8601 in UTC."""
    account, pause, news, mailbox = line.account, line.pause, line.news, line.mailbox
    return {
        "name": account.name,
        "address": str(account.address),
        "owner": account.owner,
        "server": f"{account.smtp.host}:{account.smtp.port}" if account.smtp else "",
        "state": line.state,
        "waiting": line.waiting,
        "active": line.active,
        "held": line.held,
        "paused_since": None if pause is None else utc_time(pause.since),
        "paused_by": None if pause is None else "command" if pause.by_person else "login refused",
        "reason": "" if pause is None else pause.reason,
        "next_probe": None if pause is None or pause.by_person else utc_time(pause.next_probe),
        "last_sent": None if news is None else utc_time(news.last_sent),
        "last_error": "" if news is None or news.last_error is None else str(news.last_error),
        "failing_since": None if news is None else utc_time(news.failing_since),
        "collected": account.is_collected,
        "last_poll": None if mailbox is None else utc_time(mailbox.last_ok),
        "poll_error": "" if mailbox is None else mailbox.error,
        "quarantined": line.quarantined,
    }


def show(lines: Sequence[Line], *, now: int) -> None:
    """Print the table, and below it what is wrong with each account and what helps."""
    print_list(_COLUMNS, [_row(line, now) for line in lines])
    for line in lines:
        for trouble in _troubles(line):
            say()
            for part in textwrap.wrap(clean(trouble), _WIDE, break_long_words=False, break_on_hyphens=False):
                say(part)


def _row(line: Line, now: int) -> tuple[object, ...]:
    account = line.account
    return (
        account.name,
        _sends(line, now),
        _collects(line, now),
        line.waiting + line.active,
        line.held,
        account.address,
        account.owner,
        f"{account.smtp.host}:{account.smtp.port}" if account.smtp else "",
    )


def _sends(line: Line, now: int) -> str:
    if line.state == "only receives":
        return "no"
    if line.state == "sends" and line.news is not None and line.news.last_sent is not None:
        return f"works, last {show_ago(line.news.last_sent, now)}"
    return line.state.upper() if line.state in ("fails", "login refused") else line.state


def _collects(line: Line, now: int) -> str:
    if not line.account.is_collected:
        return "no"
    if line.mailbox is not None and line.mailbox.error:
        return "FAILS"
    if line.mailbox is None or line.mailbox.last_ok is None:
        return "not tried yet"
    return f"works, last {show_ago(line.mailbox.last_ok, now)}"


def show_ago(milliseconds: int, now: int) -> str:
    """Show a time of the past as shortly as it is clear: `14:05` of today, else with its date."""
    soon = show_soon(milliseconds, now)
    return soon if len(soon) == len("14:05") else show_time(milliseconds)[:10]


def _troubles(line: Line) -> list[str]:
    name, found = line.account.name, []
    held_up = f" {count(line.waiting, 'mail')} {'waits' if line.waiting == 1 else 'wait'}." if line.waiting else ""
    test = f"relay account test {name}"
    if line.pause is not None and line.account.smtp is not None and not line.account.excluded:
        since = show_time(line.pause.since)
        if line.pause.by_person:
            found.append(f"{name}: paused by a command since {since}.{held_up} To go on: relay account resume {name}")
        else:
            found.append(
                f"{name}: the provider refuses the login since {since}: {_sentence(line.pause.reason)}{held_up}"
                f" Nothing is lost, and nothing expires. Correct the password, then: {test}"
            )
    elif line.news is not None and line.news.last_error is not None and line.state != "excluded":
        found.append(_failure(line, held_up, test))
    if line.mailbox is not None and line.mailbox.error:
        good = line.mailbox.last_ok
        since = f"since {show_time(good)}" if good else "so far"
        found.append(f"{name}: nothing could be collected {since}: {_sentence(line.mailbox.error)} See: {test}")
    if line.quarantined:
        found.append(
            f"{name}: {count(line.quarantined, 'collected mail')} could not be put into an inbox, and"
            f" {'lies' if line.quarantined == 1 else 'lie'} in the quarantine. See: relay quarantine list"
        )
    return found


def _failure(line: Line, held_up: str, test: str) -> str:
    news = line.news
    assert news is not None
    assert news.last_error is not None
    if line.fails:
        since = show_time(news.failing_since)
        return f"{line.account.name}: can't send since {since}: {_sentence(news.last_error)}{held_up} See: {test}"
    return (
        f"{line.account.name}: the last try, {show_time(news.failed_at)}, was in vain: {_sentence(news.last_error)}"
        f"{held_up} That may be about this mail alone: relay queue list"
    )


def _sentence(said: object) -> str:
    """End what a server said with one full stop, whether it had one or not."""
    return f"{str(said).rstrip('. ')}."
