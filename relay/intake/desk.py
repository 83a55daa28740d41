"""What all sessions of one listener share: its settings, its limits, and who is inside."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import TYPE_CHECKING, Any

from relay.intake.budget import Shares
from relay.intake.gate import Gate
from relay.intake.hooks import Authenticator, Submission
from relay.intake.room import SharedRoom
from relay.intake.throttle import LoginThrottle
from relay.settings import Limits, Listener

if TYPE_CHECKING:
    from relay.intake.lifetime import Lifetime


@dataclass(kw_only=True, eq=False)
class Desk:
    """What all sessions of one listener share."""

    listener: Listener
    limits: Limits
    hostname: str
    language: str = "en"
    """What refusals are written in, beside English."""
    submission: Submission
    authenticator: Authenticator
    budget: Shares
    gate: Gate
    logins: LoginThrottle
    room: SharedRoom | None = None
    """What the disk has room for; None: for everything."""
    tls_context: SSLContext | None = None
    tls_first: bool = False
    """Whether TLS comes before the first word (implicit TLS)."""
    sessions: set["Lifetime"] = field(default_factory=set)
    work: set[asyncio.Task[Any]] = field(default_factory=set)
    """What must end even if its client leaves: mails on their way to the submission, and what clears up behind them."""
    closing: bool = False
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while no mail is being received."""
    _receiving: int = 0

    def __post_init__(self) -> None:
        self.quiet.set()

    def begin_mail(self, session: "Lifetime") -> None:
        """Mark a session as busy: a shutdown waits for its reply."""
        if not session.busy:
            session.busy = True
            self._receiving += 1
            self.quiet.clear()

    def end_mail(self, session: "Lifetime") -> None:
        """Mark a session as one that only talks."""
        if session.busy:
            session.busy = False
            self._receiving -= 1
            if not self._receiving:
                self.quiet.set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin work that goes on to its end, whatever becomes of the session that began it."""
        task = asyncio.get_running_loop().create_task(work)
        self.work.add(task)
        task.add_done_callback(self.work.discard)
