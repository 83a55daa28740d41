"""The accounts as `relay account list` shows them: never better than what their last attempts say."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final

from relay.admin.requests import Json, ListAccounts, Note, PauseAccount, Told
from relay.admin.room import Room
from relay.admin.words import count, fold, show_moment, show_soon, show_time, unknown
from relay.events.admin import AdminAction
from relay.model.errors import NotFoundError, NothingStoredError, StateConflictError
from relay.rules.answers.login_way import LoginWay, advise_way, find_way, suit
from relay.rules.answers.reading import explain, explain_poll, find_row, parse_stored
from relay.rules.answers.row import Stage
from relay.rules.answers.token_rows import is_ours, quotes_issuer
from relay.rules.moments import utc_time
from relay.storage import admin
from relay.storage.admin import AccountNews, read_news
from relay.storage.arrivals import list_quarantined
from relay.storage.engine import transaction
from relay.storage.logins import list_logins
from relay.storage.standing import QueueState, read_standing
from relay.watching.snapshot import AccountState, sign_in_of

_REASONS: Final = ("login refused", "can't log in")
"""Why an account is paused, where no person has done so; the second: no provider has refused it."""
_PAUSED_BY: Final = ("login refused", "no login")
"""The same for programs."""
_LOUD: Final = ("fails", *_REASONS, "not signed in")
"""What a person must see in the list at once."""
_NOTHING_YET: Final = (
    "The service has not run here yet, so that only relay.toml is known: not whether an account works, nor what waits"
    " for it. `relay account test --all` tries them; `systemctl start relay` (or `relay serve`) starts it."
)
_WIDE: Final = 76
"""Characters of a line of advice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line(AccountState):
    """What is known of one account."""

    news: AccountNews = field(default_factory=AccountNews)
    quarantined: int = 0

    @property
    def state(self) -> str:
        """Whether it sends: one of a few words, for people and programs alike."""
        if self.account.excluded:
            return "excluded"
        if not self.account.has_way_out:
            return "only receives"
        if self.pause is not None:
            return "paused" if self.pause.by_person else _REASONS[self.lacks_login]
        if self.needs_sign_in:
            return "not signed in"
        if self.fails:
            return "fails"
        return "sends" if self.news.last_sent is not None else "not tried yet"

    @property
    def lacks_login(self) -> bool:
        """Whether the account is paused since it has nothing to log in with, so that no provider has refused it."""
        return self.pause is not None and is_ours(parse_stored(self.pause.reason).text)

    @property
    def fails(self) -> bool:
        """Whether the last attempt says something against the account, and not only against one mail."""
        if (reply := self.news.last_error) is None:
            return False
        if reply.code in (0, 421):
            return True
        return find_row(reply).about.is_of_account


def list_(room: Room, _request: ListAccounts) -> Iterator[Told | Note]:
    """List the accounts in the order of the rules, with what is wrong with each and what helps.

    Before anything has run, of what the configuration says.
    """
    settings = room.settings
    if not settings.directory.accounts:
        text = f"There is no account yet: relay account add NAME --address ADDRESS puts one into {settings.path}"
        yield Told(nothing=text, nothing_matters=True)
        return
    try:
        database = room.database
    except NothingStoredError:
        yield tell([Line(account=account) for account in settings.directory.accounts], room.now, room.zone)
        yield Note(text=_NOTHING_YET, is_fault=True)
        return
    with transaction(database, write=False) as tx:
        standing = read_standing(tx, hours=settings.hours, retry=settings.retry, now=room.now)
        signs_in = any(account.oauth is not None for account in settings.directory.accounts)
        logins = list_logins(tx) if signs_in else {}
    news = read_news(database, now=room.now)
    quarantined = Counter(arrival.account for arrival in list_quarantined(database))
    lines = [
        Line(
            account=account,
            queue=standing.queues.get(account.name, QueueState()),
            pause=standing.pauses.get(account.name),
            news=news.get(account.name, AccountNews()),
            mailbox=standing.mailboxes.get(account.name) if account.is_collected else None,
            quarantined=quarantined[account.name],
            sign_in=sign_in_of(account, logins),
        )
        for account in settings.directory.accounts
    ]
    yield tell(lines, room.now, room.zone)


def tell(lines: Sequence[Line], now: int, zone: tzinfo) -> Told:
    """Tell how accounts stand."""
    troubles = [trouble for line in lines for trouble in find_troubles(line, zone)]
    return Told(
        json=tuple(map(view, lines)),
        rows=tuple(
            (
                line.account.name,
                _sends(line, now, zone),
                _collects(line, now, zone),
                str(line.queue.waiting + line.queue.active),
                str(line.queue.held),
                str(line.account.address),
                line.account.owner or "",
                line.account.outgoing_server,
            )
            for line in lines
        ),
        lines=tuple(part for trouble in troubles for part in ("", *fold(trouble, _WIDE))),
    )


def pause(room: Room, request: PauseAccount) -> Iterator[Note]:
    """Pause an account until it is resumed, or end its pause, whoever began it."""
    name = request.account
    if room.settings.directory.account(name) is None:
        known = (one.name for one in room.settings.directory.accounts)
        raise NotFoundError(unknown("account", name, known))
    if request.resume:
        if not admin.resume_account(room.database, name, now=room.now):
            raise StateConflictError(f"{name} is not paused; `relay account list` says how it stands")
    else:
        admin.pause_account(room.database, name, now=room.now)
    room.service.record(AdminAction(action="resume" if request.resume else "pause", by=room.by, account=name))
    room.service.rescan()
    over = f"the pause of {name} is over; `relay account list` says whether it works"
    yield Note(text=over if request.resume else f"{name} is paused")


def view(line: Line) -> Json:
    """Return what programs read."""
    account, pause, news, mailbox = line.account, line.pause, line.news, line.mailbox
    return {
        "name": account.name,
        "address": str(account.address),
        "owner": account.owner,
        "server": account.outgoing_server,
        "state": line.state,
        "waiting": line.queue.waiting,
        "active": line.queue.active,
        "held": line.queue.held,
        "paused_since": None if pause is None else utc_time(pause.since),
        "paused_by": None if pause is None else "command" if pause.by_person else _PAUSED_BY[line.lacks_login],
        "reason": "" if pause is None else pause.reason,
        "next_probe": None if pause is None or pause.by_person else utc_time(pause.next_probe),
        "last_sent": utc_time(news.last_sent),
        "last_error": "" if news.last_error is None else str(news.last_error),
        "failing_since": utc_time(news.failing_since),
        "collected": account.is_collected,
        "last_poll": None if mailbox is None else utc_time(mailbox.last_ok),
        "poll_error": "" if mailbox is None else mailbox.error,
        "quarantined": line.quarantined,
    }


def _sends(line: Line, now: int, zone: tzinfo) -> str:
    if line.state == "only receives":
        return "no"
    if line.state == "sends" and line.news.last_sent is not None:
        return f"works, last {show_ago(line.news.last_sent, now, zone)}"
    return line.state.upper() if line.state in _LOUD else line.state


def _collects(line: Line, now: int, zone: tzinfo) -> str:
    if not line.account.is_collected:
        return "no"
    if line.mailbox is not None and line.mailbox.error:
        return "FAILS"
    if line.needs_sign_in:
        return "NOT SIGNED IN"
    if line.mailbox is None or line.mailbox.last_ok is None:
        return "not tried yet"
    return f"works, last {show_ago(line.mailbox.last_ok, now, zone)}"


def show_ago(milliseconds: int, now: int, zone: tzinfo) -> str:
    """Show a time of the past as shortly as it is clear: `14:05` of today, else with its date."""
    soon = show_soon(milliseconds, now, zone)
    return soon if len(soon) == len("14:05") else show_time(milliseconds, zone)[:10]


def find_troubles(line: Line, zone: tzinfo) -> list[str]:
    """Say what is wrong with an account, and what helps."""
    name, found = line.account.name, []
    held_up = f" {count(line.queue.waiting, 'mail waits', 'mails wait')}." if line.queue.waiting else ""
    quoted, way = shlex.quote(name), find_way(line.account.oauth)
    test = f"relay account test {quoted}"
    if line.pause is not None and line.account.sends:
        since = show_moment(line.pause.since, zone)
        if line.pause.by_person:
            found.append(f"{name}: paused by a command since {since}.{held_up} To go on: relay account resume {quoted}")
        else:
            meaning, mend = _meaning(line.pause.reason, name, way, Stage.LOGIN), advise_way(way, "en", account=quoted)
            said = parse_stored(line.pause.reason).text if line.lacks_login else line.pause.reason
            # Our own words are those of the meaning; an issuer's are not.
            told = "." if line.lacks_login and meaning and not quotes_issuer(said) else f": {_sentence(said)}"
            what = "can't log in" if line.lacks_login else "the provider refuses the login"
            found.append(
                f"{name}: {what} since {since}{told}{held_up} Nothing is lost, and nothing expires."
                f" {meaning or mend} Then: {test}"
            )
    elif line.needs_sign_in:
        found.append(f"{name}: nobody has signed in yet.{held_up} To do so: relay account authorize {quoted}")
    elif line.news.last_error is not None and line.state != "excluded":
        said, news = _sentence(line.news.last_error), line.news
        if line.fails:
            since = show_moment(news.failing_since, zone)
            meaning = f" {_meaning(str(line.news.last_error), name, way)}".rstrip()
            found.append(f"{name}: can't send since {since}: {said}{meaning}{held_up} See: {test}")
        else:
            found.append(
                f"{name}: the last try, {show_moment(news.failed_at, zone)}, was in vain: {said}{held_up} That may be"
                " about this mail alone: relay queue list"
            )
    if line.mailbox is not None and line.mailbox.error:
        good = line.mailbox.last_ok
        since = f"since {show_moment(good, zone)}" if good else "so far"
        words = suit(explain_poll(line.mailbox.error, "en", account=quoted), way, "en", account=quoted)
        meaning = "" if words is None else f" {words}"
        found.append(
            f"{name}: nothing could be collected {since}: {_sentence(line.mailbox.error)}{meaning} See: {test}"
        )
    if line.quarantined:
        found.append(
            f"{name}: {count(line.quarantined, 'collected mail')} could not be put into an inbox, and"
            f" {'lies' if line.quarantined == 1 else 'lie'} in the quarantine. See: relay quarantine list"
        )
    return found


def _meaning(said: str, account: str, way: LoginWay, stage: Stage | None = None) -> str:
    """Say what an answer means, and what to do; empty where no row has words for it."""
    quoted = shlex.quote(account)
    words = suit(explain(parse_stored(said), "en", account=quoted, stage=stage), way, "en", account=quoted)
    return "" if words is None else str(words)


def _sentence(said: object) -> str:
    """End what a server said with one full stop, whether it had one or not."""
    return f"{str(said).rstrip('. ')}."
