"""The settings as the rest of the program sees them. Times are in milliseconds, sizes in octets, paths absolute."""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from relay.model.account import Directory
from relay.model.policy import ArchivePolicy, RetryPolicy
from relay.rules.hours import OpeningHours

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""Who may connect where the configuration does not say."""

_SECOND = 1_000
_MINUTE = 60 * _SECOND
_DAY = 24 * 60 * _MINUTE
_KIB = 1024
_MIB = 1024 * _KIB


class ListenerTls(StrEnum):
    """How a listener protects its connections."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """`[[listener]]`: one address and port where clients hand in mail."""

    host: str = "127.0.0.1"
    port: int = 2525
    """0: one that the system chooses."""
    networks: tuple[IPv4Network | IPv6Network, ...] = LOOPBACK
    """Who may connect."""
    max_message_size: int = 75 * _MIB
    tls: ListenerTls = ListenerTls.NONE
    certificate: Path | None = None
    """PEM, with the chain. Set where `tls` is not none, as is `private_key`."""
    private_key: Path | None = None
    require_auth: bool = False
    default_user: str | None = None
    """Who submits where nothing else tells."""
    plaintext_auth: bool = False
    """AUTH without TLS from anywhere; else only from loopback."""
    received_client: bool = False
    """Whether the Received header shows the client's address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """`[limits]`: what protects the service from clients, and the disk from history."""

    drain_timeout: int = 30 * _SECOND
    """How long running work may go on when the service stops."""
    keep_history: int = 90 * _DAY
    """How long header and outcomes of a mail stay after its end."""
    keep_delivered: int = 0
    """How long the body of a mail stays after its end; 0: it goes at once."""
    connections: int = 1_000
    """Of one listener's clients, at a time; nobody has more than he leaves to the others, so one at most a half."""
    connections_per_client: int = 100
    """From one address, at a time."""
    commands_per_session: int = 100_000
    errors_per_session: int = 20
    """Replies of 4xx and 5xx, then 421."""
    recipients_per_message: int = 1_000
    header_size: int = 256 * _KIB
    session_idle: int = 300 * _SECOND
    """Without a command, then 421 (RFC 5321 section 4.5.3.2.7)."""
    data_idle: int = 180 * _SECOND
    """What a client may be behind 8 KiB a second within DATA or BDAT."""
    bytes_in_flight: int = 64 * _MIB
    """Of all mails that are being taken in, as far as they are in memory (a large one: 2 MiB); beyond it 452.

    Nobody has more than he leaves to the others, except for a mail that is alone.
    """
    free_space: int = 50 * _MIB
    """Room on the disk that new mail leaves free; beyond it 452."""
    auth_failures: int = 5
    """Failed logins of one session, then 421; what slows guesses over all sessions needs no setting."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupSettings:
    """`[backup]`: what the service copies each night by itself."""

    folder: Path
    """Where the backups are, each a folder named by its time; absolute."""
    at: int = 2 * 60 * _MINUTE
    """Of the day, by the clock on the office's wall (`[schedule] timezone`)."""
    keep: int = 7
    """How many stay; the oldest go first, each after a newer one is whole."""
    inboxes: bool = False
    """Whether the inboxes are copied, too."""
    secrets: bool = False
    """Whether passwords are: those in the configuration, which else are blanked, and the files that hold some."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogSettings:
    """`[log]`."""

    format: str = "json"
    """`json` or `console`."""
    level: str = "info"
    file: Path | None = None
    """None: standard output."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The whole configuration. Made by `load_settings`."""

    path: Path
    """The file that it was read from, absolute."""
    language: str
    """`de` or `en`."""
    hostname: str
    """The EHLO name, and in Received."""
    folder: Path
    """What relative paths are relative to; the lock and the control socket are there."""
    database: str = field(repr=False)
    """A SQLAlchemy URL; its password is the reason why it is in no repr."""
    inboxes: Path
    group: str | None = None
    """Who may read the inboxes beside the service itself."""
    lease: int = 60_000
    """Milliseconds for which a claim on PostgreSQL holds without being renewed."""
    prepared_statements: bool = True
    """Whether PostgreSQL is asked by prepared statements."""
    listeners: tuple[Listener, ...]
    directory: Directory
    archive: ArchivePolicy
    hours: OpeningHours
    retry: RetryPolicy
    limits: Limits
    log: LogSettings
    backup: BackupSettings | None = None
    """None: nothing is copied by itself."""
    warnings: tuple[str, ...] = ()
    """What works, but is probably not what was meant; in the form of mistakes."""
