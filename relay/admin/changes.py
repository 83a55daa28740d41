"""Retries, holds, releases, moves and deletes mails, and runs the queue."""

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from relay.admin.mails import (
    CHOSEN_PAGE,
    Found,
    being_sent_of,
    find,
    find_active,
    find_blocked,
    find_standstill,
    nothing_matches,
    tell_mails,
)
from relay.admin.requests import (
    Action,
    Answer,
    ChangeMails,
    Filter,
    MisuseError,
    Note,
    Progress,
    Question,
    RunQueue,
    Told,
)
from relay.admin.room import Room
from relay.admin.words import count, show_time, unknown
from relay.escaping import printable
from relay.events.admin import AdminAction
from relay.model.errors import NotFoundError, StateConflictError
from relay.model.route import Refusal
from relay.model.state import State
from relay.routing import plan_move
from relay.rules.headers import apply_edits
from relay.storage import commands, listing
from relay.storage.commands import Done, parts
from relay.storage.listing import read_mails

_PEOPLE: Final = 5
"""Recipients of each of them."""
_MOST_TOLD: Final = 10
"""Mails of which each has a line."""
_MOST_LOGGED: Final = 100
"""Queue ids in one line of the log."""

Step = Callable[[Sequence[str]], Done]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Deed:
    """The words of one action."""

    question: str
    progress: str
    done: str


_DEEDS: Final[Mapping[Action, _Deed]] = {
    Action.RETRY: _Deed(question="Try", progress="Making due", done="to try"),
    Action.HOLD: _Deed(question="Hold", progress="Holding", done="held"),
    Action.RELEASE: _Deed(question="Release", progress="Releasing", done="released"),
    Action.MOVE: _Deed(question="Move to the account {account}", progress="Moving", done="moved"),
    Action.DELETE: _Deed(
        question="Delete for good, also for those who have not got it yet,", progress="Deleting", done="deleted"
    ),
}
_HELP: Final = {
    "is being sent now": ": try again when the attempt is over; `relay queue show` tells how it ended",
    "is not held": ": there is nothing to release; to try it now: `relay queue retry {id}`",
}
_FOR_GOOD: Final = (
    "Nothing is deleted yet. This would delete {mails} for good, and those who have not got {them} yet never will: add"
    " --yes if you want that"
)


def change(room: Room, request: ChangeMails) -> Generator[Answer, bool | None]:
    """Change mails in short transactions, each of at most 500 mails, so that the service can go on meanwhile."""
    deed, named = _DEEDS[request.action], bool(request.ids)
    step = _step_of(room, request)
    if named == request.filter.is_given:
        raise MisuseError(
            "name the mails by their ids, which `relay queue list` shows, or choose them by options such as --account,"
            " --to or --all: one of the two"
        )
    found = find(room, request.ids, request.filter)
    if not found.count and request.filter.is_narrow:
        yield Note(text=nothing_matches(room, request.filter), is_fault=True)
    if found.count and not request.yes and (request.action is Action.DELETE or not named):
        agreed = yield _question(room, request, found)
        if not agreed:
            return
    being_sent = being_sent_of(room, request.filter)
    done = _Done()
    yield from _in_steps(room, request, found, step, done)
    yield from _tell(done, deed.done, named=named)
    good = not done.reasons if named else bool(done.count) or not done.reasons
    if request.action in (Action.RETRY, Action.RELEASE) and done.count:
        good = (yield from _deliver(room, done)) and good
    elif request.action is Action.MOVE and done.count:
        if room.service.is_running:
            room.service.flush([request.account])
        yield from _tell_when(room, done, request.account)
    elif request.action in (Action.HOLD, Action.DELETE) and (active := find_active(room, request.filter, being_sent)):
        told = count(len(active), "mail is", "mails are")
        yield Note(
            text=f"{told} being sent now, left alone: `relay queue list --state active` shows them", is_fault=True
        )
        good = bool(done.count) and good
    if not good:
        yield Told(exit_status=1)


def run(room: Room, _request: RunQueue) -> Iterator[Answer]:
    """Make everything that is queued due at once."""
    blocked = find_blocked(room)
    waiting, number, tried = Counter[str](), 0, list[str]()
    found, seen = find(room, (), Filter(states=(State.WAITING,))), 0
    for part in parts(found.pages()):
        mails = commands.run_queue(room.database, part, now=room.now, by=room.by)
        waiting.update({account: len(ids) for account, ids in mails.items() if account in blocked})
        free = {one for account, ids in mails.items() if account not in blocked for one in ids}
        number += len(free)
        tried += [] if room.service.is_running else free  # it does not grow beside a service
        seen += len(part)
        yield Progress(what=_DEEDS[Action.RETRY].progress, done=seen, total=found.count)
    yield Note(text=f"{count(number, 'mail')} to try")
    for account in sorted(waiting):
        text = count(waiting[account], "mail waits", "mails wait")
        yield Note(text=f"{text} for the account {account}, which {blocked[account]}")
    if number:
        room.service.record(AdminAction(action="run", by=room.by, count=number))
        if not (yield from _serve(room, tried, None)):
            yield Told(exit_status=1)


@dataclass(slots=True)
class _Done:
    """What was done so far. It does not grow with the mails that a filter chooses, but for `tried`."""

    count: int = 0
    seen: int = 0
    logged: list[str] = field(default_factory=list)
    """The first of the mails that were changed."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Of mails that were named: why nothing of them was changed."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Of all of them."""
    accounts: set[str] = field(default_factory=set)
    """By which those wait to leave that are tried."""
    tried: list[str] = field(default_factory=list)
    """Those themselves, where no service runs: this process is one for them."""
    held: int = 0
    """Of those that were moved: how many are held still."""
    later: list[tuple[str, int]] = field(default_factory=list)
    """Of these: the first that keep their next attempt."""
    more: int = 0
    """How many do beside these."""

    def add(self, room: Room, request: ChangeMails, part: Sequence[str], found: Done) -> None:
        """Add what a step did."""
        changed = [one for one in part if one not in found.skipped]
        self.count += found.count
        self.seen += len(part)
        self.logged += changed[: _MOST_LOGGED - len(self.logged)]
        self.skipped |= found.skipped if request.ids else {}
        self.reasons.update(found.skipped.values())
        if request.action in (Action.RETRY, Action.RELEASE):
            self.accounts.update(listing.accounts_of(room.database, part))
            self.tried += [] if room.service.is_running else part
        elif request.action is Action.MOVE:
            self.held += listing.count_held(room.database, changed, request.account)
            later = listing.next_attempts(room.database, changed, request.account, now=room.now)
            room_for = _MOST_TOLD - len(self.later)
            self.later += later[:room_for]
            self.more += len(later[room_for:])


def _step_of(room: Room, request: ChangeMails) -> Step:
    """Return what one transaction does. Raises NotFoundError."""
    database, now, by = room.database, room.now, room.by
    if request.action is Action.MOVE:
        address, rewrite = _rewriter(room, request.account)
        return lambda ids: commands.move(database, ids, request.account, rewrite, reverse_path=address, now=now, by=by)
    if request.action is Action.RELEASE:
        sends = {account.name for account in room.settings.directory.accounts if account.sends}
        return lambda ids: commands.release(database, ids, now=now, sends=sends, by=by)
    simple = {Action.RETRY: commands.retry, Action.HOLD: commands.hold, Action.DELETE: commands.delete}[request.action]
    return lambda ids: simple(database, ids, now=now, by=by)


def _question(room: Room, request: ChangeMails, found: Found) -> Question:
    """Show the first of the mails, whole: a change is one of the mail, for all of its recipients who still wait."""
    mails = read_mails(room.database, found.first)
    notes = []
    for mail in mails:
        people = [one.address for way in mail.deliveries for one in way.recipients if one.outcome == "pending"]
        if len(people) > 1:
            rest = f" and {len(people) - _PEOPLE} more" if len(people) > _PEOPLE else ""
            notes.append(f"{mail.id} waits for {', '.join(people[:_PEOPLE])}{rest}")
    text = _DEEDS[request.action].question.format(account=request.account)
    told, them = count(found.count, "mail"), "it" if found.count == 1 else "them"
    if found.count > len(found.first):
        notes.append(f"... {told} in all")
    return Question(
        text=f"{text} {'this mail' if found.count == 1 else f'these {told}'}",
        unasked=_FOR_GOOD.format(mails=told, them=them) if request.action is Action.DELETE else "",
        about=(tell_mails(room, mails, find_standstill(room), notes),),
    )


def _in_steps(room: Room, request: ChangeMails, found: Found, step: Step, done: _Done) -> Iterator[Progress]:
    """Change the mails step by step, and log what was done, also where a fault ends it."""
    try:
        for part in parts(found.pages()):
            done.add(room, request, part, step(part))
            yield Progress(what=_DEEDS[request.action].progress, done=done.seen, total=found.count)
    finally:
        if done.count:
            action, by, logged = str(request.action), room.by, tuple(done.logged)
            room.service.record(
                AdminAction(action=action, by=by, count=done.count, queue_ids=logged, account=request.account)
            )


def _tell(done: _Done, what: str, *, named: bool) -> Iterator[Note]:
    """Say what was done, and what was not and why. Of mails that were `named`, each counts."""
    yield Note(text=f"{count(done.count, 'mail')} {what}")
    if named:
        for message_id, why in done.skipped.items():
            text = f"{message_id}: {printable(why)}{_HELP.get(why, '').format(id=message_id)}"
            yield Note(text=text, is_fault=True)
        return
    for why, number in done.reasons.most_common():
        yield Note(text=f"{count(number, 'mail')} skipped: {printable(why)}", is_fault=True)


def _tell_when(room: Room, done: _Done, account: str) -> Iterator[Note]:
    """Say when mails that were moved leave: each keeps the next attempt that it had, and what is held stays so."""
    if done.held:
        told = count(done.held, "of them is", "of them are")
        yield Note(text=f"{told} held still: `relay queue release --account {account}` lets go what that account holds")
    for message_id, due in done.later:
        when = show_time(due, room.zone)
        yield Note(text=f"{message_id} keeps its next attempt, {when}: `relay queue retry {message_id}` sends it now")
    if done.more:
        more = count(done.more, "more mail keeps its", "more mails keep their")
        yield Note(text=f"{more} next attempt: `relay queue retry ID` sends one now, `relay queue list` shows them")


def _deliver(room: Room, done: _Done) -> Generator[Note, None, bool]:
    blocked = find_blocked(room)
    for account in sorted(done.accounts & blocked.keys()):
        yield Note(text=f"Not by the account {account}, which {blocked[account]}")
    return (yield from _serve(room, done.tried, done.accounts))


def _serve(room: Room, ids: Sequence[str], accounts: Collection[str] | None) -> Generator[Note, None, bool]:
    """Wake the running service, or be the service; returns whether none of the mails waits after the latter."""
    room.service.flush(accounts)
    if room.service.is_running:
        return True
    pages = (ids[n : n + CHOSEN_PAGE] for n in range(0, len(ids), CHOSEN_PAGE))
    left = sum(listing.count_waiting(room.database, page) for page in pages)
    if left:
        told = count(left, "mail still waits", "mails still wait")
        yield Note(text=f"{told}: `relay queue list` says why", is_fault=True)
    return not left


def _rewriter(room: Room, name: str) -> tuple[str, Callable[[bytes, str | None], bytes]]:
    """Return an account's address, and the function that writes it as the sender into a header."""
    directory = room.settings.directory
    account = directory.account(name)
    if account is None or not account.has_way_out:
        senders = [one.name for one in directory.accounts if one.has_way_out]
        raise NotFoundError(unknown("account that sends and is called", name, senders))

    def rewrite(header: bytes, user: str | None) -> bytes:
        edits = plan_move(directory=directory, account=account, user=user, header=header)
        if isinstance(edits, Refusal):
            raise StateConflictError(edits.reply.text)
        return apply_edits(header, edits)

    return account.address.wire, rewrite
