from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.mail import DeliveryState, RecipientKind, RecipientState
from relay.rules.states import DELETED, Grade, Situation, Standing, Standstill, State, find_standing, state_of

NOW = 1_800_000_000_000
LATER = NOW + 60_000
QUEUED, ACTIVE, HELD, DONE = DeliveryState
TO, ARCHIVE, INBOX = RecipientKind
PENDING, DELIVERED, BOUNCED = RecipientState


@dataclass(frozen=True)
class One:
    outcome: RecipientState
    kind: RecipientKind = TO
    code: int = 0
    enhanced: str = ""
    reply: str = ""


@dataclass(frozen=True)
class Way:
    state: DeliveryState
    recipients: Sequence[One]
    due: int = LATER
    uncertain: int = 0
    account: str = "sales"


GOT = One(DELIVERED, code=250, enhanced="2.0.0", reply="Ok")
LOST = One(BOUNCED, code=550, enhanced="5.1.1", reply="unknown")
GONE = One(BOUNCED, reply=DELETED)
NEW = One(PENDING)
TRIED = One(PENDING, code=450, enhanced="4.2.0", reply="greylisted")
COPY = One(DELIVERED, kind=ARCHIVE, code=250, reply="Ok")
NO_COPY = One(BOUNCED, kind=ARCHIVE, code=550, reply="no")


def stand(*ways: Way, **around: Any) -> Standing:  # noqa: ANN401 - as they come
    return find_standing(ways, now=NOW, standstill=Standstill(**around))


@pytest.mark.parametrize(
    ("ways", "state"),
    [
        ([Way(DONE, [GOT, GOT, COPY])], State.DELIVERED),
        ([Way(DONE, [LOST, COPY])], State.FAILED),  # the archive's "250 Ok" does not make it delivered
        ([Way(DONE, [GOT, NO_COPY])], State.DELIVERED),  # nor does its refusal make it failed
        ([Way(DONE, [GOT]), Way(QUEUED, [One(PENDING, kind=ARCHIVE)])], State.DELIVERED),
        ([Way(DONE, [LOST, GOT, COPY])], State.PARTLY),
        ([Way(DONE, [GONE])], State.FAILED),
        ([Way(DONE, [GOT, GONE])], State.PARTLY),
        ([Way(QUEUED, [GOT, TRIED, LOST])], State.WAITING),
        ([Way(DONE, [GOT]), Way(QUEUED, [NEW])], State.WAITING),
        ([Way(QUEUED, [NEW]), Way(ACTIVE, [NEW])], State.ACTIVE),
        ([Way(QUEUED, [NEW]), Way(ACTIVE, [NEW]), Way(HELD, [NEW])], State.HELD),
    ],
)
def test_a_mail_has_the_state_of_its_real_recipients(ways: list[Way], state: State) -> None:
    assert state_of(ways) is state
    assert stand(*ways).state is state
    assert state.is_open is any(one.outcome is PENDING and one.kind is TO for way in ways for one in way.recipients)


@pytest.mark.parametrize(
    ("ways", "around", "situation", "when", "grade"),
    [
        ([Way(QUEUED, [NEW], due=0)], {}, Situation.TURN, None, Grade.FINE),
        ([Way(QUEUED, [TRIED], due=NOW)], {}, Situation.TURN, None, Grade.FINE),
        ([Way(QUEUED, [NEW])], {}, Situation.LATER, LATER, Grade.FINE),
        ([Way(QUEUED, [TRIED])], {}, Situation.RETRY, LATER, Grade.FINE),
        ([Way(QUEUED, [TRIED], due=LATER + 9), Way(QUEUED, [TRIED])], {}, Situation.RETRY, LATER, Grade.FINE),
        ([Way(QUEUED, [TRIED])], {"refused": ["sales"]}, Situation.REFUSED_LOGIN, None, Grade.NEEDS_YOU),
        ([Way(QUEUED, [NEW])], {"paused": ["sales"]}, Situation.PAUSED, None, Grade.WATCH),
        ([Way(QUEUED, [NEW])], {"full": {"sales": LATER + 1}}, Situation.DAY_FULL, LATER + 1, Grade.FINE),
        ([Way(QUEUED, [NEW])], {"closed_until": LATER + 1}, Situation.CLOSED, LATER + 1, Grade.FINE),
        ([Way(QUEUED, [NEW], due=0)], {"closed_until": LATER}, Situation.TURN, None, Grade.FINE),  # `queue run`
        ([Way(ACTIVE, [NEW])], {}, Situation.ACTIVE, None, Grade.FINE),
        ([Way(HELD, [NEW])], {}, Situation.HELD, None, Grade.NEEDS_YOU),
        ([Way(HELD, [NEW], uncertain=1)], {"sends": []}, Situation.IN_DOUBT, None, Grade.NEEDS_YOU),
        ([Way(HELD, [NEW])], {"sends": ["backup"]}, Situation.NO_ACCOUNT, None, Grade.NEEDS_YOU),
        ([Way(HELD, [NEW])], {"sends": ["sales"]}, Situation.HELD, None, Grade.NEEDS_YOU),
        ([Way(DONE, [GOT])], {}, Situation.DELIVERED, None, Grade.FINE),
        ([Way(DONE, [One(DELIVERED, kind=INBOX)], account="")], {}, Situation.IN_INBOX, None, Grade.FINE),
        ([Way(DONE, [LOST])], {}, Situation.FAILED, None, Grade.WATCH),
        ([Way(DONE, [LOST, GOT])], {}, Situation.PARTLY, None, Grade.WATCH),
        ([Way(DONE, [GONE])], {}, Situation.DELETED, None, Grade.FINE),
        ([Way(DONE, [GONE, GOT])], {}, Situation.PARTLY_DELETED, None, Grade.FINE),
        ([Way(DONE, [GOT]), Way(HELD, [One(PENDING, kind=ARCHIVE)])], {}, Situation.DELIVERED, None, Grade.NEEDS_YOU),
    ],
)
def test_people_are_told_how_it_stands(
    ways: list[Way], around: dict[str, object], situation: Situation, when: int | None, grade: Grade
) -> None:
    standing = stand(*ways, **around)
    assert (standing.situation, standing.when, standing.grade) == (situation, when, grade)


def test_the_blind_copy_is_told_apart() -> None:
    standing = stand(Way(DONE, [GOT, LOST]), Way(QUEUED, [One(PENDING, kind=ARCHIVE, code=450, reply="later")]))
    assert (standing.reached, standing.lost, standing.left) == (1, 1, 0)
    assert (standing.copy, standing.copy_state) == (Situation.RETRY, State.WAITING)
    assert standing.cause is not None
    assert standing.cause.code == 550
    assert stand(Way(DONE, [GOT])).copy is None


def test_the_cause_is_that_of_those_who_have_not_got_it() -> None:
    assert stand(Way(DONE, [GOT])).cause is None
    assert stand(Way(DONE, [GONE])).cause is None
    waits = stand(Way(QUEUED, [GOT, NEW, TRIED])).cause
    assert waits is not None
    assert waits.code == 450


_ones = st.builds(One, st.sampled_from([PENDING, DELIVERED, BOUNCED]), st.sampled_from(RecipientKind), st.integers(0))
_ways = st.builds(Way, st.sampled_from([QUEUED, ACTIVE, HELD]), st.lists(_ones, min_size=1, max_size=3))


@given(st.lists(_ways, min_size=1, max_size=4))
def test_the_blind_copy_never_decides(ways: list[Way]) -> None:
    real = [Way(way.state, [one for one in way.recipients if one.kind is not ARCHIVE]) for way in ways]
    if any(way.recipients for way in real):
        assert state_of(ways) is state_of(real)
    standing = stand(*ways)
    assert standing.state is state_of(ways)
    assert standing.state.is_open is bool(standing.left)
