"""The settings that the rest of the program uses. Times are in milliseconds, sizes in octets, paths absolute."""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from relay.model.account import ArchivePolicy, Directory, RetryPolicy
from relay.rules.hours import OpeningHours
from relay.settings.login_sources import LoginSource

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""Who may connect if the configuration does not say."""

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
    """`[[listener]]`: one address and port at which clients submit mail."""

    host: str = "127.0.0.1"
    port: int = 2525
    """0: one that the system chooses."""
    networks: tuple[IPv4Network | IPv6Network, ...] = LOOPBACK
    """Who may connect."""
    max_message_size: int = 75 * _MIB
    tls: ListenerTls = ListenerTls.NONE
    certificate: Path | None = None
    """PEM, with the chain. Set if `tls` is not none, like `private_key`."""
    private_key: Path | None = None
    require_auth: bool = False
    default_user: str | None = None
    """Who submits if neither login, device nor From says so."""
    plaintext_auth: bool = False
    """True: AUTH without TLS from everywhere, not only from loopback."""
    received_client: bool = False
    """Whether the Received header shows the client's address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """`[limits]`: limits on clients, and how long finished mail is kept."""

    drain_timeout: int = 30 * _SECOND
    """How long running work may continue when the service stops."""
    keep_history: int = 90 * _DAY
    """How long header and outcomes of a finished mail are kept."""
    keep_delivered: int = 0
    """How long the body of a finished mail is kept; 0: it is deleted at once."""
    connections: int = 1_000
    """Of all clients of a listener at a time; one client has at most as many as are still free: alone, a half."""
    connections_per_client: int = 100
    """From one address, at a time."""
    commands_per_session: int = 100_000
    errors_per_session: int = 20
    """After so many 4xx and 5xx replies the next one is 421."""
    recipients_per_message: int = 1_000
    header_size: int = 256 * _KIB
    session_idle: int = 300 * _SECOND
    """Time without a command after which 421 is sent (RFC 5321 section 4.5.3.2.7)."""
    data_idle: int = 180 * _SECOND
    """What a client may be behind 8 KiB a second within DATA."""
    bytes_in_flight: int = 64 * _MIB
    """Memory for all mails that are being received (a large one takes 2 MiB); beyond it 452.

    One client has at most as much as is still free, unless its mail is the only one.
    """
    free_space: int = 50 * _MIB
    """Disk space that new mail must leave free; else 452."""
    auth_failures: int = 5
    """Failed logins of one session after which 421 is sent; guesses over several sessions are slowed anyway."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupSettings:
    """`[backup]`: the nightly backup."""

    folder: Path
    """Where the backups are; each is a folder that is named by its time."""
    at: int = 2 * 60 * _MINUTE
    """Time of the day in the office's time zone (`[schedule] timezone`)."""
    keep: int = 7
    """How many are kept; an old one is deleted only after a newer one is complete."""
    inboxes: bool = False
    """Whether the inboxes are copied as well."""
    secrets: bool = False
    """Whether passwords are copied: those in the configuration, which else are emptied, and password files."""


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
    """Our name in EHLO and Received."""
    folder: Path
    """The storage folder. Relative paths are relative to it; it holds the lock and the control socket."""
    database: str = field(repr=False)
    """A SQLAlchemy URL. It is in no repr, since it may hold a password."""
    inboxes: Path
    group: str | None = None
    """The system group that may read the inboxes."""
    lease: int = 60_000
    """Milliseconds after which a claim on PostgreSQL expires unless it is renewed."""
    prepared_statements: bool = True
    """Whether prepared statements are used with PostgreSQL."""
    listeners: tuple[Listener, ...]
    directory: Directory
    archive: ArchivePolicy
    hours: OpeningHours
    retry: RetryPolicy
    limits: Limits
    log: LogSettings
    backup: BackupSettings | None = None
    """None: there are no nightly backups."""
    digest: str = ""
    """A hash of the file as it was read."""
    login_sources: frozenset[LoginSource] = frozenset()
    """What the accounts log in by, but for values that are there."""
    warnings: tuple[str, ...] = ()
    """A line for each setting that is valid, but probably not what was meant."""
