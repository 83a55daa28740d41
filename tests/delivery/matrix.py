"""What becomes of a mail, for each step of the dialogue with a provider and each way in which it can go wrong.

The tests run every row against a server that does just that, and `docs/delivery.md` is made of the same rows:
`python -m tests.delivery.matrix` writes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "delivery.md"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What must follow."""

    name: str
    mail: str
    """The mail's state: `delivered`, `bounced`, `queued` or `held`."""
    again: str = ""
    """When it is tried again: `1 min` (the first interval), `5 min` (the last one), `at once` or empty."""
    user: str = ""
    """What the sender gets."""
    postmaster: str = ""
    events: tuple[str, ...] = ()
    """What the log says, of the events of deliveries and accounts, in any order."""


SENT = Outcome(name="sent", mail="delivered", events=("message_delivered",))
BARE = Outcome(name="sent", mail="delivered", events=("body_sent_unannounced", "message_delivered"))
LATER = Outcome(name="later", mail="queued", again="1 min", events=("delivery_deferred",))
AWAY = Outcome(name="away", mail="queued", again="1 min", events=("account_unreachable", "delivery_deferred"))
LESS = Outcome(name="less", mail="queued", again="1 min",
               events=("account_slowed", "delivery_deferred", "provider_asks_for_less"))  # fmt: skip
BUSY = Outcome(
    name="busy",
    mail="queued",
    again="1 min",
    events=("account_slowed", "account_unreachable", "delivery_deferred", "provider_asks_for_less"),
)
BOUNCED = Outcome(
    name="bounced", mail="bounced", user="a notice of failure (DSN)", events=("message_bounced", "notice_queued")
)
BARRED = Outcome(
    name="barred",
    mail="bounced",
    user="a notice of failure (DSN)",
    postmaster="an alert: the provider refuses the account's address",
    events=("message_bounced", "notice_queued", "notice_queued", "sender_refused"),
)
PAUSED = Outcome(
    name="paused",
    mail="queued",
    again="when the login works again",
    postmaster="an alert: the account's login is refused",
    events=("account_paused", "delivery_deferred", "notice_queued"),
)
DOUBT = Outcome(name="doubt", mail="queued", again="5 min", events=("delivery_deferred", "possible_duplicate"))
HELD = Outcome(
    name="held",
    mail="held",
    user="a notice: perhaps delivered already",
    postmaster="the same notice",
    events=("delivery_deferred", "delivery_held", "notice_queued", "notice_queued", "possible_duplicate"),
)

REFUSED, RESET, CLOSED, SILENT = "refuses the connection", "resets the connection", "closes the connection", "is silent"
DRIP, ENDLESS = "drips its answer", "begins its answer and never ends it"
GARBAGE, FLOOD, LINES = "answers what is no SMTP", "answers 100 kB", "answers in 100 lines"
ODD = "answers 4xx with 8-bit and control characters"
LATE, NEVER, CLOSING = "answers 451", "answers 550", "answers 421 and closes"

_FAULTS = {
    RESET: "! reset",
    CLOSED: "! close",
    SILENT: "! silence",
    ENDLESS: "S> {code}\n! silence",
    GARBAGE: "S: hello there, who are you",
    FLOOD: "S: {code}-" + "x" * 7000 + ("\nS: {code}-" + "x" * 7000) * 14 + "\nS: {code} end",
    LINES: "S: {code}-a line\n" * 99 + "S: {code} the last one",
    ODD: "S: 451 4.3.0 sp\\xe4ter\\x07 \\x1b[31mred",
    LATE: "S: 451 4.3.0 later",
    NEVER: "S: 550 5.7.1 no",
    CLOSING: "S: 421 4.3.2 closing\n! close",
    DRIP: "D: {code} drop by drop",
}
_AT_ONE_STEP: dict[str, Outcome] = {
    RESET: LATER, CLOSED: LATER, SILENT: LATER, ENDLESS: LATER, GARBAGE: LATER, FLOOD: LATER, LINES: SENT, ODD: LATER,
    LATE: LATER, CLOSING: LESS, DRIP: SENT,
}  # fmt: skip
_OPENING: dict[str, Outcome] = {
    **{fault: AWAY if outcome is LATER else outcome for fault, outcome in _AT_ONE_STEP.items()},
    CLOSING: BUSY, NEVER: AWAY,
}  # fmt: skip
MATRIX: dict[str, dict[str, Outcome]] = {
    "connect": {REFUSED: AWAY},
    "greeting": _OPENING,
    "EHLO": _OPENING,
    "STARTTLS": {RESET: AWAY, CLOSED: AWAY, SILENT: AWAY, GARBAGE: AWAY, LATE: AWAY, NEVER: AWAY, CLOSING: BUSY},
    "AUTH": {**_OPENING, NEVER: PAUSED, "answers 535": PAUSED, "answers 530": PAUSED, "answers 454": AWAY},
    "MAIL": {**_AT_ONE_STEP, NEVER: BARRED, "answers 552, too large": BOUNCED, "answers 530": PAUSED},
    "RCPT": {**_AT_ONE_STEP, NEVER: BOUNCED, "answers 450, greylisted": LATER},
    "DATA": {**_AT_ONE_STEP, NEVER: BOUNCED, "answers 250 in place of 354": LATER},
    "the mail": {RESET: LATER, CLOSED: LATER, "answers 552 in the middle": BOUNCED, "takes nothing any more": LATER},
    "the final dot": {
        **{fault: DOUBT if outcome is LATER else outcome for fault, outcome in _AT_ONE_STEP.items()},
        ODD: LATER, LATE: LATER, NEVER: BOUNCED, "is silent, for the second time": HELD,
        "answers 451, too many messages": LESS,
    },
    "QUIT": {RESET: SENT, CLOSED: SENT, SILENT: SENT, GARBAGE: SENT, NEVER: SENT},
    "TLS": {
        "has a certificate of an unknown authority": AWAY, "has a certificate that is over": AWAY,
        "has a certificate of another name": AWAY, "offers no STARTTLS": AWAY,
    },
    "extensions": {
        "offers no PIPELINING": SENT, "offers no SIZE": SENT, "takes less than the mail has (SIZE)": BOUNCED,
        "offers no 8BITMIME, the mail needs it": BARE, "offers no SMTPUTF8, the mail needs it": BOUNCED,
        "offers no login, the account has one": AWAY,
    },
}  # fmt: skip

ROWS = [(step, fault, outcome) for step, faults in MATRIX.items() for fault, outcome in faults.items()]

_EXTENSIONS = ("PIPELINING", "SIZE 100000000", "8BITMIME", "SMTPUTF8")
_ONE_ANSWER = {
    "answers 535": "S: 535 5.7.8 wrong", "answers 530": "S: 530 5.7.0 log in", "answers 454": "S: 454 4.7.0 not now",
    "answers 552, too large": "S: 552 5.3.4 too large", "answers 450, greylisted": "S: 450 4.2.0 greylisted",
    "answers 250 in place of 354": "S: 250 2.0.0 fine",
    "answers 451, too many messages": "S: 451 4.7.0 too many messages, slow down",
}  # fmt: skip


@dataclass(kw_only=True)
class _Step:
    """One step of the dialogue: what is heard, and what is answered."""

    name: str
    heard: str = ""
    answer: str


def script(step: str, fault: str) -> str:
    """Write the dialogue of a row. Without PIPELINING, so that each step has its own answer."""
    leave_out = {
        "offers no SIZE": "SIZE 100000000",
        "offers no 8BITMIME, the mail needs it": "8BITMIME",
        "offers no SMTPUTF8, the mail needs it": "SMTPUTF8",
    }.get(fault)
    extensions = [one for one in _EXTENSIONS if one not in ("PIPELINING", leave_out)]
    if fault.startswith("takes less"):
        extensions[extensions.index("SIZE 100000000")] = "SIZE 100"
    if step == "AUTH":
        extensions.append("AUTH PLAIN")
    if step == "STARTTLS" or (step == "TLS" and "offers" not in fault):
        extensions.append("STARTTLS")
    ehlo = "\n".join(["S: 250-provider", *(f"S: 250-{one}" for one in extensions), "S: 250 HELP"])
    steps = [
        _Step(name="greeting", answer="S: 220 provider"),
        _Step(name="EHLO", heard="C: EHLO .*", answer=ehlo),
        _Step(name="STARTTLS", heard="C: STARTTLS", answer="S: 220 go on\n! tls"),
        _Step(name="AUTH", heard="C: AUTH .*", answer="S: 235 2.7.0 welcome"),
        _Step(name="MAIL", heard="C: MAIL FROM:.*", answer="S: 250 2.1.0 ok"),
        _Step(name="RCPT", heard="C: RCPT TO:.*", answer="S: 250 2.1.5 ok"),
        _Step(name="DATA", heard="C: DATA", answer="S: 354 go on"),
        _Step(name="the final dot", heard="C. hello", answer="S: 250 2.0.0 taken"),
        _Step(name="QUIT", heard="C: QUIT", answer="S: 221 2.0.0 bye"),
    ]
    if step not in ("STARTTLS", "TLS") or "offers" in fault:
        steps = [one for one in steps if one.name != "STARTTLS"]
    if step != "AUTH":
        steps = [one for one in steps if one.name != "AUTH"]
    return "\n".join(_dialogue(steps, step, fault))


def _dialogue(steps: Sequence[_Step], step: str, fault: str) -> list[str]:
    lines: list[str] = []
    for one in steps:
        if one.heard and not (step == "the mail" and one.name == "the final dot"):
            lines.append(one.heard)
        if step == "the mail" and one.name == "the final dot":
            lines.append({RESET: "! reset", CLOSED: "! close", "takes nothing any more": "! silence"}.get(
                fault, "C: .*\nS: 552 5.3.4 too large\n! silence"))  # fmt: skip
        elif one.name == step:
            lines.append(_fault(one, fault))
            if step == "DATA" and not lines[-1].startswith("!") and fault not in (LINES, DRIP):
                lines += ["C: RSET", "S: 250 2.0.0 ok", "! close"]
        else:
            lines.append(one.answer)
    return lines


def _fault(step: _Step, fault: str) -> str:
    if fault in _ONE_ANSWER:
        return _ONE_ANSWER[fault]
    code = next(line for line in step.answer.splitlines() if line.startswith("S: "))[3:6]
    if fault.endswith("for the second time"):
        return "! silence"
    return _FAULTS[fault].replace("{code}", code)


def write_document() -> str:
    """Write the page."""
    lines = [_INTRODUCTION.strip(), ""]
    lines += ["| at | the provider | the mail | tried again | its sender gets | the postmaster gets | the log says |",
              "| --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for step, fault, outcome in ROWS:
        events = ", ".join(f"`{event}`" for event in dict.fromkeys(outcome.events))
        again = {"1 min": "after the first interval", "5 min": "after the longest interval"}.get(
            outcome.again, outcome.again
        )
        cells = (step, fault, outcome.mail, again or "-", outcome.user or "-", outcome.postmaster or "-", events)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


_INTRODUCTION = """
# What becomes of a mail when the provider does not just take it


Each row is a test (`tests/delivery/test_matrix.py`) with a server that does what the row says; the table is written
from the rows of that test, by `python -m tests.delivery.matrix`. It shows the first attempt of a mail with one
recipient.

- **queued**: it is tried again, by `[retry] intervals` with jitter, until `give_up_after`; then its sender gets the
  notice of failure. After `warn_after` he is told once that it still waits.
- An account that can't be reached rests for 5 to 60 seconds before its next mail tries; one whose provider asks for
  less (421, or a 45x that names a rate) rests for 30 seconds to 15 minutes, and goes on with one connection until a
  mail is taken.
- **A doubt**: the connection was lost after the final dot may have left. Nobody can know whether the provider has
  the mail: it is tried again late, with the same Message-ID, and named `possible_duplicate`; the second time it is
  held for a person. With `on_uncertain = "hold"` it is held the first time.
- Of several recipients each has an outcome of his own: only the deferred ones are tried again, and one notice tells
  of all that failed at once. 452 after some recipients were taken: the others go in another transaction at once.
- What the provider says is cut and made harmless before it comes into a notice, the log or `relay trace`.
- The blind copy never decides: where its address took part in a DATA that was not answered 2xx, the mail is
  repeated at once without it.
"""


if __name__ == "__main__":
    DOCUMENT.write_text(write_document())
