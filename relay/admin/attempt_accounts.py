"""By which account each attempt was made: what is stored is the account of now, and the history tells the moves."""

from relay.storage.admin import DeliveryRow, EventRow, MessageDetail

_Move = tuple[int, str | None, str]
"""When a mail went from one account to another; the first may not be known, an empty second one is the inbox."""


def accounts_of_attempts(mail: MessageDetail, delivery: DeliveryRow) -> list[str | None]:
    """Give by which account each attempt of a delivery was made; None where nothing tells."""
    moves = sorted(filter(None, map(_read_move, mail.events)), key=lambda move: move[0])
    if not delivery.account and all(after for _, _, after in moves):  # what goes into an inbox is not moved
        return [delivery.account for _ in delivery.tries]
    return [_account_at(one.at, moves, mail.account, delivery.account) for one in delivery.tries]


def _account_at(at: int, moves: list[_Move], first: str, last: str) -> str | None:
    before: str | None = first or None
    for moved_at, known, after in moves:
        if moved_at > at:
            return known or before
        before = after
    return last


def _read_move(event: EventRow) -> _Move | None:
    if event.what == "moved":
        _, found, after = event.detail.partition(" to the account ")
        return (event.at, None, after) if found else None
    if event.what == "notice_moved":
        before, _, way = event.detail.rpartition(" fails: ")
        return event.at, before, "" if way == "into the inbox" else way.removeprefix("through ")
    return None
