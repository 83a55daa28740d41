import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.reply import Reply, Verdict
from relay.rules.replies import (
    LONGEST_TEXT,
    Plea,
    is_login_refused,
    name_cause,
    names_a_setting,
    outcome_of,
    plea_of,
    read_reply,
    read_text,
    refuses_the_sender,
    speaks_of_the_login,
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


def said(line: str) -> Reply:
    return read_reply(int(line[:3]), [line[4:].encode()])


@pytest.mark.parametrize(
    ("line", "plea"),
    [
        ("450 4.7.1 Error: too many messages, sending rate limit exceeded", Plea.LESS),
        ("421 4.7.0 bye", Plea.LESS),
        ("450 4.2.1 Peak SMTP relay limit exceeded", Plea.LESS),
        ("432 4.3.2 Concurrent connections limit exceeded", Plea.FEWER),
        ("421 4.7.0 Error: too many connections from 192.0.2.7", Plea.FEWER),
        ("451 4.3.0 Daily limit of 500 mails reached: quota", Plea.LATER),
        ("550 5.4.5 Daily user sending limit exceeded", Plea.LATER),
        ("554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed", Plea.LATER),
        ("550 Send quota exceeded", Plea.LATER),
        ("452 4.5.3 Too many recipients", Plea.NONE),
        ("450 4.2.1 The user is receiving mail at a rate that exceeds the limit: rate limited", Plea.NONE),
        ("452 4.3.2 the recipient's hourly limit is reached", Plea.NONE),
        ("552 5.2.2 mailbox quota of the day exceeded", Plea.NONE),
        ("450 4.2.0 greylisted", Plea.NONE),
        ("550 5.7.1 rate limit exceeded", Plea.NONE),
        ("250 2.0.0 ok, rate limit exceeded", Plea.NONE),
    ],
)
def test_what_is_asked_of_the_whole_account(line: str, plea: Plea) -> None:
    assert plea_of(said(line)) is plea


def test_a_day_that_is_used_up_bounces_nothing_whatever_its_code() -> None:
    assert outcome_of(said("550 5.4.5 Daily user sending limit exceeded")).verdict is Verdict.DEFERRED
    assert outcome_of(said("550 5.7.1 rate limit exceeded")).verdict is Verdict.BOUNCED


def test_a_setting_and_a_login_are_told_from_other_refusals() -> None:
    tenant = said("550 5.7.64 TenantAttribution; Relay Access Denied")
    assert (names_a_setting(tenant), speaks_of_the_login(tenant)) == (True, False)
    ended = said("550 5.7.30 Basic authentication is not supported for Client Submission")
    assert speaks_of_the_login(ended)
    for other in (
        "554 5.7.1 Relay access denied",
        "550 5.1.1 no such user",
        "430 4.2.0 STOREDRV; mailbox logon failure",
    ):
        assert (names_a_setting(said(other)), speaks_of_the_login(said(other))) == (False, False)


def test_the_log_has_a_short_word_for_each_answer() -> None:
    assert name_cause(said("550 5.7.64 TenantAttribution; Relay Access Denied")) == "connector_unknown"
    assert name_cause(said("550 5.1.1 no such user")) == "unknown_address"
    assert name_cause(said("250 2.0.0 ok")) == ""


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


def test_behind_a_mail_only_what_a_provider_is_known_to_say_speaks_of_the_sender() -> None:
    assert refuses_the_sender([said("554 5.2.252 SendAsDenied; a not allowed to send as b")], behind=True)
    assert not refuses_the_sender([said("554 5.1.8 no")], behind=True)
