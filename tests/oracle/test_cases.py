"""The comparison sees what is wrong: an answer that is right, with one thing changed, is a difference."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.cases import Case
from tests.oracle.oracle import Question, answer
from tests.oracle.service import ask_service

_OFFICE: dict[str, Any] = {
    "server": {"hostname": "relay.office.example", "postmaster": "anna"},
    "listener": [{"host": "127.0.0.1", "port": 0}],
    "schedule": {"active": ["Mon-Fri 07:00-19:00"]},
    "user": [{"name": "anna", "address": "anna@example.com"}],
    "account": [
        {
            "name": "sales",
            "address": "sales@example.com",
            "owner": "anna",
            "smtp": {"host": "127.0.0.1", "port": 9, "security": "none"},
        }
    ],
    "archive": {"bcc": ["central@example.com"]},
}
_MAIL = b"From: Anna <anna@example.com>\r\nTo: b@example.net\r\nBcc: c@example.net\r\nSubject: x\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Rule 3: From is written, the old address goes into Reply-To."""
    folder: Path = tmp_path_factory.mktemp("cases")
    question = Question(mail=_MAIL, recipients=("b@example.net", "c@example.net"))
    (outcome,) = asyncio.run(ask_service(folder, _OFFICE, [question]))
    return Case(_OFFICE, folder / "relay.toml", question, answer(_OFFICE, question), outcome)


def test_a_right_answer_is_no_difference(right: Case) -> None:
    assert right.differences == []
    assert (right.got.rule, right.got.account) == ("3", "sales")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Subject: x\r\n", b""),
        (b"Subject: x\r\n", b"Subject:  x\r\n"),
        (b"Subject: x\r\n", b"Subject: x\r\nBcc: c@example.net\r\n"),
        (b"To: b@example.net\r\nSubject: x\r\n", b"Subject: x\r\nTo: b@example.net\r\n"),
        (b"From: Anna", b"From: Bert"),
        (b"<sales@example.com>", b"<sales@example.com>, <anna@example.com>"),
        (b"Reply-To: ", b"X-Reply-To: "),
        (b"Relay-Loop: ", b"X-Relay-Loop: "),
    ],
)
def test_a_wrong_header_is_a_difference(right: Case, old: bytes, new: bytes) -> None:
    assert old in right.got.header
    assert replace(right, got=replace(right.got, header=right.got.header.replace(old, new))).differences


@pytest.mark.parametrize(
    "wrong",
    [
        {"reply": "550 5.7.1 No"},
        {"user": None},
        {"rule": "1a"},
        {"account": "old"},
        {"reverse_path": ""},
        {"recipients": ("b@example.net",)},
        {"archive": ()},
        {"body": b"hello"},
        {"refused": (("c@example.net", "550 5.1.3 No"),)},
    ],
)
def test_a_wrong_outcome_is_a_difference(right: Case, wrong: dict[str, Any]) -> None:
    assert replace(right, got=replace(right.got, **wrong)).differences
