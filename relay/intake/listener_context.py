"""What the sessions of one listener share: its settings, its limits, and what is going on."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import TYPE_CHECKING

from relay.intake.budget import SharedDiskSpace, Shares
from relay.intake.connection_limits import ConnectionLimits, RefusalLog
from relay.intake.ports import Authenticator, Submission
from relay.intake.throttle import LoginThrottle
from relay.settings import Limits, Listener

if TYPE_CHECKING:
    from relay.intake.connection import Connection


@dataclass(frozen=True, kw_only=True)
class SharedResources:
    """What all listeners of a service share."""

    submission: Submission
    authenticator: Authenticator
    budget: Shares
    """Octets of mails that are being received, as far as they are in memory."""
    logins: LoginThrottle
    disk_space: SharedDiskSpace
    files: Shares
    """Open files of the process that connections may take."""


@dataclass(kw_only=True, eq=False)
class ListenerContext:
    """What all sessions of one listener share. A reload changes the settings while sessions run."""

    listener: Listener
    limits: Limits
    hostname: str
    language: str = "en"
    """In what refusals are written, beside English."""
    shared: SharedResources
    connection_limits: ConnectionLimits = field(init=False)
    refusals: RefusalLog = field(default_factory=RefusalLog)
    tls_context: SSLContext | None = None
    tls_first: bool = False
    """Whether TLS comes before the greeting (implicit TLS)."""
    sessions: set["Connection"] = field(default_factory=set)
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    """What runs to its end without a session: what clears up behind mails that are not kept."""
    closing: bool = False
    """Whether the service stops: each session ends behind its next reply."""
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while no mail is being received or kept."""
    receiving: set["Connection"] = field(default_factory=set)
    """Those with a mail that is being received or kept; some of their clients have left."""

    def __post_init__(self) -> None:
        self.connection_limits = ConnectionLimits(self.shared.files)
        self.quiet.set()

    def begin_mail(self, session: "Connection") -> None:
        """Mark a session as busy: a shutdown waits for its reply."""
        session.busy = True
        self.receiving.add(session)
        self.quiet.clear()

    def end_mail(self, session: "Connection") -> None:
        """Mark a session as not busy."""
        session.busy = False
        self.receiving.discard(session)
        if not self.receiving:
            self.quiet.set()

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Start work that runs to its end, whatever becomes of the session that began it."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
