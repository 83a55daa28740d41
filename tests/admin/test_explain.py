"""The rules as a page would ask about them: by the settings that are in force, without a command."""

from pathlib import Path
from typing import Any

import pytest

from relay.admin.explain import explain, explain_incoming
from relay.admin.requests import Explain, ExplainIncoming, MisuseError
from relay.admin.room import Room
from relay.settings import load_settings


@pytest.fixture
def room(config: Path) -> Room:
    """Without a database and a service: nothing of them is needed."""
    nothing: Any = None
    return Room(settings=load_settings(config), open_database=nothing, service=nothing, by="", now=0)


def test_the_answer_has_the_rule_and_words_for_people(room: Room) -> None:
    (told,) = explain(room, Explain(message=b"From: sales@example.com\r\n"))
    (mail,) = told.json
    assert (mail["sent"], mail["rule"], mail["account"]) == (True, "1a", "sales")
    assert ("Result", "would be sent") in told.facts
    assert told.lines[0] == "Why"


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (Explain(message=b"", user="nobody"), "--user: there is no user 'nobody'"),
        (Explain(message=b"", listener=2), "--listener: there is no such one; there are: 1"),
        (Explain(message=b"", ip="x"), "--ip: "),
        (Explain(message=b"", device="x"), "--device: there is no device 'x'"),
    ],
)
def test_what_there_is_not_is_named(room: Room, asked: Explain, text: str) -> None:
    with pytest.raises(MisuseError, match=f"Invalid value for {text}"):
        list(explain(room, asked))


def test_of_an_account_without_a_mailbox_nothing_comes(room: Room) -> None:
    with pytest.raises(MisuseError, match="account with a mailbox"):
        list(explain_incoming(room, ExplainIncoming(message=b"", account="sales")))
