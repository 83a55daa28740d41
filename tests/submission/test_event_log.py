from dataclasses import replace
from ipaddress import ip_address

from relay.events.event import Event
from relay.events.submission import MessageAccepted, MessageRejected, SignatureRemoved, TiffStripped
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.reply import Reply
from relay.model.route import KnownBy, Refusal, RemoveFields, RoutePlan, Rule
from relay.submission.event_log import log_accepted, log_refused
from tests.storage.conftest import new_mail

ANNA, BERT = Address(local="anna", domain="example.com"), Address(local="bert", domain="example.org")
PLAN = RoutePlan(
    user="anna", identity=KnownBy.LOGIN, account="sales", rule=Rule.FROM, sender_before=ANNA, sender_after=ANNA,
    reverse_path=ANNA, edits=(RemoveFields(name="DKIM-Signature", positions=frozenset((0, 2))),), steps=(),
)  # fmt: skip


def test_a_mail_that_is_accepted(recorded_events: list[Event]) -> None:
    message = new_mail().message
    envelope = Envelope(reverse_path=ANNA, recipients=(BERT,))
    log_accepted(message, plan=PLAN, envelope=envelope, archive=(ANNA,), tiffs=2)
    accepted, signatures, tiffs = recorded_events
    assert isinstance(accepted, MessageAccepted)
    assert (accepted.queue_id, accepted.user, accepted.identity) == (message.id, "anna", "login")
    assert (accepted.recipients, accepted.archive) == ([str(BERT)], [str(ANNA)])
    assert signatures == SignatureRemoved(queue_id=message.id, account="sales", count=2)
    assert tiffs == TiffStripped(queue_id=message.id, files=2)


def test_nothing_is_said_of_what_was_not_removed(recorded_events: list[Event]) -> None:
    plan, envelope = replace(PLAN, edits=()), Envelope(reverse_path=ANNA, recipients=(BERT,))
    log_accepted(new_mail().message, plan=plan, envelope=envelope, archive=(), tiffs=0)
    assert [event.name for event in recorded_events] == ["message_accepted"]


def test_a_mail_that_is_refused(recorded_events: list[Event]) -> None:
    reply = Reply(code=550, enhanced="5.7.1", text="no")
    refusal = Refusal(user=None, identity=KnownBy.NOBODY, reason="excluded", reply=reply)
    log_refused(refusal, queue_id="q", client=Client(ip=ip_address("192.0.2.7"), helo="x"))
    assert recorded_events == [
        MessageRejected(
            queue_id="q", client="192.0.2.7", user=None, reason="excluded", code=550, reply="550 5.7.1 no"
        )
    ]  # fmt: skip
    assert "account" not in recorded_events[0].fields()
