"""Of the mail that went round, what was changed is said, and nothing else; no other mail is taken for it."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.trial_mail import compose_test, is_test, tell_changes

TOKEN = "relay-test-0123456789abcdef"
SENT = compose_test(TOKEN, address="sales@example.com", hostname="x.example", at=dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
WHOLE = b"\r\n".join(SENT)


def test_it_comes_back_with_what_each_server_puts_on_top() -> None:
    came = b"Return-Path: <sales@example.com>\r\nReceived: by mx\r\n" + WHOLE + b"\r\n"
    assert is_test(TOKEN, came)
    assert tell_changes(SENT, came) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"From: <sales@example.com>", b"From: Sales <info@example.com>", "From was '<sales@example.com>' and is"),
        (b"Message-ID: <relay", b"Message-ID: <other", "Message-ID was"),
        (b"Subject: Test", b"Subject: [SPAM?] Test", "Subject was"),
        (b"Date: Fri", b"Date: Sat", "Date was"),
        (b"MIME-Version", b"Reply-To: <x@example.com>\r\nMIME-Version", "Reply-To was added: '<x@example.com>'."),
        (b"MIME-Version", b"Sender: <x@example.com>\r\nMIME-Version", "Sender was added"),
        (b"\r\nFrom the", b"\r\n>From the", "The text is another one"),
        (b"\r\n.a", b"\r\n..a", "The text is another one"),
        (b"blanks  ", b"blanks", "The text is another one"),
    ],
)
def test_what_was_changed_is_said(old: bytes, new: bytes, words: str) -> None:
    assert WHOLE.count(old) == 1
    came = WHOLE.replace(old, new)
    assert is_test(TOKEN, came)
    (change,) = tell_changes(SENT, came)
    assert change.startswith(words)


@given(st.binary())
def test_nothing_that_comes_makes_it_fail_or_is_taken_for_it(came: bytes) -> None:
    assert not is_test(TOKEN, came)
    assert not is_test(TOKEN, b"Subject: x\r\n\r\n" + WHOLE)  # which only quotes it
    assert tell_changes(SENT, came)
