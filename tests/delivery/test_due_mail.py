"""What a lane knows of its due mail: it never forgets that the queue may have more."""

import ast

from relay.delivery.due_mail import DueMail
from relay.delivery.ready_queue import ReadyQueue
from tests.delivery.test_ready_queue import make_delivery
from tests.peers.relay_process import ROOT


def test_what_is_queued_while_the_queue_is_asked_is_not_overlooked() -> None:
    due = DueMail()
    assert due.queued  # nobody has asked yet
    due.begin_claim()
    assert due.is_empty
    due.note()
    due.keep([])
    assert not due.is_empty


def test_what_was_read_ahead_may_not_be_all() -> None:
    due = DueMail()
    due.begin_claim()
    due.keep([(make_delivery("1"), None), (make_delivery("2"), None)])
    assert due.queued
    assert [work and work[0].id for work in (due.take(newest=False), due.take(newest=False))] == ["1", "2"]
    due.begin_claim()
    due.keep([])
    assert due.is_empty


def test_what_finds_no_room_is_in_the_queue() -> None:
    due = DueMail(ready=ReadyQueue(most=1))
    due.begin_claim()
    due.add(make_delivery("1"), None)
    assert not due.queued
    due.add(make_delivery("2"), None)
    assert due.queued


def test_turns_go_on_whether_a_mail_was_in_memory_or_not() -> None:
    due = DueMail()
    due.add(make_delivery("1", user="anna", source="anna 1"), (b"x",))
    assert due.claimed(make_delivery("2", user="bert", source="bert 1"))[1] is None
    assert due.cursor.user == "bert"
    assert due.claimed(make_delivery("1", user="anna", source="anna 1"))[1] == (b"x",)
    assert due.cursor.user == "anna"
    assert not due.ready


def test_what_is_dropped_is_still_in_the_queue() -> None:
    due = DueMail()
    due.begin_claim()
    due.add(make_delivery("1"), None)
    due.drop()
    assert due.take(newest=False) is None
    assert due.queued


def test_a_look_that_found_something_due_hid_what_is_due_later_once_a_mail_began() -> None:
    due = DueMail()
    due.note_look()
    assert not due.take_hidden()
    due.note_start()
    assert due.take_hidden()
    assert not due.take_hidden()


def test_nobody_else_sets_a_field_of_a_lane() -> None:
    foreign = []
    for file in (ROOT / "relay").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            foreign += [
                f"{file.name}:{node.lineno}"
                for one in targets
                if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
                and isinstance(one, ast.Attribute)
                and (ast.unparse(one.value).endswith("lane") or ".due" in ast.unparse(one.value))
            ]
    assert [one for one in foreign if not one.startswith("lanes.py")] == []
