"""SMTP replies: reading them, and what they mean."""

import re
from collections.abc import Sequence

from relay.escaping import HARMFUL
from relay.model.reply import Outcome, Reply, Verdict
from relay.rules.charsets import decode_octets

LONGEST_TEXT = 2000
_ENHANCED = re.compile(rb"([245])\.(\d{1,3})\.(\d{1,3})(?:[ \t]+|$)")
_RATE = re.compile(
    r"rate.{0,10}limit|limit .{0,20}(?:exceeded|reached)|(?:sending|daily|hourly) .{0,20}(?:limit|quota)|throttl"
    r"|too many (?:messages|mails|emails|connections|requests)|too (?:fast|frequent)|slow down"
)
_SENDER_STATUS = frozenset({"", "1.7", "1.8", "7.0", "7.1", "7.27", "7.60", "2.252"})
"""Subject and detail of refusals that may speak of the sender (RFC 3463, 7372); `7.1` says no more than no."""
_SENDER = re.compile(
    r"sender (?:address )?(?:rejected|refused|denied|verif|not|is not|does)|not owned by|sendasdenied"
    r"|(?:allowed|authori[sz]ed|permitted|permissions?|right) to send\b(?! (?:\S+ )?to\b)"
    r"|send (?:mail )?(?:as|from) (?:this|that|the)"
    r"|\b(?:reject|refus|denied|invalid|unauthori[sz]ed|forbidden)\w* (?:by |as |the |from )*sender"
    r"|(?:envelope|return)[- ]?(?:from|path) .{0,40}(?:reject|refus|not |denied)"
    r"|\bmail from:? ?(?:address |domain )?(?:is |was )?(?:reject|refus|not |denied)"
)
_RECIPIENT = re.compile(
    r"recipient|\brcpt\b|mailbox|\bgroup\b|list(?:s|ed)?\b|addressee|\bmembers?\b|subscri"
    r"|\bblocked\b|does not (?:accept|want)"
)
"""What the recipient, or a list of his, has against the mail: the account may send to others all the same."""
_ADDRESSES = re.compile(r"<[^<>]*+>|[^\s@<]*+@\S*+")
_RECEIVING = re.compile(r"is receiving|receiving rate|recipient's")


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


def outcome_of(reply: Reply) -> Outcome:
    """Class a reply: 2xx delivered, a refusal bounced, everything else deferred.

    A refusal is a 5xx, or one of our own, which has no code, but an enhanced one (5.x.x).
    What has a meaning of its own, such as 530 or a 552 at RCPT, is asked for beforehand.
    """
    if reply.is_positive:
        return Outcome(verdict=Verdict.DELIVERED, reply=reply)
    is_refusal = reply.is_permanent or (not reply.code and reply.enhanced.startswith("5."))
    return Outcome(verdict=Verdict.BOUNCED if is_refusal else Verdict.DEFERRED, reply=reply)


def refuses_the_sender(replies: Sequence[Reply]) -> bool:
    """Whether answers to all RCPTs of a mail refuse its sender, not its recipients.

    Postfix keeps what it has against the sender until then (smtpd_delay_reject), and says to each recipient the same.
    """
    kinds = {
        (one.code, one.enhanced, " ".join(_ADDRESSES.sub(" ", one.text[:LONGEST_TEXT]).lower().split()))
        for one in replies
    }
    if len(kinds) != 1:
        return False
    ((code, enhanced, text),) = kinds
    subject = enhanced.partition(".")[2]
    if not 500 <= code < 600 or subject not in _SENDER_STATUS:
        return False
    return _SENDER.search(text) is not None and _RECIPIENT.search(text) is None


def is_login_refused(reply: Reply) -> bool:
    """Whether a reply refuses the account's login at any step (530, 535: RFC 4954 section 6)."""
    return reply.code in (530, 535)


def asks_to_slow_down(reply: Reply) -> bool:
    """Whether a reply speaks of the whole account: 421 (RFC 5321 section 3.8), 432 or 45x that names a limit."""
    return reply.code == 421 or (reply.code in (432, 450, 451, 452) and _RATE.search(reply.text.lower()) is not None)


def asks_the_sender_to_slow_down(reply: Reply) -> bool:
    """Whether a reply at RCPT does so; one that speaks of the recipient's mailbox (4.2.x) does not."""
    if reply.code == 421:
        return True
    of_the_mailbox = reply.enhanced.startswith("4.2.") or _RECEIVING.search(reply.text.lower()) is not None
    return asks_to_slow_down(reply) and not of_the_mailbox


def too_many_recipients(reply: Reply, *, some_taken: bool) -> bool:
    """Whether a reply at RCPT asks for another transaction (RFC 5321 section 4.5.3.1.10).

    That is 452, or a 4xx with 4.5.3. Old servers say 552: it counts only where others were taken and no enhanced code
    speaks of something else, such as 5.2.2, a mailbox that is full.
    """
    subject = reply.enhanced.partition(".")[2]
    if reply.code == 552:
        return some_taken and subject in ("", "5.3")
    return (reply.code == 452 and not subject) or (400 <= reply.code < 500 and subject == "5.3")
