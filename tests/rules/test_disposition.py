from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.account import OnUncertain, RetryPolicy
from relay.model.destination import to_account
from relay.model.mail import ClaimedDelivery, DeliveryState, Message, Recipient, RecipientKind
from relay.model.reply import Outcome, Reply, Verdict
from relay.rules.disposition import Answered, Disposition, Schedule, decide_disposition
from relay.rules.hours import parse_hours

NOW = 1_800_000_000_000
POLICY = RetryPolicy()
ALWAYS = parse_hours(["Mon-Sun 00:00-24:00"], "UTC")
MESSAGE = Message(
    id="m", received_at=NOW, user=None, account="sales", rule="1a", reverse_path="s@x.example", header_message_id="",
    subject="", size=1, client="127.0.0.1", header=b"",
)  # fmt: skip
GOT = Outcome(verdict=Verdict.DELIVERED, reply=Reply(code=250))
LATER = Outcome(verdict=Verdict.DEFERRED, reply=Reply(code=450, enhanced="4.2.0", text="later"))
NEVER = Outcome(verdict=Verdict.BOUNCED, reply=Reply(code=550, enhanced="5.1.1", text="unknown"))


def delivery(*kinds: RecipientKind, attempts: int = 0, uncertain: int = 0) -> ClaimedDelivery:
    recipients = tuple(Recipient(n=n, address=f"{n}@x.example", kind=kind) for n, kind in enumerate(kinds))
    return ClaimedDelivery(
        id="d", destination=to_account("sales"), version=0, attempts=attempts, uncertain=uncertain, since=NOW,
        message=MESSAGE, recipients=recipients,
    )  # fmt: skip


def after(claimed: ClaimedDelivery, outcomes: dict[int, Outcome], **facts: Any) -> Disposition:  # noqa: ANN401 - any of the facts
    answered = Answered(
        outcomes=outcomes,
        reply=next(iter(outcomes.values())).reply,
        doubtful=frozenset(facts.get("doubtful", ())),
        more_at_once=facts.get("more_at_once", False),
    )
    schedule = Schedule(policy=POLICY, hours=ALWAYS, on_uncertain=facts.get("on_uncertain", OnUncertain.RETRY))
    return decide_disposition(claimed, answered, schedule, counted=facts.get("counted", 0), now=NOW, jitter=0.5)


TO, ARCHIVE = RecipientKind.TO, RecipientKind.ARCHIVE


def test_all_delivered_is_done() -> None:
    disposition = after(delivery(TO, ARCHIVE), {0: GOT, 1: GOT})
    assert disposition.state is DeliveryState.DONE
    assert not disposition.failures


def test_a_deferred_one_is_tried_again_by_the_schedule() -> None:
    first = after(delivery(TO, TO), {0: GOT, 1: LATER})
    third = after(delivery(TO, attempts=2), {0: LATER})
    assert first.state is DeliveryState.QUEUED
    assert abs(first.due - NOW - POLICY.intervals[0]) <= POLICY.intervals[0] / 10
    assert abs(third.due - NOW - POLICY.intervals[2]) <= POLICY.intervals[2] / 10


def test_a_bounce_is_a_failure_and_done() -> None:
    disposition = after(delivery(TO), {0: NEVER})
    assert disposition.state is DeliveryState.DONE
    assert [(f.recipient.n, f.expired) for f in disposition.failures] == [(0, False)]


def test_the_archives_failure_is_not_the_users() -> None:
    disposition = after(delivery(TO, ARCHIVE), {0: GOT, 1: NEVER})
    assert not disposition.failures
    assert [f.recipient.n for f in disposition.archive_failures] == [1]


def test_after_the_time_is_over_the_deferred_bounce() -> None:
    disposition = after(delivery(TO, TO, attempts=9), {0: LATER, 1: GOT}, counted=POLICY.give_up_after)
    assert disposition.state is DeliveryState.DONE
    assert [(f.recipient.n, f.expired) for f in disposition.failures] == [(0, True)]
    assert dict(disposition.outcomes)[0].verdict is Verdict.BOUNCED


def test_a_doubt_is_tried_again_late_and_never_bounces() -> None:
    disposition = after(delivery(TO), {0: LATER}, doubtful={0}, counted=POLICY.give_up_after * 2)
    assert disposition.state is DeliveryState.QUEUED
    assert disposition.uncertain == 1
    assert disposition.due - NOW >= POLICY.intervals[-1] * 0.9


@pytest.mark.parametrize(("before", "policy"), [(1, OnUncertain.RETRY), (0, OnUncertain.HOLD)])
def test_a_second_doubt_is_held_and_so_is_the_first_if_configured(before: int, policy: OnUncertain) -> None:
    disposition = after(delivery(TO, uncertain=before), {0: LATER}, doubtful={0}, on_uncertain=policy)
    assert disposition.state is DeliveryState.HELD


def test_who_is_surely_without_the_mail_leaves_the_doubt_of_the_others() -> None:
    claimed = delivery(TO, TO, TO, ARCHIVE, attempts=1)
    outcomes = {0: LATER, 1: LATER, 2: NEVER, 3: LATER}
    disposition = after(claimed, outcomes, doubtful={1, 3}, on_uncertain=OnUncertain.HOLD)
    assert disposition.state is DeliveryState.HELD
    assert [r.n for r in disposition.doubtful] == [1, 3]
    assert [r.n for r in disposition.leaving] == [0]
    assert abs(disposition.leaving_due - NOW - POLICY.intervals[1]) <= POLICY.intervals[1] / 10
    assert not disposition.only_the_archive_is_in_doubt
    assert dict(disposition.outcomes)[0] is LATER


def test_who_is_surely_without_the_mail_bounces_when_the_time_is_over() -> None:
    disposition = after(delivery(TO, TO, uncertain=1), {0: LATER, 1: LATER}, doubtful={1}, counted=POLICY.give_up_after)
    assert [(f.recipient.n, f.expired) for f in disposition.failures] == [(0, True)]
    assert [r.n for r in disposition.doubtful] == [1]
    assert not disposition.leaving


def test_a_doubt_about_the_archives_copy_alone_is_known() -> None:
    disposition = after(delivery(TO, ARCHIVE), {0: NEVER, 1: LATER}, doubtful={1})
    assert disposition.only_the_archive_is_in_doubt
    assert not after(delivery(TO), {0: LATER}).only_the_archive_is_in_doubt


def test_more_at_once_is_due_now() -> None:
    disposition = after(delivery(TO, TO), {0: GOT, 1: LATER}, more_at_once=True)
    assert (disposition.state, disposition.due) == (DeliveryState.QUEUED, NOW)


@given(
    outcomes=st.lists(st.sampled_from([GOT, LATER, NEVER]), min_size=1, max_size=5),
    kinds=st.lists(st.sampled_from([TO, ARCHIVE]), min_size=5, max_size=5),
    counted=st.integers(0, POLICY.give_up_after * 2),
    doubtful=st.sets(st.integers(0, 4)),
)
def test_nobody_is_left_without_an_end(
    outcomes: list[Outcome], kinds: list[RecipientKind], counted: int, doubtful: set[int]
) -> None:
    claimed = delivery(*kinds[: len(outcomes)])
    disposition = after(claimed, dict(enumerate(outcomes)), counted=counted, doubtful=doubtful)
    final = dict(disposition.outcomes)
    assert set(final) == set(range(len(outcomes)))
    pending = [n for n, o in final.items() if o.verdict is Verdict.DEFERRED]
    assert (disposition.state is DeliveryState.DONE) == (not pending)
    if disposition.state is DeliveryState.QUEUED:
        assert disposition.due >= NOW
    bounced = {n for n, o in final.items() if o.verdict is Verdict.BOUNCED}
    assert {f.recipient.n for f in (*disposition.failures, *disposition.archive_failures)} == bounced
