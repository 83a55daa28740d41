"""What a provider's refusal means for a layman: the reply decides which piece of advice its notice gives.

First come the enhanced status codes (RFC 3463, and the IANA registry of RFC 5248) that leave no doubt, then phrases of
large providers, then the codes that are used for many things, then the bare reply code.
"""

import re
from enum import StrEnum

from relay.model.reply import Reply


class Advice(StrEnum):
    """What happened, as far as it helps to decide what to do now."""

    UNKNOWN_ADDRESS = "unknown_address"
    UNKNOWN_DOMAIN = "unknown_domain"
    BAD_ADDRESS = "bad_address"
    MAILBOX_FULL = "mailbox_full"
    MAILBOX_CLOSED = "mailbox_closed"
    TOO_LARGE = "too_large"
    SPAM = "spam"
    ATTACHMENT = "attachment"
    BLOCKED = "blocked"
    UNPROVEN_SENDER = "unproven_sender"
    POLICY = "policy"
    AUTHENTICATION = "authentication"
    SENDER_REFUSED = "sender_refused"
    RELAY_DENIED = "relay_denied"
    RATE = "rate"
    NO_UTF8 = "no_utf8"
    CONTENT = "content"
    LOOP = "loop"
    UNREACHABLE = "unreachable"
    EXPIRED = "expired"
    OTHER = "other"


_CLEAR_STATUS = {
    "1.1": Advice.UNKNOWN_ADDRESS,
    "1.2": Advice.UNKNOWN_DOMAIN,
    "1.6": Advice.UNKNOWN_ADDRESS,
    "1.10": Advice.UNKNOWN_DOMAIN,
    "2.2": Advice.MAILBOX_FULL,
    "2.3": Advice.TOO_LARGE,
    "3.4": Advice.TOO_LARGE,
    "4.6": Advice.LOOP,
    "6.7": Advice.NO_UTF8,
    "7.8": Advice.AUTHENTICATION,
    "7.20": Advice.UNPROVEN_SENDER,
    "7.23": Advice.UNPROVEN_SENDER,
    "7.26": Advice.UNPROVEN_SENDER,
    "7.28": Advice.RATE,
    "7.60": Advice.SENDER_REFUSED,
    "2.252": Advice.SENDER_REFUSED,
}
"""By subject and detail; the class says only how long it lasts."""

_VAGUE_STATUS = {
    "1.3": Advice.BAD_ADDRESS,
    "1.7": Advice.SENDER_REFUSED,
    "1.8": Advice.SENDER_REFUSED,
    "2.0": Advice.MAILBOX_CLOSED,
    "2.1": Advice.MAILBOX_CLOSED,
    "4.1": Advice.UNREACHABLE,
    "4.2": Advice.UNREACHABLE,
    "4.4": Advice.UNKNOWN_DOMAIN,
    "4.5": Advice.RATE,
    "4.7": Advice.EXPIRED,
    "5.3": Advice.RATE,
    "7.0": Advice.POLICY,
    "7.1": Advice.POLICY,
    "7.9": Advice.AUTHENTICATION,
    "7.509": Advice.UNPROVEN_SENDER,
    "7.64": Advice.RELAY_DENIED,
}

_PHRASES = {
    Advice.SENDER_REFUSED: re.compile(
        r"sender address rejected|not owned by (?:user|auth)|sendasdenied|permissions? to send as"
        r"|sender (?:address )?(?:is )?not allowed"
        r"|not (?:allowed|authorized|permitted) to (?:send|use) (?:as|from|on behalf|this sender)"
        r"|must (?:equal|be (?:the )?same as) auth"
    ),
    Advice.AUTHENTICATION: re.compile(
        r"authentication (?:is )?(?:required|failed)|please authenticate|password not accepted"
    ),
    Advice.RELAY_DENIED: re.compile(
        r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed))|unable to relay"
    ),
    Advice.MAILBOX_FULL: re.compile(
        r"(?:mailbox|inbox)(?: is)? (?:full|out of)|over ?quota|quota ?exceeded|exceeded (?:storage|its quota)"
        r"|out of storage|insufficient (?:mailbox )?storage|mailbox (?:quota|size limit)"
    ),
    Advice.TOO_LARGE: re.compile(
        r"(?:message|mail|size|file) (?:is )?too (?:large|big)|exceeds? .{0,40}\bsize|size .{0,40}exceed|size limit"
    ),
    Advice.UNKNOWN_DOMAIN: re.compile(
        r"(?:host|domain)(?: name)? not found|no such domain|domain does(?:n't| not) exist|unknown domain|nxdomain"
        r"|unrout(?:e)?able|\bnull ?mx\b|does not accept (?:e-?)?mail"
    ),
    Advice.ATTACHMENT: re.compile(r"\bvirus|malware|infected|attachment|file type|potential security issue"),
    Advice.BLOCKED: re.compile(
        r"spamhaus|spamcop|barracuda|block(?:ed)? ?(?:list|using)|black ?list|\b(?:dns)?rbl\b|\bdnsbl\b|reputation"
    ),
    Advice.UNPROVEN_SENDER: re.compile(r"\bdmarc\b|\bspf\b|\bdkim\b|unauthenticated (?:e-?)?mail|sender id"),
    Advice.RATE: re.compile(
        r"rate.{0,10}limit|limit .{0,20}exceeded|(?:sending|daily|hourly) .{0,20}(?:limit|quota)|throttl"
        r"|too many (?:messages|mails|emails|recipients|connections)|receiving mail .{0,20}rate"
    ),
    Advice.SPAM: re.compile(r"\bspam|\bjunk\b|unsolicited|bulk mail"),
    Advice.MAILBOX_CLOSED: re.compile(
        r"(?:mailbox|account|user)(?: is| has been)? (?:disabled|inactive|suspended|locked)"
    ),
    Advice.UNKNOWN_ADDRESS: re.compile(
        r"(?:user|recipient|address|mailbox|account)(?: is)? (?:unknown|not found|unavailable|invalid)|no mailbox"
        r"|(?:unknown|invalid|no such|nonexistent) (?:local )?(?:user|recipient|address|mailbox|account)"
        r"|recipientnotfound|does(?:n't| not) exist|recipient address rejected: access denied"
    ),
}
"""In lower case; the first that is found counts."""

_CODES = {
    0: Advice.UNREACHABLE,
    421: Advice.UNREACHABLE,
    523: Advice.TOO_LARGE,
    530: Advice.AUTHENTICATION,
    534: Advice.AUTHENTICATION,
    535: Advice.AUTHENTICATION,
    538: Advice.AUTHENTICATION,
    551: Advice.UNKNOWN_ADDRESS,
    552: Advice.TOO_LARGE,
    553: Advice.BAD_ADDRESS,
    556: Advice.UNKNOWN_DOMAIN,
}

_LONGEST = 1000
"""Characters of a reply that are searched for phrases."""
_ADDRESSES = re.compile(r"<[^<>]*+>|[^\s@]*+@\S*+|\bhttps?:\S*+")
"""What a sender or recipient can choose, such as `spam@example.com`, says nothing."""


def choose_advice(reply: Reply, *, expired: bool = False) -> Advice:
    """Choose the advice for a recipient who does not get a mail, refused or given up, by the last reply that it got."""
    status = reply.enhanced.partition(".")[2]
    advice = _CLEAR_STATUS.get(status) or _read_phrases(reply.text) or _VAGUE_STATUS.get(status)
    if advice is None and status.startswith("6."):
        advice = Advice.CONTENT
    if advice is None:
        advice = _CODES.get(reply.code, Advice.OTHER)
    if advice is Advice.OTHER and expired:
        return Advice.EXPIRED
    return advice


def _read_phrases(text: str) -> Advice | None:
    words = " ".join(_ADDRESSES.sub(" ", text[:_LONGEST]).lower().split())
    return next((advice for advice, phrase in _PHRASES.items() if phrase.search(words)), None)
