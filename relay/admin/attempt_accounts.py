"""By which account each attempt was made: what is stored is the account of now, and the history tells the moves."""

from dataclasses import dataclass

from relay.storage.admin import DeliveryRow, EventRow, MessageDetail


def accounts_of_attempts(mail: MessageDetail, delivery: DeliveryRow) -> list[str | None]:
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


def _read_move(event: EventRow) -> _Move | None:
    if event.what == "moved":
        _, found, after = event.detail.partition(" to the account ")
        return _Move(at=event.at, before=None, after=after) if found else None
    if event.what == "notice_moved":
        before, _, way = event.detail.rpartition(" fails: ")
        return _Move(at=event.at, before=before, after="" if way == "into the inbox" else way.removeprefix("through "))
    return None
