"""SMTP replies: reading them, and what they mean."""

import re
from collections.abc import Sequence

from relay.model.outcome import Outcome, Verdict
from relay.model.reply import Reply

LONGEST_TEXT = 2000
_ENHANCED = re.compile(rb"([245])\.(\d{1,3})\.(\d{1,3})(?:[ \t]+|$)")
_RATE = re.compile(
    r"rate.{0,10}limit|limit .{0,20}(?:exceeded|reached)|(?:sending|daily|hourly) .{0,20}(?:limit|quota)|throttl"
    r"|too many (?:messages|mails|emails|connections|requests)|too (?:fast|frequent)|slow down"
)
_HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


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
            text = _decode(line[:LONGEST_TEXT])
            texts.append(text)
            length += len(text) + 1
    return Reply(code=code, enhanced=enhanced, text="\n".join(texts)[:LONGEST_TEXT])


def read_text(raw: bytes) -> str:
    """Make a text that a server sent harmless and short enough for logs and notices."""
    return _decode(raw[:LONGEST_TEXT])


def _decode(line: bytes) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = line.decode("latin-1")
    return _HARMFUL.sub("?", text).strip()


def outcome_of(reply: Reply) -> Outcome:
    """Class a reply: 2xx delivered, 5xx bounced, everything else deferred; 552 at RCPT is asked for beforehand."""
    if reply.is_positive:
        return Outcome(verdict=Verdict.DELIVERED, reply=reply)
    return Outcome(verdict=Verdict.BOUNCED if reply.is_permanent else Verdict.DEFERRED, reply=reply)


def is_login_refused(reply: Reply) -> bool:
    """Whether a reply refuses the account's login (530, 535)."""
    return reply.code in (530, 535)


def asks_to_slow_down(reply: Reply) -> bool:
    """Whether a reply speaks of the whole account: 421 (RFC 5321 section 3.8), or 45x that names a rate or a limit."""
    text = reply.text.lower()
    return reply.code == 421 or (450 <= reply.code <= 452 and _RATE.search(text) is not None)


def too_many_recipients(reply: Reply) -> bool:
    """Whether a reply at RCPT asks for another transaction (RFC 5321 section 4.5.3.1.10: 452; old servers say 552)."""
    return reply.code in (452, 552) or (400 <= reply.code < 500 and reply.enhanced == "4.5.3")
