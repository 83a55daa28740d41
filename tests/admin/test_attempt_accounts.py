"""Who made each attempt; tests of the whole are in test_trace.py."""

from relay.admin.attempt_accounts import accounts_of_attempts
from relay.storage.admin import AttemptRow, DeliveryRow, EventRow, MessageDetail


def test_the_history_tells_who_it_was_before_each_move() -> None:
    tries = tuple(AttemptRow(n=n, at=n * 10, seconds=0, code=451, enhanced="", reply="") for n in range(1, 4))
    way = DeliveryRow(
        id="d", state="queued", account="c", version=0, due=0, attempts=3, tried=3, uncertain=0, recipients=(),
        tries=tries,
    )  # fmt: skip
    moves = [(15, "by command, to the account b"), (25, "by command, to the account c")]
    mail = MessageDetail(
        id="m", received_at=0, user=None, account="a", rule="1a", sender="", header_message_id="", subject="",
        size=1, client="", why="", notice=False, about="", deliveries=(way,), pauses=(), notices=(),
        events=tuple(EventRow(at=at, what="moved", detail=detail) for at, detail in moves),
    )  # fmt: skip
    assert accounts_of_attempts(mail, way) == ["a", "b", "c"]
