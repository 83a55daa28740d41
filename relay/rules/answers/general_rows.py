"""What the standards and many servers say alike: codes, enhanced status codes, and phrases.

First come the enhanced status codes (RFC 3463, and the IANA registry of RFC 5248) that leave no doubt, then phrases,
then the status codes that are used for many things, then the bare reply code.
"""

from collections.abc import Iterable
from typing import Final

from relay.rules.answers.row import About, Advice, Row

ABOUT: Final = {
    Advice.UNKNOWN_ADDRESS: About.RECIPIENT,
    Advice.UNKNOWN_DOMAIN: About.RECIPIENT,
    Advice.BAD_ADDRESS: About.RECIPIENT,
    Advice.MAILBOX_FULL: About.RECIPIENT,
    Advice.MAILBOX_CLOSED: About.RECIPIENT,
    Advice.TOO_LARGE: About.MAIL,
    Advice.SPAM: About.MAIL,
    Advice.ATTACHMENT: About.MAIL,
    Advice.BLOCKED: About.TROUBLE,
    Advice.UNPROVEN_SENDER: About.MAIL,
    Advice.POLICY: About.UNKNOWN,
    Advice.AUTHENTICATION: About.LOGIN,
    Advice.SENDER_REFUSED: About.SENDER,
    Advice.RELAY_DENIED: About.CONFIGURATION,
    Advice.RATE: About.LIMIT,
    Advice.RECIPIENTS: About.MAIL,
    Advice.NO_UTF8: About.RECIPIENT,
    Advice.CONTENT: About.MAIL,
    Advice.LOOP: About.RECIPIENT,
    Advice.UNREACHABLE: About.CONNECTION,
    Advice.EXPIRED: About.TROUBLE,
    Advice.OTHER: About.UNKNOWN,
}
"""What an answer is about, by the advice that it gets where no row knows more."""


def _status(advice: Advice, *statuses: str) -> Row:
    return Row(name=advice, about=ABOUT[advice], advice=advice, statuses=frozenset(statuses), source="RFC 3463, 5248")


def _phrase(advice: Advice, pattern: str) -> Row:
    return Row(name=advice, about=ABOUT[advice], advice=advice, says=(pattern))


def _code(advice: Advice, *codes: int) -> Row:
    return Row(name=advice, about=ABOUT[advice], advice=advice, codes=frozenset(codes), source="RFC 5321, 4954")


_RATE: Final = (
    r"rate.{0,10}limit|limit .{0,20}(?:exceeded|reached)|(?:sending|daily|hourly) .{0,20}(?:limit|quota)|throttl"
    r"|too many (?:messages|mails|emails|requests)|too (?:fast|frequent)|slow down"
)
_CONNECTIONS: Final = r"too many (?:concurrent |simultaneous |open )?(?:smtp )?(?:connections|sessions)"
_CLEAR: Final = (
    _status(Advice.UNKNOWN_ADDRESS, "1.1", "1.6"),
    _status(Advice.UNKNOWN_DOMAIN, "1.2", "1.10"),
    _status(Advice.MAILBOX_FULL, "2.2"),
    _status(Advice.TOO_LARGE, "2.3", "3.4"),
    _status(Advice.LOOP, "4.6"),
    _status(Advice.NO_UTF8, "6.7"),
    _status(Advice.AUTHENTICATION, "7.8"),
    _status(Advice.UNPROVEN_SENDER, "7.20", "7.23", "7.26"),
    _status(Advice.RATE, "7.28"),
    _status(Advice.SENDER_REFUSED, "7.60", "2.252"),
)
_PHRASES: Final = (
    Row(
        name=Advice.SENDER_REFUSED,
        about=About.SENDER,
        advice=Advice.SENDER_REFUSED,
        # Subject and detail of refusals that may speak of the sender (RFC 3463, 7372); `7.1` says no more than no.
        statuses=frozenset({"", "1.7", "1.8", "7.0", "7.1", "7.27"}),
        says=r"sender (?:address )?(?:rejected|refused|denied|verif|not|is not|does)|not owned by|sendasdenied"
        r"|(?:allowed|authori[sz]ed|permitted|permissions?|right) to send\b(?! (?:\S+ )?to\b)"
        r"|not (?:allowed|authori[sz]ed|permitted) to use this sender|must (?:equal|be (?:the )?same as) auth"
        r"|send (?:mail )?(?:as|from) (?:this|that|the)"
        r"|\b(?:reject|refus|denied|invalid|unauthori[sz]ed|forbidden)\w* (?:by |as |the |from )*sender"
        r"|(?:envelope|return)[- ]?(?:from|path) .{0,40}(?:reject|refus|not |denied)"
        r"|\bmail from:? ?(?:address |domain )?(?:is |was )?(?:reject|refus|not |denied)",
        # What the recipient, or a list of his, has against the mail: the account may send to others all the same.
        unless=r"recipient|\brcpt\b|mailbox|\bgroup\b|list(?:s|ed)?\b|addressee|\bmembers?\b|subscri"
        r"|\bblocked\b|does not (?:accept|want)|\bdmarc\b|\bspf\b|\bdkim\b",
    ),
    _phrase(
        Advice.AUTHENTICATION,
        r"authentication (?:is )?(?:required|failed)|please authenticate|password not accepted",
    ),
    _phrase(
        Advice.RELAY_DENIED, r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed))|unable to relay"
    ),
    _phrase(
        Advice.MAILBOX_FULL,
        r"(?:mailbox|inbox)(?: is)? (?:full|out of)|over ?quota|quota ?exceeded|exceeded (?:storage|its quota)"
        r"|out of storage|insufficient (?:mailbox )?storage|mailbox (?:quota|size limit)",
    ),
    _phrase(
        Advice.TOO_LARGE,
        r"(?:message|mail|size|file) (?:is )?too (?:large|big)|exceeds? .{0,40}\bsize|size .{0,40}exceed|size limit",
    ),
    _phrase(
        Advice.UNKNOWN_DOMAIN,
        r"(?:host|domain)(?: name)? not found|no such domain|domain does(?:n't| not) exist|unknown domain|nxdomain"
        r"|unrout(?:e)?able|\bnull ?mx\b|does not accept (?:e-?)?mail",
    ),
    _phrase(Advice.ATTACHMENT, r"\bvirus|malware|infected|attachment|file type|potential security issue"),
    _phrase(
        Advice.BLOCKED,
        r"spamhaus|spamcop|barracuda|block(?:ed)? ?(?:list|using)|black ?list|\b(?:dns)?rbl\b|\bdnsbl\b|reputation",
    ),
    _phrase(Advice.UNPROVEN_SENDER, r"\bdmarc\b|\bspf\b|\bdkim\b|unauthenticated (?:e-?)?mail|sender id"),
    _phrase(Advice.RECIPIENTS, r"too many recipients"),
    Row(
        name="recipient_rate",
        about=About.RECIPIENT,
        advice=Advice.RATE,
        says=r"receiving rate|(?:is receiving|receiving mail|recipient's) .{0,80}(?:rate|limit|quota)",
    ),
    Row(
        name="recipient_rate",
        about=About.RECIPIENT,
        advice=Advice.RATE,
        statuses=frozenset(f"2.{detail}" for detail in range(10)),
        says=_RATE,
        source="RFC 3463 section 3.3: a status of the mailbox, not of the way to it",
    ),
    Row(name="connections", about=About.CONNECTIONS, advice=Advice.RATE, says=_CONNECTIONS),
    _phrase(Advice.RATE, _RATE),
    _phrase(Advice.SPAM, r"\bspam|\bjunk\b|unsolicited|bulk mail"),
    _phrase(
        Advice.MAILBOX_CLOSED, r"(?:mailbox|account|user)(?: is| has been)? (?:disabled|inactive|suspended|locked)"
    ),
    _phrase(
        Advice.UNKNOWN_ADDRESS,
        r"(?:user|recipient|address|mailbox|account)(?: is)? (?:unknown|not found|unavailable|invalid)|no mailbox"
        r"|(?:unknown|invalid|no such|nonexistent) (?:local )?(?:user|recipient|address|mailbox|account)"
        r"|recipientnotfound|does(?:n't| not) exist|recipient address rejected: access denied",
    ),
)
_VAGUE: Final = (
    _status(Advice.BAD_ADDRESS, "1.3"),
    _status(Advice.SENDER_REFUSED, "1.7", "1.8"),
    _status(Advice.MAILBOX_CLOSED, "2.0", "2.1"),
    _status(Advice.UNREACHABLE, "4.1", "4.2"),
    _status(Advice.UNKNOWN_DOMAIN, "4.4"),
    _status(Advice.RATE, "4.5"),
    _status(Advice.RECIPIENTS, "5.3"),
    _status(Advice.EXPIRED, "4.7"),
    _status(Advice.POLICY, "7.0", "7.1"),
    _status(Advice.AUTHENTICATION, "7.9"),
    _status(Advice.UNPROVEN_SENDER, "7.509"),
    _status(Advice.CONTENT, *(f"6.{detail}" for detail in range(1000))),
)
_CODES: Final = (
    _code(Advice.UNREACHABLE, 0, 421),
    _code(Advice.TOO_LARGE, 523, 552),
    _code(Advice.AUTHENTICATION, 530, 534, 535, 538),
    _code(Advice.UNKNOWN_ADDRESS, 551),
    _code(Advice.BAD_ADDRESS, 553),
    _code(Advice.UNKNOWN_DOMAIN, 556),
)
GENERAL_ROWS: Final[Iterable[Row]] = (*_CLEAR, *_PHRASES, *_VAGUE, *_CODES)
"""The first that fits counts."""
