import os
import time
import timeit
from collections.abc import Callable
from typing import Any

import structlog
from structlog.testing import capture_logs

from relay import logs
from relay.emitting import emit, subscribe
from relay.events.event import Event
from relay.events.service import ActivityFailed, ConfigurationWarning, DatabaseCopied, ServiceStopped
from relay.events.submission import MessageAccepted


def test_the_log_reads_every_event() -> None:
    with capture_logs() as lines:
        emit(DatabaseCopied(file="relay.db.3", schema=3))
        emit(ConfigurationWarning(warning="odd"))
    assert lines == [
        {"event": "database_copied", "log_level": "info", "file": "relay.db.3", "schema": 3},
        {"event": "configuration_warning", "log_level": "warning", "warning": "odd"},
    ]


def test_an_exception_goes_to_the_log_as_such() -> None:
    error = ValueError("odd")
    with capture_logs() as lines:
        emit(ActivityFailed(activity="claims", error=repr(error), exception=error))
    assert lines[0]["exc_info"] is error


def test_who_subscribes_reads_until_he_leaves() -> None:
    seen: list[Event] = []
    leave = subscribe(seen.append)
    emit(ServiceStopped())
    leave()
    emit(ServiceStopped())
    assert seen == [ServiceStopped()]


def test_a_reader_that_raises_harms_nobody() -> None:
    def fail(_event: Event) -> None:
        raise ValueError("odd")

    seen: list[Event] = []
    leave = [subscribe(fail), subscribe(seen.append)]
    with capture_logs() as lines:
        emit(ServiceStopped())
    for end in leave:
        end()
    assert seen == [ServiceStopped()]
    assert [line["event"] for line in lines] == ["service_stopped", "activity_failed"]


def test_a_log_that_raises_harms_nobody() -> None:
    structlog.configure(logger_factory=lambda: 1 // 0)
    emit(ServiceStopped())


def test_an_event_costs_hardly_more_than_a_line_by_structlog(show_figure: Callable[[str], None]) -> None:
    logs.configure(descriptor=os.open(os.devnull, os.O_WRONLY), for_good=True)
    facts: dict[str, Any] = {
        "queue_id": "01jx3v8q4c9k2m7p5r0t6w1y3z", "client": "127.0.0.1", "user": "anna", "identity": "login",
        "rule": "1a", "account": "sales", "sender_before": "anna@example.com", "sender_after": "sales@example.com",
        "recipients": ["a@b.example"], "archive": [], "size": 3, "message_id": "<1@example.com>",
    }  # fmt: skip
    by_structlog = _measure(lambda: logs.log.info("message_accepted", **facts))
    by_event = _measure(lambda: emit(MessageAccepted(**facts)))
    show_figure(f"message_accepted: by structlog {by_structlog:.1f} us, as an event {by_event:.1f} us")


def _measure(write: Callable[[], None]) -> float:
    return min(timeit.repeat(write, number=1000, repeat=5, timer=time.process_time)) * 1000
