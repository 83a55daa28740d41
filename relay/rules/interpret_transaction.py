"""What one SMTP transaction means for each recipient, row by row in docs/delivery.md.

No outcome of a real recipient is taken from an answer to DATA that the archive took part in, unless it was 2xx: such an
attempt is repeated at once without the archive, whose copy becomes a delivery of its own. A server that closes the
connection (421), or breaks it off behind the dot, is not asked again at once; the next attempt goes without the
archive. What is said to the archive alone never makes the account's other mail wait.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from relay.model.mail import Recipient, RecipientKind
from relay.model.reply import Outcome, Reply, Verdict
from relay.rules.disposition import Answered
from relay.rules.replies import (
    Plea,
    is_login_refused,
    names_a_setting,
    outcome_of,
    plea_of,
    refuses_the_sender,
    speaks_of_the_login,
    too_many_recipients,
)

_CONTENT_FAULTS = ("5.2.3", "5.3.4", "5.6.")
"""Refusals at MAIL that speak of the mail, not of the account: too large, not convertible (RFC 3463)."""


@dataclass(kw_only=True, slots=True)
class SmtpReplies:
    """All that the provider said in one transaction; None where it was not asked or did not answer."""

    mail: Reply | None = None
    recipients: tuple[Reply | None, ...] = ()
    """In the order of the recipients."""
    data: Reply | None = None
    """The answer to DATA where it was no 354."""
    final: Reply | None = None
    """The answer to the final dot."""
    lost: str | None = None
    """At which stage the connection was lost before the transaction was complete; None: it was not."""
    error: str = ""
    """How it was lost, in our words."""
    logged_in: bool = False
    """Whether the account has logged in on this connection: then 530 or 535 at RCPT is about that recipient."""

    @property
    def uncertain(self) -> bool:
        """Whether it was lost after the final dot may have left: the provider may have the mail."""
        return self.lost == "dot"


@dataclass(frozen=True, kw_only=True, slots=True)
class TransactionResult(Answered):
    """What the answers mean. A recipient without an outcome gets his from the repetition."""

    repeat_without_archive: bool = False
    """Send at once again, to those without an outcome; the archive leaves this delivery."""
    archive_leaves: bool = False
    """The archive becomes a delivery of its own, though nothing is sent again at once: the server closes."""
    login_refused: bool = False
    """The account is to be paused; every recipient is still deferred."""
    plea: Plea = Plea.NONE
    """What the provider asks of the whole account."""


def interpret_transaction(recipients: Sequence[Recipient], replies: SmtpReplies) -> TransactionResult:
    """Judge one transaction. Whoever gets no outcome here gets it from the repetition without the archive."""
    result = _interpret(recipients, replies)
    plea = _find_plea(recipients, replies)
    setting = None if result.login_refused else _find_setting(recipients, replies)
    return replace(result, plea=plea, setting=setting) if plea or setting else result


_PLEAS = tuple(Plea)
"""From the least to the most that is asked."""


def _find_plea(recipients: Sequence[Recipient], replies: SmtpReplies) -> Plea:
    said = [replies.mail, *replies.recipients, replies.data, replies.final]
    if all(r.kind is RecipientKind.ARCHIVE for r in recipients):
        said = [replies.mail]
    return max((plea_of(one) for one in said if one is not None), key=_PLEAS.index, default=Plea.NONE)


def _find_setting(recipients: Sequence[Recipient], replies: SmtpReplies) -> Reply | None:
    """Find the refusal that names a setting; what is said of the archive's address alone is no witness."""
    asked = zip(recipients, replies.recipients, strict=False)
    to_people = [said for r, said in asked if r.kind is not RecipientKind.ARCHIVE]
    if not to_people and replies.recipients:
        return None
    said = (replies.mail, *to_people, replies.data, replies.final)
    return next((r for r in said if r is not None and not is_login_refused(r) and names_a_setting(r)), None)


def _interpret(recipients: Sequence[Recipient], replies: SmtpReplies) -> TransactionResult:
    mail = replies.mail
    if mail is None:
        return _same_for_all(recipients, _lost_reply(replies))
    if not mail.is_positive:
        if is_login_refused(mail) or speaks_of_the_login(mail):
            return TransactionResult(outcomes=_defer(recipients, mail), reply=mail, login_refused=True)
        of_content = mail.code == 552 or mail.enhanced.startswith(_CONTENT_FAULTS)
        of_sender = mail.is_permanent and not of_content and not names_a_setting(mail)
        return _same_for_all(recipients, mail, sender_refused=of_sender and outcome_of(mail).verdict is Verdict.BOUNCED)
    return _interpret_data(recipients, replies)


def _same_for_all(recipients: Sequence[Recipient], reply: Reply, *, sender_refused: bool = False) -> TransactionResult:
    outcome = outcome_of(reply)
    return TransactionResult(outcomes={r.n: outcome for r in recipients}, reply=reply, sender_refused=sender_refused)


def _defer(recipients: Iterable[Recipient], reply: Reply) -> dict[int, Outcome]:
    outcome = Outcome(verdict=Verdict.DEFERRED, reply=reply)
    return {r.n: outcome for r in recipients}


def _interpret_data(recipients: Sequence[Recipient], replies: SmtpReplies) -> TransactionResult:
    pairs = list(zip(recipients, replies.recipients, strict=True))
    taken = [r for r, reply in pairs if reply is not None and reply.is_positive]
    outcomes, too_many = _interpret_recipients(pairs, replies, some_taken=bool(taken))
    end = replies.final or _refused_data(replies.data) or _lost_reply(replies)
    shut_out = None if replies.logged_in else _shut_out(pairs)
    if not taken and not replies.lost:
        last = next((x for _, x in reversed(pairs) if x is not None), end)
        said = [x for _, x in pairs if x is not None]
        return TransactionResult(
            outcomes=outcomes,
            reply=shut_out or last,
            login_refused=shut_out is not None,
            # The archive alone is no witness: what is said to its address may be about that.
            sender_refused=any(r.kind is not RecipientKind.ARCHIVE for r, _ in pairs) and refuses_the_sender(said),
        )
    if end.is_positive:
        outcomes |= {r.n: Outcome(verdict=Verdict.DELIVERED, reply=end) for r in taken}
        return TransactionResult(
            outcomes=outcomes, reply=shut_out or end, more_at_once=too_many, login_refused=shut_out is not None
        )
    if replies.uncertain:
        outcomes |= _defer(taken, end)
        # It may be the archive's address that makes the server break off: the next attempt goes without it.
        leaves = len({r.kind is RecipientKind.ARCHIVE for r in taken}) > 1
        doubtful = frozenset(r.n for r in taken)
        return TransactionResult(outcomes=outcomes, reply=end, doubtful=doubtful, archive_leaves=leaves)
    leaves = False
    if _archive_may_be_the_cause(recipients, taken, replies):
        if not _closed_by_others(pairs, replies):
            unanswered = {r.n for r, reply in pairs if reply is None}
            own = {n: o for n, o in outcomes.items() if n not in unanswered}
            return TransactionResult(outcomes=own, reply=end, repeat_without_archive=True)
        # Whoever closes the connection is not asked again at once; the next attempt goes without the archive.
        leaves = end.code == 421 or end.is_permanent
    if is_login_refused(end):
        outcomes |= _defer(taken, end)
        paused = any(r.kind is not RecipientKind.ARCHIVE for r in taken)
        return TransactionResult(outcomes=outcomes, reply=end, login_refused=paused)
    outcomes |= _defer(taken, end) if leaves else dict.fromkeys((r.n for r in taken), outcome_of(end))
    return TransactionResult(
        outcomes=outcomes,
        reply=shut_out or end,
        archive_leaves=leaves,
        login_refused=shut_out is not None,
        # Microsoft refuses a sender only behind the mail; the archive alone is no witness here either.
        sender_refused=shut_out is None
        and any(r.kind is not RecipientKind.ARCHIVE for r in taken)
        and refuses_the_sender([end], behind=True),
    )


def _shut_out(pairs: Sequence[tuple[Recipient, Reply | None]]) -> Reply | None:
    """Give the answer at RCPT that asks for a login; the archive's address alone never stops an account."""
    return next((x for r, x in pairs if x and is_login_refused(x) and r.kind is not RecipientKind.ARCHIVE), None)


def _interpret_recipients(
    pairs: Sequence[tuple[Recipient, Reply | None]], replies: SmtpReplies, *, some_taken: bool
) -> tuple[dict[int, Outcome], bool]:
    """Give the outcomes of those who were not taken, and whether some were too many for one transaction."""
    outcomes: dict[int, Outcome] = {}
    too_many = False
    for recipient, reply in pairs:
        if reply is None:
            outcomes[recipient.n] = outcome_of(_lost_reply(replies))
        elif too_many_recipients(reply, some_taken=some_taken):
            too_many = True
            outcomes |= _defer((recipient,), reply)
        elif is_login_refused(reply):
            outcomes |= _defer((recipient,), reply)
        elif not reply.is_positive:
            outcomes[recipient.n] = outcome_of(reply)
    return outcomes, too_many


def _closed_by_others(pairs: Sequence[tuple[Recipient, Reply | None]], replies: SmtpReplies) -> bool:
    """Whether the server closed the connection (421) by something else than its answer to the archive's address."""
    asked = [reply for r, reply in pairs if r.kind is not RecipientKind.ARCHIVE]
    return any(r is not None and r.code == 421 for r in (*asked, replies.data, replies.final))


def _archive_may_be_the_cause(
    recipients: Sequence[Recipient], taken: Sequence[Recipient], replies: SmtpReplies
) -> bool:
    unanswered = [r for r, reply in zip(recipients, replies.recipients, strict=True) if reply is None]
    open_ones = [*taken, *unanswered]
    asked = open_ones if not replies.lost else recipients
    has_archive = any(r.kind is RecipientKind.ARCHIVE for r in asked)
    return has_archive and any(r.kind is not RecipientKind.ARCHIVE for r in open_ones)


def _refused_data(data: Reply | None) -> Reply | None:
    """Read an answer to DATA that was no 354. One that sounds like success is none: no mail was sent yet."""
    if data is None or not data.is_positive:
        return data
    return Reply(code=0, enhanced="4.5.0", text=f"the server answered DATA with {data}")


def _lost_reply(replies: SmtpReplies) -> Reply:
    return Reply(code=0, enhanced="4.4.2", text=replies.error or "the connection was lost")
