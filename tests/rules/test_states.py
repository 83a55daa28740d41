from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.mail import DeliveryState, RecipientKind, RecipientState
from relay.model.state import State
from relay.rules.states import (
    DELETED,
    Grade,
    MailDelivery,
    MailRecipient,
    Situation,
    Standing,
    Standstill,
    find_standing,
    state_of,
)

NOW = 1_800_000_000_000
LATER = NOW + 60_000
QUEUED, ACTIVE, HELD, DONE = DeliveryState
TO, ARCHIVE, INBOX = RecipientKind
PENDING, DELIVERED, BOUNCED = RecipientState


def one(outcome: str, kind: str = TO, code: int = 0, enhanced: str = "", reply: str = "") -> MailRecipient:
    return MailRecipient(n=0, address="", kind=kind, outcome=outcome, code=code, enhanced=enhanced, reply=reply)


def way(state: str, recipients: Sequence[MailRecipient], **fields: Any) -> MailDelivery:  # noqa: ANN401 - as they come
    known = {"id": "", "account": "sales", "version": 0, "due": LATER, "attempts": 0, "tried": 0, "uncertain": 0}
    return MailDelivery(state=state, recipients=tuple(recipients), **{**known, **fields})


GOT = one(DELIVERED, code=250, enhanced="2.0.0", reply="Ok")
LOST = one(BOUNCED, code=550, enhanced="5.1.1", reply="unknown")
GONE = one(BOUNCED, reply=DELETED)
NEW = one(PENDING)
TRIED = one(PENDING, code=450, enhanced="4.2.0", reply="greylisted")
COPY = one(DELIVERED, kind=ARCHIVE, code=250, reply="Ok")
NO_COPY = one(BOUNCED, kind=ARCHIVE, code=550, reply="no")


def stand(*ways: MailDelivery, **around: Any) -> Standing:  # noqa: ANN401 - as they come
    return find_standing(ways, now=NOW, standstill=Standstill(**around))


@pytest.mark.parametrize(
    ("ways", "state"),
    [
        ([way(DONE, [GOT, GOT, COPY])], State.DELIVERED),
        ([way(DONE, [LOST, COPY])], State.FAILED),  # the archive's "250 Ok" does not make it delivered
        ([way(DONE, [GOT, NO_COPY])], State.DELIVERED),  # nor does its refusal make it failed
        ([way(DONE, [GOT]), way(QUEUED, [one(PENDING, kind=ARCHIVE)])], State.DELIVERED),
        ([way(DONE, [LOST, GOT, COPY])], State.PARTLY),
        ([way(DONE, [GONE])], State.FAILED),
        ([way(DONE, [GOT, GONE])], State.PARTLY),
        ([way(QUEUED, [GOT, TRIED, LOST])], State.WAITING),
        ([way(DONE, [GOT]), way(QUEUED, [NEW])], State.WAITING),
        ([way(QUEUED, [NEW]), way(ACTIVE, [NEW])], State.ACTIVE),
        ([way(QUEUED, [NEW]), way(ACTIVE, [NEW]), way(HELD, [NEW])], State.HELD),
    ],
)
def test_a_mail_has_the_state_of_its_real_recipients(ways: list[MailDelivery], state: State) -> None:
    assert state_of(ways) is state
    assert stand(*ways).state is state
    assert state.is_open is any(one.outcome is PENDING and one.kind is TO for way in ways for one in way.recipients)


@pytest.mark.parametrize(
    ("ways", "around", "situation", "when", "grade"),
    [
        ([way(QUEUED, [NEW], due=0)], {}, Situation.TURN, None, Grade.FINE),
        ([way(QUEUED, [TRIED], due=NOW)], {}, Situation.TURN, None, Grade.FINE),
        ([way(QUEUED, [NEW])], {}, Situation.LATER, LATER, Grade.FINE),
        ([way(QUEUED, [TRIED])], {}, Situation.RETRY, LATER, Grade.FINE),
        ([way(QUEUED, [TRIED], due=LATER + 9), way(QUEUED, [TRIED])], {}, Situation.RETRY, LATER, Grade.FINE),
        ([way(QUEUED, [TRIED])], {"refused": ["sales"]}, Situation.REFUSED_LOGIN, None, Grade.NEEDS_YOU),
        ([way(QUEUED, [NEW])], {"paused": ["sales"]}, Situation.PAUSED, None, Grade.WATCH),
        ([way(QUEUED, [NEW])], {"full": {"sales": LATER + 1}}, Situation.DAY_FULL, LATER + 1, Grade.FINE),
        ([way(QUEUED, [NEW])], {"closed_until": LATER + 1}, Situation.CLOSED, LATER + 1, Grade.FINE),
        ([way(QUEUED, [NEW], due=0)], {"closed_until": LATER}, Situation.TURN, None, Grade.FINE),  # `queue run`
        ([way(ACTIVE, [NEW])], {}, Situation.ACTIVE, None, Grade.FINE),
        ([way(HELD, [NEW])], {}, Situation.HELD, None, Grade.NEEDS_YOU),
        ([way(HELD, [NEW], uncertain=1)], {"sends": []}, Situation.IN_DOUBT, None, Grade.NEEDS_YOU),
        ([way(HELD, [NEW])], {"sends": ["backup"]}, Situation.NO_ACCOUNT, None, Grade.NEEDS_YOU),
        ([way(HELD, [NEW])], {"sends": ["sales"]}, Situation.HELD, None, Grade.NEEDS_YOU),
        ([way(DONE, [GOT])], {}, Situation.DELIVERED, None, Grade.FINE),
        ([way(DONE, [one(DELIVERED, kind=INBOX)], account="")], {}, Situation.IN_INBOX, None, Grade.FINE),
        ([way(DONE, [LOST])], {}, Situation.FAILED, None, Grade.WATCH),
        ([way(DONE, [LOST, GOT])], {}, Situation.PARTLY, None, Grade.WATCH),
        ([way(DONE, [GONE])], {}, Situation.DELETED, None, Grade.FINE),
        ([way(DONE, [GONE, GOT])], {}, Situation.PARTLY_DELETED, None, Grade.FINE),
        ([way(DONE, [GOT]), way(HELD, [one(PENDING, kind=ARCHIVE)])], {}, Situation.DELIVERED, None, Grade.NEEDS_YOU),
    ],
)
def test_people_are_told_how_it_stands(
    ways: list[MailDelivery], around: dict[str, object], situation: Situation, when: int | None, grade: Grade
) -> None:
    standing = stand(*ways, **around)
    assert (standing.situation, standing.when, standing.grade) == (situation, when, grade)


def test_the_blind_copy_is_told_apart() -> None:
    standing = stand(way(DONE, [GOT, LOST]), way(QUEUED, [one(PENDING, kind=ARCHIVE, code=450, reply="later")]))
    assert (standing.reached, standing.lost, standing.left) == (1, 1, 0)
    assert (standing.copy, standing.copy_state) == (Situation.RETRY, State.WAITING)
    assert standing.cause is not None
    assert standing.cause.code == 550
    assert stand(way(DONE, [GOT])).copy is None


def test_the_cause_is_that_of_those_who_have_not_got_it() -> None:
    assert stand(way(DONE, [GOT])).cause is None
    assert stand(way(DONE, [GONE])).cause is None
    waits = stand(way(QUEUED, [GOT, NEW, TRIED])).cause
    assert waits is not None
    assert waits.code == 450


_ones = st.builds(one, st.sampled_from([PENDING, DELIVERED, BOUNCED]), st.sampled_from(RecipientKind), st.integers(0))
_ways = st.builds(way, st.sampled_from([QUEUED, ACTIVE, HELD]), st.lists(_ones, min_size=1, max_size=3))


@given(st.lists(_ways, min_size=1, max_size=4))
def test_the_blind_copy_never_decides(ways: list[MailDelivery]) -> None:
    real = [way(leg.state, [one for one in leg.recipients if one.kind is not ARCHIVE]) for leg in ways]
    if any(way.recipients for way in real):
        assert state_of(ways) is state_of(real)
    standing = stand(*ways)
    assert standing.state is state_of(ways)
    assert standing.state.is_open is bool(standing.left)
