import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.reply import Reply, Verdict
from relay.rules.replies import (
    LONGEST_TEXT,
    asks_the_sender_to_slow_down,
    asks_to_slow_down,
    is_login_refused,
    outcome_of,
    read_reply,
    read_text,
    refuses_the_sender,
    too_many_recipients,
)


@pytest.mark.parametrize(
    ("code", "lines", "enhanced", "text"),
    [
        (250, [b"2.1.0 OK"], "2.1.0", "OK"),
        (250, [b"OK"], "", "OK"),
        (550, [b"5.7.1 not yours", b"5.7.1 see https://help.example"], "5.7.1", "not yours\nsee https://help.example"),
        (550, [b"4.7.1 of another class"], "", "4.7.1 of another class"),
        (550, [b"5.7.1"], "5.7.1", ""),
        (550, [b"5.7.1x"], "", "5.7.1x"),
        (550, [b"5.7.1234 x"], "", "5.7.1234 x"),
        (451, [b""], "", ""),
        (550, [b"\xe4\x1b[31m\x00"], "", "ä?[31m?"),
        (550, ["ä".encode()], "", "ä"),
    ],
)
def test_replies_are_read(code: int, lines: list[bytes], enhanced: str, text: str) -> None:
    assert read_reply(code, lines) == Reply(code=code, enhanced=enhanced, text=text)


@given(code=st.integers(200, 599), lines=st.lists(st.binary(max_size=100), max_size=50))
def test_any_reply_is_short_and_harmless(code: int, lines: list[bytes]) -> None:
    reply = read_reply(code, lines)
    assert len(reply.text) <= LONGEST_TEXT
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\ud800-\udfff]", reply.text)
    assert not reply.enhanced or reply.enhanced.startswith(str(code)[0])
    assert "\n" not in str(reply)


@given(st.integers(0, 999))
def test_only_2xx_delivers_and_only_5xx_bounces(code: int) -> None:
    verdict = outcome_of(Reply(code=code)).verdict
    assert (verdict is Verdict.DELIVERED) == (200 <= code < 300)
    assert (verdict is Verdict.BOUNCED) == (500 <= code < 600)


def test_replies_with_a_meaning_of_their_own() -> None:
    assert is_login_refused(Reply(code=535))
    assert is_login_refused(Reply(code=530))
    assert not is_login_refused(Reply(code=550))


@pytest.mark.parametrize(
    ("code", "enhanced", "many"),
    [(452, "4.5.3", True), (452, "", True), (451, "4.5.3", True), (552, "", True), (552, "5.5.3", True),
     (451, "4.7.1", False), (452, "4.2.2", False), (452, "4.3.1", False), (552, "5.2.2", False), (550, "5.5.3", False)],
)  # fmt: skip
def test_too_many_recipients_is_not_a_mailbox_that_is_full(code: int, enhanced: str, many: bool) -> None:
    reply = Reply(code=code, enhanced=enhanced)
    assert too_many_recipients(reply, some_taken=True) == many
    assert too_many_recipients(reply, some_taken=False) == (many and code != 552)


@pytest.mark.parametrize(
    ("said", "account", "at_rcpt"),
    [("450 4.7.1 Error: too many messages, sending rate limit exceeded", True, True),
     ("421 4.7.0 bye", True, True),
     ("432 4.3.2 Concurrent connections limit exceeded", True, True),
     ("450 4.2.1 The user is receiving mail at a rate that exceeds the limit: rate limited", True, False),
     ("452 4.3.2 the recipient's hourly limit is reached", True, False),
     ("450 4.2.0 greylisted", False, False), ("550 5.7.1 rate limit exceeded", False, False)],
)  # fmt: skip
def test_who_is_asked_to_send_less(said: str, account: bool, at_rcpt: bool) -> None:
    reply = read_reply(int(said[:3]), [said[4:].encode()])
    assert (asks_to_slow_down(reply), asks_the_sender_to_slow_down(reply)) == (account, at_rcpt)


def test_a_refusal_of_our_own_has_no_code_and_bounces_all_the_same() -> None:
    assert outcome_of(Reply(code=0, enhanced="5.3.4")).verdict is Verdict.BOUNCED
    assert outcome_of(Reply(code=0, enhanced="4.4.2")).verdict is Verdict.DEFERRED
    assert outcome_of(Reply(code=451, enhanced="5.0.0")).verdict is Verdict.DEFERRED


@pytest.mark.parametrize(
    "hidden", ["\n", "\r", "\x9b", "\xad", "\u200b", "\u202e", "\u2028", "\u2066", "\ufeff", "\U000e0041"]
)
def test_a_line_of_a_server_stays_one_line_in_which_nothing_is_hidden(hidden: str) -> None:
    said = f"no{hidden}250 ok"
    assert read_reply(550, [said.encode()]).text == read_text(said.encode()) == "no?250 ok"


_POSTFIX = "<sales@example.com>: Sender address rejected: not owned by user bob@example.com"


@pytest.mark.parametrize(
    ("replies", "is_so"),
    [
        ([Reply(code=553, enhanced="5.7.1", text=_POSTFIX)] * 3, True),
        ([Reply(code=553, enhanced="5.7.1", text=_POSTFIX)], True),
        ([Reply(code=550, enhanced="5.7.1", text="You are not authorized to send as this address")] * 2, True),
        (
            [Reply(code=550, enhanced="5.1.8", text="<s@x.example>: Sender address rejected: Domain not found")] * 2,
            True,
        ),
        ([Reply(code=554, enhanced="", text="Sender address is not allowed.")], True),
        (
            [Reply(code=550, enhanced="5.7.60", text="SMTP; Client does not have permissions to send as this sender")],
            True,
        ),
        ([Reply(code=450, enhanced="4.7.1", text=_POSTFIX)] * 2, False),
        ([Reply(code=554, enhanced="5.7.1", text="<a@x.example>: Relay access denied")] * 2, False),
        ([Reply(code=554, enhanced="5.7.1", text="<sender@rejected.example>: Access denied")] * 2, False),
        ([Reply(code=550, enhanced="5.7.1", text="Recipient address rejected: sender not allowed")] * 2, False),
        ([Reply(code=550, enhanced="5.1.1", text="Sender address rejected")] * 2, False),
        ([Reply(code=550, enhanced="5.7.1", text="MAIL FROM:<s@x.example> is not allowed")], True),
        ([Reply(code=550, enhanced="5.7.1", text="User is not allowed to send")], True),
        ([Reply(code=550, enhanced="5.7.1", text="You do not have permission to send to this user")], False),
        ([Reply(code=550, enhanced="5.7.1", text="You are not permitted to send mail to <b@x.example>")], False),
        ([Reply(code=550, enhanced="", text="User accepts no mail: sender not in whitelist")], False),
        ([Reply(code=550, enhanced="5.7.1", text="Sender denied: Bob has blocked you")], False),
        ([Reply(code=554, enhanced="5.7.1", text="Sender address rejected: Bob does not want it")], False),
        ([Reply(code=550, enhanced="5.7.1", text="Message refused, sender is not a member")], False),
        ([Reply(code=554, enhanced="5.7.1", text="Mail from IP 192.0.2.7 was rejected: blocklisted")], False),
        ([Reply(code=550, enhanced="5.7.1", text="Mail from you is not welcome here")], False),
        ([Reply(code=553, enhanced="5.7.1", text=_POSTFIX), Reply(code=550, enhanced="5.1.1", text="no")], False),
        ([], False),
    ],
)
def test_a_sender_refused_at_rcpt_is_seen(replies: list[Reply], is_so: bool) -> None:
    assert refuses_the_sender(replies) is is_so
