from datetime import UTC, datetime
from typing import Any

import pytest

from relay.model.mail import Recipient
from relay.model.reply import Reply
from relay.rules.disposition import Failure
from relay.rules.notice_status import Story, write_status
from relay.rules.notice_texts import Report

AT = datetime(2026, 6, 1, 8, 15, tzinfo=UTC)
HOST = "relay.büro.example"


def failed(address: str = "a@x.example", enhanced: str = "5.1.1", orcpt: str = "", **fields: Any) -> Failure:  # noqa: ANN401 - as they come
    reply = Reply(code=550, enhanced=enhanced, text="no such üser")
    return Failure(recipient=Recipient(n=0, address=address, orcpt=orcpt), **{"reply": reply, **fields})


def story(*recipients: Failure, report: Report = Report.FAILED, **fields: Any) -> Story:  # noqa: ANN401 - as they come
    known = {"queue_id": "01jx", "header": b"", "body": None, "subject": "", "sent": AT, **fields}
    return Story(report=report, recipients=recipients or (failed(),), **known)


def blocks(told: Story) -> list[str]:
    return write_status(told, HOST).decode().split("\r\n\r\n")


def test_the_message_comes_first_then_each_recipient() -> None:
    message, one, other = blocks(story(failed(), failed("b@x.example"), envelope_id="a b"))
    assert message.splitlines() == [
        "Original-Envelope-Id: a b",
        "Reporting-MTA: dns; relay.xn--bro-hoa.example",
        "X-Relay-Queue-ID: 01jx",
        "Arrival-Date: Mon, 01 Jun 2026 08:15:00 +0000",
    ]
    assert "Final-Recipient: rfc822; a@x.example\r\nAction: failed\r\nStatus: 5.1.1" in one
    assert "Final-Recipient: rfc822; b@x.example" in other


def test_what_is_not_known_is_left_out() -> None:
    names = ("Original-Recipient", "Last-Attempt-Date", "Will-Retry-Until")
    _, without = blocks(story())
    _, whole = blocks(story(failed(orcpt="rfc822;x+2Bz@y.example", last_attempt=AT), retry_until=AT))
    assert not any(name in without for name in names)
    assert all(name in whole for name in names)
    assert whole.startswith("Original-Recipient: rfc822; x+z@y.example\r\n")
    assert whole.rstrip().endswith("Will-Retry-Until: Mon, 01 Jun 2026 08:15:00 +0000")


def test_one_international_address_makes_the_whole_report_so() -> None:
    plain, international = story(failed("a@müller.example")), story(failed("ü@x.example"), failed("b@x.example"))
    assert (plain.is_international, international.is_international) == (False, True)
    assert "Final-Recipient: rfc822; a@xn--mller-kva.example" in blocks(plain)[1]
    assert r"Diagnostic-Code: smtp; 550 5.1.1 no such \x{FC}ser" in blocks(plain)[1]
    assert "Final-Recipient: utf-8; ü@x.example" in blocks(international)[1]
    assert "Diagnostic-Code: smtp; 550 5.1.1 no such üser" in blocks(international)[2]


@pytest.mark.parametrize(
    ("report", "fields", "status"),
    [
        (Report.FAILED, {"enhanced": "4.2.2"}, "5.2.2"),
        (Report.FAILED, {"enhanced": ""}, "5.0.0"),
        (Report.FAILED, {"expired": True}, "4.4.7"),
        (Report.DELAYED, {"enhanced": "5.7.1"}, "4.7.1"),
        (Report.DELAYED, {"enhanced": "x"}, "4.4.7"),
        (Report.RELAYED, {}, "2.1.9"),
    ],
)
def test_the_class_of_the_status_is_that_of_the_report(report: Report, fields: dict[str, Any], status: str) -> None:
    assert f"Status: {status}\r\n" in blocks(story(failed(**fields), report=report))[1]


def test_where_nobody_replied_our_own_words_stand() -> None:
    for text, told in (("the connection was lost", "the connection was lost"), ("", "no reply")):
        silent = failed(reply=Reply(code=0, text=text))
        assert f"Diagnostic-Code: x-relay; {told}" in blocks(story(silent))[1]
