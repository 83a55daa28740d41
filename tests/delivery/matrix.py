"""What becomes of a mail, for each step of the dialogue with a provider and each way in which it can go wrong.

The tests run every row against a server that does just that, and `docs/delivery.md` is made of the same rows:
`python -m tests.delivery.matrix` writes it.
"""

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

_AT_ONE_STEP: dict[str, Outcome] = {
    RESET: LATER, CLOSED: LATER, SILENT: LATER, ENDLESS: LATER, GARBAGE: LATER, FLOOD: LATER, LINES: SENT, ODD: LATER,
    LATE: LATER, CLOSING: LESS, DRIP: SENT,
}  # fmt: skip
_OPENING: dict[str, Outcome] = {
    **{fault: AWAY if outcome is LATER else outcome for fault, outcome in _AT_ONE_STEP.items()},
    CLOSING: BUSY, NEVER: AWAY,
}  # fmt: skip
_QUIT = dict.fromkeys((*_AT_ONE_STEP, NEVER), SENT)
_TLS: dict[str, Outcome] = {
    "has a certificate of an unknown authority": AWAY,
    "has a certificate that is over": AWAY,
    "has a certificate of another name": AWAY,
}
MATRIX: dict[str, dict[str, Outcome]] = {
    "connect": {
        REFUSED: AWAY, "has a name that is not found": AWAY, "does not even accept the connection": AWAY,
        "accepts the connection and says nothing": AWAY, "accepts the connection and resets it": AWAY,
    },
    "greeting": _OPENING,
    "EHLO": _OPENING,
    "STARTTLS": _OPENING,
    "AUTH": {
        **_OPENING, NEVER: PAUSED, "answers 535": PAUSED, "answers 534": PAUSED, "answers 530": PAUSED,
        "offers two logins and refuses the first": PAUSED, "answers 454": AWAY,
    },
    "MAIL": {
        **_AT_ONE_STEP, **dict.fromkeys((RESET, CLOSED, SILENT, ENDLESS, GARBAGE, FLOOD), AWAY), NEVER: BARRED,
        "answers 552, too large": BOUNCED, "answers 530": PAUSED,
    },
    "RCPT": {
        **_AT_ONE_STEP, NEVER: BOUNCED, "answers 450, greylisted": LATER, "answers 450, sending limit": LESS,
        "answers 552, mailbox full": BOUNCED, "answers 530": PAUSED, "answers 530 behind a login": LATER,
    },
    "DATA": {**_AT_ONE_STEP, NEVER: BOUNCED, "answers 250 in place of 354": LATER, "answers 530": PAUSED},
    "the mail": {
        RESET: LATER, CLOSED: LATER, "answers 552 in the middle": BOUNCED,
        "answers 552 in the middle and closes": BOUNCED, "answers 451 in the middle": LATER,
        "answers 421 in the middle and closes": LESS, "says what is no SMTP in the middle": LATER,
        "takes nothing any more": LATER, "takes it slowly": SENT,
    },
    "the final dot": {
        **{fault: DOUBT if outcome is LATER else outcome for fault, outcome in _AT_ONE_STEP.items()},
        ODD: LATER, LATE: LATER, NEVER: BOUNCED, "is silent, for the second time": HELD,
        "answers 451, too many messages": LESS, "answers 530": PAUSED,
    },
    "QUIT": _QUIT,
    "TLS": {
        **_TLS, "offers no STARTTLS": AWAY, **{f"{fault} (implicit TLS)": outcome for fault, outcome in _TLS.items()},
        "speaks without TLS on the port (implicit TLS)": AWAY,
        "resets the connection in the handshake (implicit TLS)": AWAY,
    },
    "extensions": {
        "offers no PIPELINING": SENT, "offers no SIZE": SENT, "takes less than the mail has (SIZE)": BOUNCED,
        "offers no 8BITMIME, the mail needs it": BARE, "offers no SMTPUTF8, the mail needs it": BOUNCED,
        "offers no login, the account has one": AWAY,
    },
}  # fmt: skip
WRITTEN = Outcome(name="written", mail="delivered", events=("inbox_delivered",))
INBOX: dict[str, Outcome] = {
    "takes it": WRITTEN,
    "has the file already, since its settlement failed": Outcome(
        name="again", mail="delivered", events=("activity_failed", "inbox_delivered")
    ),
    "is not a folder": LATER,
    "is on a disk that is full": LATER,
    "could not be written for longer than `give_up_after`": Outcome(
        name="patient", mail="queued", again="5 min", events=("delivery_deferred",)
    ),
}
"""What the inbox does of a user who gets a notice; nothing is ever in doubt there, and nothing is given up."""
IN_THE_TRANSACTION = ("MAIL", "RCPT", "DATA", "the mail", "the final dot")
"""The steps whose rows hold with and without PIPELINING, with and without the blind copy."""

ROWS = [(step, fault, outcome) for step, faults in MATRIX.items() for fault, outcome in faults.items()]


def write_document() -> str:
    """Write the page."""
    lines = [_INTRODUCTION.strip(), ""]
    lines += ["| at | the provider | the mail | tried again | its sender gets | the postmaster gets | the log says |",
              "| --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for step, fault, outcome in ROWS:
        cells = (step, fault, outcome.mail, _again(outcome), outcome.user or "-", outcome.postmaster or "-")
        lines.append(f"| {' | '.join(cells)} | {_events(outcome)} |")
    lines += [
        "",
        _INBOXES.strip(),
        "",
        "| the inbox | the notice | tried again | the log says |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {name} | {one.mail} | {_again(one)} | {_events(one)} |" for name, one in INBOX.items()]
    return "\n".join([*lines, ""])


def _again(outcome: Outcome) -> str:
    words = {"1 min": "after the first interval", "5 min": "after the longest interval", "": "-"}
    return words.get(outcome.again, outcome.again)


def _events(outcome: Outcome) -> str:
    return ", ".join(f"`{event}`" for event in dict.fromkeys(outcome.events))


_INBOXES = """
## A notice into an inbox

It is attempted, settled and tried again as a mail that leaves is, at any hour. The file's name carries the delivery's
id, so that writing it again adds nothing: it is never in doubt, and it is never given up.
"""


_INTRODUCTION = """
# What becomes of a mail when the provider does not just take it


Each row is a test (`tests/delivery/test_matrix.py`) with a server that does what the row says; the table is written
from the rows of that test, by `python -m tests.delivery.matrix`. It shows the first attempt of a mail with one
recipient. The rows from MAIL to the final dot are run three times: step by step, with PIPELINING, and with PIPELINING
and the blind copy in the same transaction. What becomes of the mail, when it is tried again and what its sender gets
is the same each time; with the blind copy the log and the postmaster hear of that, too (`archive_split`,
`archive_failed`).

- **queued**: it is tried again, by `[retry] intervals` with jitter, until `give_up_after`; then its sender gets the
  notice of failure. After `warn_after` he is told once that it still waits.
- An account that can't be reached, or whose server is lost at MAIL each time, rests for 5 to 60 seconds before its next
  mail tries; one whose provider asks for less (421, or a 4xx that names a rate) rests for 30 seconds to 15 minutes, and
  goes on with one connection until a mail is taken. Where all is sent that the account may send in an hour or a day,
  it rests for an hour, and so on; the mail waits as well, though some providers say it with a 5xx. Other accounts go
  on. "Too many connections" to a mail, while others of the account run, takes fewer connections, and no rest.
- A provider that refuses one connection more than those which are open (a 4xx at the greeting, EHLO or login, or a
  connection that it closes) has only named its limit: the account keeps to that many for a quarter of an hour, and the
  mail goes over those that are open, at once, without an attempt being counted (`account_narrowed`).
- A refused login (any 5xx at AUTH, 530 or 535 at any other step) bounces nothing: the account is paused, its mail
  waits, and the give-up clock stands still. One mechanism is tried, once. At RCPT behind a login that worked it
  is about that recipient alone: he is deferred. Where the provider lets a probe log in and then refuses a mail again,
  the pauses go on by the intervals, at most half of the longest; that mail waits for the longest, so that the others'
  goes between two pauses, and what it waits there counts for giving up. A pause is told once an hour at most.
- **A doubt**: the connection was lost after the final dot may have left. Nobody can know whether the provider has
  the mail: it is tried again late, with the same Message-ID, and named `possible_duplicate`; the second time it is
  held for a person. With `on_uncertain = "hold"` it is held the first time. Recipients who were refused for now at
  RCPT surely have not got it: they are tried again by the intervals, in a delivery of their own.
- Of several recipients each has an outcome of his own: only the deferred ones are tried again, and one notice tells
  of all that failed at once. 452 (or a 552 without a reason) after some recipients were taken: the others go in another
  transaction at once.
- A refusal of the sender may come at RCPT only (Postfix waits with it until there): where all recipients get the same
  5xx, and it speaks of the sender, it is as at MAIL. The blind copy's failure is then no alert of its own.
  Microsoft says it only behind the mail (`5.2.252 SendAsDenied`): that is as at MAIL, too. Where a refusal is known
  to last until something is changed at the provider (`5.7.64 TenantAttribution`), the postmaster is told what.
- A notice that leaves by mail and bounces goes into its reader's inbox, and where he has none into the postmaster's
  (`notice_moved`); there is no notice about a notice.
- What the provider says is cut and made harmless before it comes into a notice, the log or `relay trace`.
- The blind copy never decides: where its address took part in a DATA that was not answered 2xx, the mail is
  repeated at once without it; after a 421 not at once, but by the intervals.
"""


if __name__ == "__main__":
    DOCUMENT.write_text(write_document())
