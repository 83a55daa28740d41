"""What every transport implements, and the values in which it says what came of a delivery.

A transport knows nothing of lanes: what it learnt of the other side is in its result, and the attempt draws the
conclusions.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

from relay.model.account import OnUncertain
from relay.model.errors import StorageError
from relay.model.mail import Body, ClaimedDelivery, Recipient
from relay.model.reply import Outcome, Reply, Verdict
from relay.rules.disposition import Answered


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What the settings of this moment say of a destination."""

    connections: int = 1
    """How many deliveries may run at a time."""
    messages_per_minute: int | None = None
    recipients_per_day: int | None = None
    any_hour: bool = False
    """Whether it is served outside of the opening hours as well."""
    gives_up: bool = True
    """Whether a delivery is given up after `give_up_after`; else it is tried for ever."""
    on_uncertain: OnUncertain = OnUncertain.RETRY
    endpoint: Hashable = None
    """Where a delivery goes, and as whom: what was learnt there is forgotten when it changes."""
    access: Hashable = None
    """All that decides whether the endpoint is reached: when it changes, what waits is tried again at once."""


@dataclass(slots=True)
class Progress:
    """How far a delivery came, for whoever ends it early."""

    may_have_arrived: bool = False
    """Whether the other side may have the mail, so that another try may be a duplicate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Learnt:
    """What was learnt of the other side."""

    connected: bool = False
    """Whether a connection came about, or was kept."""
    max_size: int | None = None
    """Where `connected`: the largest mail that it takes, in octets; None: it does not say."""
    answers: bool = False
    """Whether it is in order: neither unreachable nor lost before it answered to the mail."""
    unreachable: bool = False
    """Whether it is of no use to any other mail either: not reached, or lost before it answered to the mail."""
    throttles: bool = False
    """Whether it asks to be sent less."""
    used_up: bool = False
    """Whether all is sent that the account may send in this hour or day."""
    connections: int | None = None
    """How many connections it allows, where it refused one more; where not `connected`, nothing was tried. None: no
    such thing."""
    login_refused: bool = False
    """Whether it refuses the login: nothing of the mail counts as tried. Where `connected`, it refused it to a mail
    only, and a probe can't see that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TransportResult(Answered):
    """What came of a delivery."""

    separate: tuple[Recipient, ...] = ()
    """Recipients (of the archive) who become a delivery of their own."""
    transactions: int = 1
    """How many mails this was, for the rate of the account."""
    confirms: bool = True
    """Whether the other side itself sends the confirmations that were asked for (DSN)."""
    learnt: Learnt = Learnt()

    @property
    def delivered(self) -> int:
        """How many recipients it was delivered to."""
        return sum(outcome.verdict is Verdict.DELIVERED for outcome in self.outcomes.values())


class Login(Protocol):
    """The login of a transport that has one: for pauses and probes."""

    async def fingerprint(self) -> str:
        """Return a hash of what the login depends on; empty where its secret can't be had. Raises StorageError."""

    async def probe(self) -> Reply | None:
        """Connect and log in, nothing more. None: it works; else the reply that says why not."""

    def settled(self) -> None:
        """Note that the account of a refused login is paused, or could not be: others need not wait for that."""


class Transport(Protocol):
    """Carries deliveries to one destination, by the settings of the moment in which it was made."""

    @property
    def terms(self) -> Terms:
        """What the settings say of the destination."""

    @property
    def login(self) -> Login | None:
        """Its login; None where it needs none."""

    async def deliver(self, claimed: ClaimedDelivery, body: Body, progress: Progress) -> TransportResult:
        """Deliver to the recipients of a claimed delivery.

        What goes wrong on the other side is in the result. Raises ClaimLostError where the delivery turned out to be
        somebody else's before anything was sent, StorageError, and whatever a fault of ours raises.
        """


def failed(delivery: ClaimedDelivery, progress: Progress, error: Exception) -> TransportResult:
    """Return the result of a delivery that the database, or a fault of ours, has ended: that of a lost connection."""
    reply = Reply(code=0, enhanced="4.4.2", text="a fault inside of the relay; its log says more")
    if isinstance(error, StorageError):
        reply = Reply(code=0, enhanced="4.3.0", text="the database of the relay refused; its log says more")
    deferred = Outcome(verdict=Verdict.DEFERRED, reply=reply)
    numbers = frozenset(recipient.n for recipient in delivery.recipients)
    return TransportResult(
        outcomes=dict.fromkeys(numbers, deferred),
        reply=reply,
        doubtful=numbers if progress.may_have_arrived else frozenset(),
    )
