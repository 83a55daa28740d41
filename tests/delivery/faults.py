"""What the provider of a row of the matrix does: the answers that the fault replaces, and how to see that it came."""

import datetime as dt
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import trustme

from tests.delivery.matrix import (
    CLOSED,
    CLOSING,
    DRIP,
    ENDLESS,
    FLOOD,
    GARBAGE,
    LATE,
    LINES,
    NEVER,
    ODD,
    RESET,
    SILENT,
)

KEYS = {
    "connect": ("CONNECT", 220), "greeting": ("CONNECT", 220), "EHLO": ("EHLO reply", 250),
    "STARTTLS": ("STARTTLS", 220), "AUTH": ("AUTH", 235), "MAIL": ("MAIL", 250), "RCPT": ("RCPT", 250),
    "DATA": ("DATA", 354), "the mail": ("BODY", 0), "the final dot": ("DOT", 250), "QUIT": ("QUIT", 221),
    "TLS": ("CONNECT", 220),
}  # fmt: skip
"""At each step: what it is called at the provider, and the code of a good answer."""

_EVERYWHERE = {
    RESET: "! reset",
    CLOSED: "! close",
    SILENT: "! silence",
    ENDLESS: "S> {code}\n! silence",
    GARBAGE: "hello there, who are you",
    FLOOD: "\n".join(["{code}-" + "x" * 7000] * 15 + ["{code} end"]),
    LINES: "{code}-a line\n" * 99 + "{code} the last one",
    ODD: "451 4.3.0 sp\udce4ter\x07 \x1b[31mred",
    LATE: "451 4.3.0 later",
    NEVER: "550 5.7.1 no",
    CLOSING: "421 4.3.2 closing\n! close",
    DRIP: "D: {code} drop by drop",
}
_SOMEWHERE = {
    "accepts the connection and says nothing": "! silence",
    "accepts the connection and resets it": "! reset",
    "resets the connection in the handshake": "! reset",
    "is silent, for the second time": "! silence",
    "offers two logins and refuses the first": "535 5.7.8 wrong",
    "answers 535": "535 5.7.8 wrong",
    "answers 534": "534 5.7.9 an application's password is needed",
    "answers 530": "530 5.7.0 log in",
    "answers 530 behind a login": "530 5.7.0 not to him",
    "answers 454": "454 4.7.0 not now",
    "answers 450, greylisted": "450 4.2.0 greylisted",
    "answers 450, sending limit": "450 4.7.1 too many messages, sending rate limit exceeded",
    "answers 250 in place of 354": "250 2.0.0 fine",
    "answers 451, too many messages": "451 4.7.0 too many messages, slow down",
    "answers 552, too large": "552 5.3.4 too large",
    "answers 552, mailbox full": "552 5.2.2 mailbox full",
    "answers 552 in the middle": "552 5.3.4 too large\n! silence",
    "answers 552 in the middle and closes": "552 5.3.4 too large\n! close",
    "answers 451 in the middle": "451 4.3.0 later\n! silence",
    "answers 421 in the middle and closes": "421 4.3.2 closing\n! close",
    "says what is no SMTP in the middle": "hello there\n! silence",
    "takes nothing any more": "! silence",
    "takes it slowly": "! slow",
}
_LEFT_OUT = {
    "offers no SIZE": "SIZE 100000000",
    "offers no 8BITMIME, the mail needs it": "8BITMIME",
    "offers no SMTPUTF8, the mail needs it": "SMTPUTF8",
}
REASONS = {
    "refuses the connection": "refused",
    "accepts the connection and says nothing": "in time",
    "does not even accept the connection": "in time",
    "has a name that is not found": "not known",
    "has a certificate of an unknown authority": "unable to get local issuer certificate|self.signed",
    "has a certificate that is over": "expired",
    "has a certificate of another name": "not valid for 'localhost'",
    "offers no STARTTLS": "no STARTTLS",
    "speaks without TLS on the port": "TLS with",
    "offers no login, the account has one": "no login",
}
"""What the log must say of it, where the fault is not in an answer."""


def answers(step: str, fault: str, *, pipelined: bool) -> dict[str, str]:
    """Choose what the provider of a row answers."""
    offer = ["SIZE 100000000", "8BITMIME", "SMTPUTF8", *(["PIPELINING"] if pipelined else [])]
    if fault in _LEFT_OUT:
        offer.remove(_LEFT_OUT[fault])
    if fault.startswith("takes less"):
        offer[0] = "SIZE 100"
    if step == "AUTH" or fault.endswith("behind a login"):
        offer.append("AUTH LOGIN PLAIN" if "two logins" in fault else "AUTH PLAIN")
    if uses_tls(step, fault) and not is_implicit(fault) and fault != "offers no STARTTLS":
        offer.append("STARTTLS")
    chosen = {"EHLO": "\n".join([*offer, "HELP"])}
    said = _EVERYWHERE.get(fault) or _SOMEWHERE.get(fault)
    if said is not None:
        key, code = KEYS[step]
        chosen[key] = said.replace("{code}", str(code))
    return chosen


def uses_tls(step: str, fault: str) -> bool:
    """Tell whether the account of a row has TLS."""
    return step in ("STARTTLS", "TLS") or is_implicit(fault)


def is_implicit(fault: str) -> bool:
    """Tell whether TLS comes before the greeting."""
    return fault.endswith("(implicit TLS)")


def plain_name(fault: str) -> str:
    """Give a fault's name without the way in which TLS is used."""
    return fault.removesuffix(" (implicit TLS)")


def has_reason(fault: str, replies: list[str]) -> bool:
    """Tell whether one of the replies in the log names a fault that is not in an answer."""
    return any(re.search(REASONS[fault], reply) for reply in replies)


def tls_context(authority: trustme.CA, fault: str) -> ssl.SSLContext:
    """Make the server's side of TLS, with the certificate of a row."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    over = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    if "unknown authority" in fault:
        authority = trustme.CA()
    name = "elsewhere.example" if "another name" in fault else "localhost"
    leaf = authority.issue_cert(name, not_after=over) if "is over" in fault else authority.issue_cert(name)
    leaf.configure_cert(context)
    return context


@contextmanager
def deaf_port() -> Iterator[int]:
    """Give a port whose queue of connections is full, so that a SYN is not answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        try:
            yield listener.getsockname()[1]
        finally:
            for one in waiting:
                one.close()
