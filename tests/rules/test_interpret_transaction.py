from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.mail import Recipient, RecipientKind
from relay.model.reply import Reply, Verdict
from relay.rules.interpret_transaction import SmtpReplies, interpret_transaction
from relay.rules.replies import Plea

OK = Reply(code=250, enhanced="2.1.5", text="ok")
LATER = Reply(code=450, enhanced="4.2.0", text="later")
NEVER = Reply(code=550, enhanced="5.1.1", text="unknown")
CROWDED = Reply(code=452, enhanced="4.5.3", text="too many recipients")
NO_LOGIN = Reply(code=530, enhanced="5.7.0", text="authentication required")
TAKEN = Reply(code=250, enhanced="2.0.0", text="taken")

A, B = Recipient(n=0, address="a@x.example"), Recipient(n=1, address="b@x.example")
ARCHIVE = Recipient(n=2, address="central@x.example", kind=RecipientKind.ARCHIVE)


def answers(
    *replies: Reply | None,
    mail: Reply | None = OK,
    data: Reply | None = None,
    final: Reply | None = None,
    lost: bool = False,
    uncertain: bool = False,
) -> SmtpReplies:
    return SmtpReplies(
        mail=mail,
        recipients=replies,
        data=data,
        final=final,
        lost="dot" if uncertain else "data" if lost else None,
        error="lost" if lost else "",
    )


def test_each_recipient_has_his_own_outcome() -> None:
    c = Recipient(n=2, address="c@x.example")
    result = interpret_transaction((A, B, c), answers(OK, LATER, NEVER, final=TAKEN))
    assert {n: o.verdict for n, o in result.outcomes.items()} == {
        0: Verdict.DELIVERED,
        1: Verdict.DEFERRED,
        2: Verdict.BOUNCED,
    }
    assert result.outcomes[0].reply is TAKEN
    assert not result.more_at_once


def test_all_recipients_refused_needs_no_data() -> None:
    result = interpret_transaction((A, B), answers(NEVER, LATER, data=Reply(code=503)))
    assert [o.verdict for o in result.outcomes.values()] == [Verdict.BOUNCED, Verdict.DEFERRED]
    assert result.reply is LATER


@pytest.mark.parametrize("failed", [LATER, NEVER])
@pytest.mark.parametrize("stage", ["data", "final"])
def test_a_data_reply_that_the_archive_took_part_in_decides_nothing(failed: Reply, stage: str) -> None:
    result = interpret_transaction((A, B, ARCHIVE), answers(OK, NEVER, OK, **{stage: failed}))  # type: ignore[arg-type]
    assert result.repeat_without_archive
    assert set(result.outcomes) == {1}


def test_a_connection_lost_before_the_dot_may_be_the_archives_doing() -> None:
    assert interpret_transaction((A, ARCHIVE), answers(OK, OK, lost=True)).repeat_without_archive
    assert interpret_transaction((A, ARCHIVE), answers(OK, None, lost=True)).repeat_without_archive
    refused_and_hung_up = interpret_transaction((A, ARCHIVE), answers(OK, Reply(code=421), lost=True))
    assert refused_and_hung_up.repeat_without_archive
    assert set(refused_and_hung_up.outcomes) == {2}


def test_a_refused_archive_leaves_the_data_reply_to_the_others() -> None:
    result = interpret_transaction((A, ARCHIVE), answers(OK, NEVER, final=LATER))
    assert not result.repeat_without_archive
    assert result.outcomes[0].verdict is Verdict.DEFERRED


def test_the_archive_alone_takes_its_reply() -> None:
    result = interpret_transaction((A, ARCHIVE), answers(NEVER, OK, final=TAKEN))
    assert result.outcomes[2].verdict is Verdict.DELIVERED
    assert result.outcomes[0].verdict is Verdict.BOUNCED
    alone = interpret_transaction((ARCHIVE,), answers(OK, final=NEVER))
    assert not alone.repeat_without_archive
    assert alone.outcomes[2].verdict is Verdict.BOUNCED


def test_lost_after_the_dot_is_uncertain_and_never_repeated_at_once() -> None:
    result = interpret_transaction((A, ARCHIVE), answers(OK, OK, lost=True, uncertain=True))
    assert result.doubtful == {0, 2}
    assert not result.repeat_without_archive
    assert {o.verdict for o in result.outcomes.values()} == {Verdict.DEFERRED}


def test_a_crowded_transaction_goes_on_with_the_rest_at_once() -> None:
    result = interpret_transaction((A, B), answers(OK, CROWDED, final=TAKEN))
    assert result.more_at_once
    assert result.outcomes[1].verdict is Verdict.DEFERRED
    nobody_taken = interpret_transaction((A, B), answers(CROWDED, CROWDED, data=Reply(code=503)))
    assert not nobody_taken.more_at_once


def test_552_at_rcpt_means_452_unless_it_says_what_it_means() -> None:
    result = interpret_transaction((A, B), answers(OK, Reply(code=552, text="too many"), final=TAKEN))
    assert result.outcomes[1].verdict is Verdict.DEFERRED
    assert result.more_at_once
    full = interpret_transaction(
        (A, B), answers(OK, Reply(code=552, enhanced="5.2.2", text="mailbox full"), final=TAKEN)
    )
    assert full.outcomes[1].verdict is Verdict.BOUNCED
    assert (
        interpret_transaction((A,), answers(Reply(code=552), data=Reply(code=503))).outcomes[0].verdict
        is Verdict.BOUNCED
    )


@pytest.mark.parametrize("said", [{"data": NO_LOGIN}, {"final": NO_LOGIN}])
def test_530_at_data_or_the_dot_defers_and_pauses(said: dict[str, Reply]) -> None:
    result = interpret_transaction((A,), answers(OK, **said))  # type: ignore[arg-type]
    assert result.login_refused
    assert result.outcomes[0].verdict is Verdict.DEFERRED
    assert not interpret_transaction((ARCHIVE,), answers(OK, **said)).login_refused  # type: ignore[arg-type]
    assert interpret_transaction((A, ARCHIVE), answers(OK, OK, **said)).repeat_without_archive  # type: ignore[arg-type]


def test_530_at_rcpt_pauses_but_not_for_the_archives_address() -> None:
    refused = interpret_transaction((A, B), answers(NO_LOGIN, NEVER, data=Reply(code=503)))
    assert (refused.login_refused, refused.reply) == (True, NO_LOGIN)
    assert [refused.outcomes[n].verdict for n in (0, 1)] == [Verdict.DEFERRED, Verdict.BOUNCED]
    partly = interpret_transaction((A, B), answers(NO_LOGIN, OK, final=TAKEN))
    assert (partly.login_refused, partly.reply) == (True, NO_LOGIN)
    assert partly.outcomes[1].verdict is Verdict.DELIVERED
    archive = interpret_transaction((A, ARCHIVE), answers(OK, NO_LOGIN, final=TAKEN))
    assert not archive.login_refused
    assert archive.outcomes[2].verdict is Verdict.DEFERRED


def test_530_at_rcpt_behind_a_login_pauses_nothing() -> None:
    said = answers(NO_LOGIN, OK, final=TAKEN)
    partly = interpret_transaction((A, B), replace(said, logged_in=True))
    assert not partly.login_refused
    assert [partly.outcomes[n].verdict for n in (0, 1)] == [Verdict.DEFERRED, Verdict.DELIVERED]
    alone = interpret_transaction((A,), replace(answers(NO_LOGIN, data=Reply(code=503)), logged_in=True))
    assert (alone.login_refused, alone.reply, alone.outcomes[0].verdict) == (False, NO_LOGIN, Verdict.DEFERRED)
    at_mail = replace(answers(None, mail=NO_LOGIN), logged_in=True)
    assert interpret_transaction((A,), at_mail).login_refused


def test_only_those_who_were_taken_are_in_doubt() -> None:
    result = interpret_transaction((A, B, ARCHIVE), answers(LATER, OK, OK, lost=True, uncertain=True))
    assert result.doubtful == {1, 2}
    assert result.outcomes[0].reply is LATER


def test_a_server_that_closes_is_not_asked_again_at_once() -> None:
    closing = Reply(code=421, enhanced="4.7.0", text="slow down")
    at_rcpt = interpret_transaction((A, B, ARCHIVE), answers(closing, None, None, lost=True))
    assert not at_rcpt.repeat_without_archive
    assert not at_rcpt.archive_leaves
    assert at_rcpt.plea is Plea.LESS
    for said in ({"data": closing}, {"final": closing}):
        result = interpret_transaction((A, ARCHIVE), answers(OK, OK, **said))  # type: ignore[arg-type]
        assert not result.repeat_without_archive
        assert result.archive_leaves
        assert result.plea is Plea.LESS
        assert result.outcomes[0].verdict is Verdict.DEFERRED


@pytest.mark.parametrize("stage", ["data", "final"])
def test_a_server_that_says_it_closes_and_goes_on_bounces_nobody_for_the_archive(stage: str) -> None:
    said: dict[str, Any] = {stage: Reply(code=552)}
    result = interpret_transaction((A, B, ARCHIVE), answers(Reply(code=421), OK, OK, **said))
    assert {outcome.verdict for outcome in result.outcomes.values()} == {Verdict.DEFERRED}
    assert result.archive_leaves
    assert not result.repeat_without_archive


def test_a_sending_limit_at_rcpt_slows_the_account_down_and_a_full_mailbox_does_not() -> None:
    limit = Reply(code=450, enhanced="4.7.1", text="too many messages, sending rate limit exceeded")
    assert interpret_transaction((A,), answers(limit, data=Reply(code=503))).plea is Plea.LESS
    full = replace(limit, enhanced="4.2.1")
    assert interpret_transaction((A,), answers(full, data=Reply(code=503))).plea is Plea.NONE


def test_what_is_said_to_the_blind_copy_alone_slows_nothing_but_at_mail() -> None:
    closing = Reply(code=421, enhanced="4.7.0", text="slow down")
    limit = Reply(code=450, enhanced="4.7.1", text="too many messages, sending rate limit exceeded")
    for answered in (
        answers(limit, data=Reply(code=503)),
        answers(OK, data=closing),
        answers(OK, final=closing),
    ):
        assert interpret_transaction((ARCHIVE,), answered).plea is Plea.NONE
        assert interpret_transaction((A,), answered).plea is Plea.LESS
    assert interpret_transaction((ARCHIVE,), answers(None, mail=closing)).plea is Plea.LESS


@pytest.mark.parametrize("code", [530, 535])
def test_a_login_refused_at_mail_defers_and_pauses(code: int) -> None:
    result = interpret_transaction((A,), answers(None, mail=Reply(code=code)))
    assert result.login_refused
    assert result.outcomes[0].verdict is Verdict.DEFERRED


def test_a_sender_refused_for_good_is_the_accounts_fault_as_well() -> None:
    result = interpret_transaction((A,), answers(None, mail=Reply(code=553, enhanced="5.7.1")))
    assert result.sender_refused
    assert result.outcomes[0].verdict is Verdict.BOUNCED
    for content in (Reply(code=552, enhanced="5.3.4"), Reply(code=550, enhanced="5.6.7")):
        assert not interpret_transaction((A,), answers(None, mail=content)).sender_refused


_SENDER = Reply(code=553, enhanced="5.7.1", text="<s@x.example>: Sender address rejected: not owned by user s")


def test_a_sender_refused_at_rcpt_is_as_at_mail() -> None:
    result = interpret_transaction((A, B, ARCHIVE), answers(_SENDER, _SENDER, _SENDER, data=Reply(code=503)))
    assert result.sender_refused
    assert {o.verdict for o in result.outcomes.values()} == {Verdict.BOUNCED}
    assert not interpret_transaction((A, B), answers(_SENDER, NEVER)).sender_refused
    assert not interpret_transaction((A, B), answers(_SENDER, OK, final=TAKEN)).sender_refused
    assert not interpret_transaction((ARCHIVE,), answers(_SENDER)).sender_refused


replies = st.sampled_from(
    [None, OK, LATER, NEVER, CROWDED, Reply(code=421), Reply(code=0), Reply(code=354), NO_LOGIN, Reply(code=552)]
)
recipient_lists = st.lists(st.sampled_from([RecipientKind.TO, RecipientKind.ARCHIVE]), min_size=1, max_size=6)


@given(kinds=recipient_lists, data=st.data(), lost=st.booleans(), uncertain=st.booleans())
def test_nobody_is_forgotten_and_only_2xx_delivers(
    kinds: list[RecipientKind], data: st.DataObject, lost: bool, uncertain: bool
) -> None:
    recipients = [Recipient(n=n, address=f"{n}@x.example", kind=kind) for n, kind in enumerate(kinds)]
    go_on = data.draw(replies)
    given_answers = SmtpReplies(
        mail=data.draw(replies),
        recipients=tuple(data.draw(replies) for _ in recipients),
        data=go_on,
        # Without a 354 there is no dot, and nothing that answers it.
        final=data.draw(replies) if go_on is not None and go_on.code == 354 and not lost else None,
        lost=("dot" if uncertain else "data") if lost else None,
    )
    result = interpret_transaction(recipients, given_answers)
    missing = [r for r in recipients if r.n not in result.outcomes]
    if not result.repeat_without_archive:
        # The blind copy may go on as a delivery of its own.
        assert result.archive_leaves or not missing
        assert all(r.kind is RecipientKind.ARCHIVE for r in missing)
    else:
        assert missing
        assert any(r.kind is RecipientKind.ARCHIVE for r in recipients)
        assert any(r.kind is RecipientKind.TO for r in missing)
        assert not result.doubtful
    assert bool(result.doubtful) <= given_answers.uncertain
    for n, outcome in result.outcomes.items():
        if outcome.verdict is Verdict.DELIVERED:
            own = given_answers.recipients[n]
            assert own is not None
            assert own.is_positive
            assert given_answers.final is not None
            assert given_answers.final.is_positive
        if outcome.verdict is Verdict.BOUNCED:
            assert outcome.reply.is_permanent
            mail = given_answers.mail
            at_data = mail is not None and mail.is_positive
            at_data = at_data and outcome.reply in (given_answers.data, given_answers.final)
            own = given_answers.recipients[n]
            if at_data and recipients[n].kind is RecipientKind.TO and own is not None and own.is_positive:
                took_part = [
                    r for r, reply in zip(recipients, given_answers.recipients, strict=True)
                    if r.kind is RecipientKind.ARCHIVE and reply is not None and reply.is_positive
                ]  # fmt: skip
                assert not took_part


def test_a_sender_that_is_refused_behind_the_mail_is_the_accounts_fault_too() -> None:
    denied = Reply(code=554, enhanced="5.2.252", text="SendAsDenied; a@x.example not allowed to send as b@x.example")
    result = interpret_transaction([A], answers(OK, final=denied))
    assert result.sender_refused
    assert result.outcomes[0].verdict is Verdict.BOUNCED
    assert not interpret_transaction([A], answers(OK, final=NEVER)).sender_refused
    assert not interpret_transaction([ARCHIVE], answers(OK, final=denied)).sender_refused
    assert not interpret_transaction([A, ARCHIVE], answers(OK, OK, final=denied)).sender_refused  # it is repeated
