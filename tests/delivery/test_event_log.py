from dataclasses import replace
from ipaddress import ip_address

from structlog.testing import capture_logs

from relay.delivery.event_log import log_disposition, log_doubts
from relay.model.destination import to_account
from relay.model.mail import ClaimedDelivery, DeliveryState, Message, Recipient, RecipientKind
from relay.model.reply import Outcome, Reply, Verdict
from relay.rules.disposition import Disposition

MESSAGE = Message(
    id="q1", received_at=0, user="anna", account="sales", rule="1a", reverse_path="sales@example.com",
    header_message_id="<1@x>", subject="", size=1, client=str(ip_address("::1")), header=b"",
)  # fmt: skip
RECIPIENTS = (
    Recipient(n=0, address="a@x.example"),
    Recipient(n=1, address="b@x.example"),
    Recipient(n=2, address="c@x.example"),
    Recipient(n=3, address="archive@x.example", kind=RecipientKind.ARCHIVE),
)
DELIVERY = ClaimedDelivery(
    id="d1",
    destination=to_account("sales"),
    version=0,
    attempts=0,
    uncertain=0,
    since=0,
    message=MESSAGE,
    recipients=RECIPIENTS,
)
TAKEN = Outcome(verdict=Verdict.DELIVERED, reply=Reply(code=250))
LATER = Outcome(verdict=Verdict.DEFERRED, reply=Reply(code=451))
NEVER = Outcome(verdict=Verdict.BOUNCED, reply=Reply(code=550))


def logged(disposition: Disposition, *, uncertain: bool = False) -> list[tuple[str, object]]:
    with capture_logs() as lines:
        log_disposition(DELIVERY, disposition, Reply(code=250), seconds=1.23456, uncertain=uncertain)
    assert all(line["queue_id"] == "q1" for line in lines)
    return [(line["event"], line.get("recipients")) for line in lines]


def test_a_line_for_each_kind_of_outcome() -> None:
    disposition = Disposition(
        outcomes=((0, TAKEN), (1, LATER), (2, NEVER), (3, NEVER)), state=DeliveryState.QUEUED, due=5
    )
    assert logged(disposition) == [
        ("message_delivered", ["a@x.example"]),
        ("delivery_deferred", ["b@x.example"]),
        ("message_bounced", ["c@x.example"]),
        ("archive_failed", ["archive@x.example"]),
    ]


def test_one_transaction_is_one_line() -> None:
    disposition = Disposition(outcomes=tuple((n, TAKEN) for n in range(4)), state=DeliveryState.DONE)
    assert logged(disposition) == [("message_delivered", [r.address for r in RECIPIENTS])]


def test_doubt_and_hold_are_named() -> None:
    disposition = Disposition(outcomes=((0, LATER),), state=DeliveryState.HELD, uncertain=2)
    events = [event for event, _ in logged(disposition, uncertain=True)]
    assert events == ["delivery_deferred", "possible_duplicate", "delivery_held"]


def test_of_a_doubt_the_next_attempt_is_a_time_as_in_every_line() -> None:
    with capture_logs() as lines:
        assert log_doubts([DELIVERY, replace(DELIVERY, uncertain=2)], reason="it died", now=1_780_000_000_250) == 1
    assert [line["next_attempt"] for line in lines if line["event"] == "possible_duplicate"] == [
        "2026-05-28T20:26:40.250Z",
        None,
    ]
