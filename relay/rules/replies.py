"""SMTP replies: reading them, and what they mean."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from relay.escaping import HARMFUL
from relay.model.reply import Outcome, Reply, Verdict
from relay.rules.answers.about import About, Stage
from relay.rules.charsets import decode_octets

if TYPE_CHECKING:
    from relay.rules.answers.row import Row

LONGEST_TEXT = 2000
_ENHANCED = re.compile(rb"([245])\.(\d{1,3})\.(\d{1,3})(?:[ \t]+|$)")


class Plea(StrEnum):
    """What a provider asks of the whole account."""

    NONE = ""
    FEWER = "fewer"
    """Fewer connections at once."""
    LESS = "less"
    """To send more slowly."""
    LATER = "later"
    """To go on when the hour or the day is over for which all is sent that may be."""


_PLEAS = {About.CONNECTIONS: Plea.FEWER, About.LIMIT: Plea.LESS, About.USED_UP: Plea.LATER}


def read_reply(code: int, lines: Sequence[bytes]) -> Reply:
    """Make a reply of its code and the texts of its lines (RFC 5321 section 4.2, RFC 2034).

    The enhanced code counts only where its class fits the code. The text is bounded, and harmless for logs and notices.
    """
    enhanced, texts, length = "", [], 0
    for raw in lines:
        line = raw
        found = _ENHANCED.match(raw)
        if found and found[1] == str(code)[:1].encode():
            enhanced = enhanced or found[0].strip().decode("ascii")
            line = raw[found.end() :]
        if length < LONGEST_TEXT:
            text = read_text(line)
            texts.append(text)
            length += len(text) + 1
    return Reply(code=code, enhanced=enhanced, text="\n".join(texts)[:LONGEST_TEXT])


def read_text(raw: bytes) -> str:
    """Make a text that a server sent harmless and short enough for logs and notices."""
    return HARMFUL.sub("?", decode_octets(raw[:LONGEST_TEXT])).strip()


def meaning_of(reply: Reply, stage: Stage | None = Stage.SEND) -> "Row":
    """Find what an answer means: the row of the one table.

    The table is read for the first answer that is no success: no start, and no command that meets none, waits for it.
    """
    from relay.rules.answers.reading import find_row  # noqa: PLC0415 - see above

    return find_row(reply, stage)


def name_cause(reply: Reply) -> str:
    """Return the short word for what an answer means, which the log has as `cause`; empty for a success."""
    return "" if reply.is_positive else str(meaning_of(reply, None).name)


def name_poll_cause(failure: str) -> str:
    """Return the same for what ended a poll: its text begins with the step."""
    from relay.rules.answers.reading import find_poll_row  # noqa: PLC0415 - as above

    return str(find_poll_row(failure).name)


def outcome_of(reply: Reply) -> Outcome:
    """Class a reply: 2xx delivered, a refusal bounced, everything else deferred.

    A refusal is a 5xx, or one of our own, which has no code, but an enhanced one (5.x.x). None is what only says that
    the account has sent all that it may for now, whatever its code: that mail goes later, as those behind it do.
    What has a meaning of its own, such as 530 or a 552 at RCPT, is asked for beforehand.
    """
    if reply.is_positive:
        return Outcome(verdict=Verdict.DELIVERED, reply=reply)
    is_refusal = reply.is_permanent or (not reply.code and reply.enhanced.startswith("5."))
    if is_refusal and plea_of(reply) is Plea.LATER:
        is_refusal = False
    return Outcome(verdict=Verdict.BOUNCED if is_refusal else Verdict.DEFERRED, reply=reply)


def refuses_the_sender(replies: Sequence[Reply], *, behind: bool = False) -> bool:
    """Whether answers to all RCPTs of a mail refuse its sender, not its recipients.

    Postfix keeps what it has against the sender until then (smtpd_delay_reject), and says to each recipient the same.
    `behind`: they were given behind the mail, where only what a provider is known to say speaks of the account.
    """
    if not replies or not all(reply.is_permanent for reply in replies):
        return False
    from relay.rules.answers.reading import plain_words  # noqa: PLC0415 - as above

    if len({(one.code, one.enhanced, plain_words(one)) for one in replies}) != 1:
        return False
    row = meaning_of(replies[0])
    return row.about is About.SENDER and (row.is_known or not behind)


def names_a_setting(reply: Reply) -> bool:
    """Whether a refusal is one of those that a provider gives until something is switched on or changed there."""
    if not reply.is_permanent:
        return False
    row = meaning_of(reply)
    return row.about is About.CONFIGURATION and row.is_known


def speaks_of_the_login(reply: Reply) -> bool:
    """Whether a refusal at MAIL is known to be one of the login, though its code does not say so, as `550 5.7.30`."""
    if not reply.is_permanent:
        return False
    row = meaning_of(reply)
    return row.about.is_of_account and Stage.LOGIN in row.stages


def is_login_refused(reply: Reply) -> bool:
    """Whether a reply refuses the account's login at any step (530, 535: RFC 4954 section 6)."""
    return reply.code in (530, 535)


def plea_of(reply: Reply) -> Plea:
    """Return what a reply asks of the whole account: 421 (RFC 5321 section 3.8), or a 4xx that speaks of a limit.

    That a day or an hour is used up is said by some with a 5xx. What the recipient's mailbox can't take is no plea.
    """
    if reply.is_positive or not reply.code:
        return Plea.NONE
    plea = _PLEAS.get(meaning_of(reply).about, Plea.NONE)
    if reply.is_permanent and plea is not Plea.LATER:
        return Plea.NONE
    return plea or (Plea.LESS if reply.code == 421 else Plea.NONE)


def too_many_recipients(reply: Reply, *, some_taken: bool) -> bool:
    """Whether a reply at RCPT asks for another transaction (RFC 5321 section 4.5.3.1.10).

    That is 452, or a 4xx with 4.5.3. Old servers say 552: it counts only where others were taken and no enhanced code
    speaks of something else, such as 5.2.2, a mailbox that is full.
    """
    subject = reply.enhanced.partition(".")[2]
    if reply.code == 552:
        return some_taken and subject in ("", "5.3")
    return (reply.code == 452 and not subject) or (400 <= reply.code < 500 and subject == "5.3")
