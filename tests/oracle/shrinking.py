"""Makes a case of a difference small, so that its cause can be seen."""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.oracle.cases import Case
from tests.oracle.offices import NOBODY
from tests.oracle.oracle import Question, answer
from tests.oracle.service import ask_service

_ROUNDS = 40


def shrink(case: Case) -> Case:
    """Leave out whatever is not needed for a difference of the same kind."""
    for _ in range(_ROUNDS):
        smaller = next((one for one in _try(case) if _kind(one) == _kind(case)), None)
        if smaller is None:
            break
        case = smaller
    return case


def _kind(case: Case) -> tuple[object, ...]:
    return (case.expected.code, case.got.reply[:24], *(text.partition(":")[0] for text in case.differences))


def _try(case: Case) -> list[Case]:
    questions = list(_smaller(case.question))
    with tempfile.TemporaryDirectory() as folder:
        outcomes = asyncio.run(ask_service(Path(folder), case.office, questions))
    return [
        Case(case.office, case.config, question, answer(case.office, question), outcome)
        for question, outcome in zip(questions, outcomes, strict=True)
    ]


def _smaller(question: Question) -> Iterator[Question]:
    # A line goes with those that continue it: half a field would be another case.
    pieces = re.findall(rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", question.mail)
    for size in (8, 4, 2, 1):
        for n in range(0, len(pieces), size):
            mail = b"".join(pieces[:n] + pieces[n + size :])
            if mail != question.mail:
                yield replace(question, mail=mail)
    if question.recipients != ("a@b.example",):
        yield replace(question, recipients=("a@b.example",))
        for n in range(len(question.recipients) if len(question.recipients) > 1 else 0):
            yield replace(question, recipients=question.recipients[:n] + question.recipients[n + 1 :])
    if question.sender != "a@b.example":
        yield replace(question, sender="a@b.example")
    if question.login is not None:
        yield replace(question, login=None)
    if question.ip != NOBODY:
        yield replace(question, ip=NOBODY)
    if question.listener:
        yield replace(question, listener=0)
