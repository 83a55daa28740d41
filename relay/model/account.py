"""What the rules need of the configuration: users, devices, accounts, the directory that finds them; policies."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from relay.model.address import Address
from relay.model.oauth import OAuth
from relay.model.secret import Secret

NO_KEY: Final = {"is_key": False}
"""Metadata of a field that is no key of its value's table: it is made of others."""


class Security(StrEnum):
    """How a connection to a provider is protected."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class OnUncertain(StrEnum):
    """What happens to a mail that may have been sent already."""

    RETRY = "retry"
    HOLD = "hold"


class Notify(StrEnum):
    """How a user gets notices about failed mail."""

    INBOX = "inbox"
    MAIL = "mail"


class FirstPoll(StrEnum):
    """What the first poll of a mailbox does with the mail that is already there."""

    ALL = "all"
    NEW = "new"
    """Leave it there for ever."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A provider's server, and the login there."""

    host: str
    port: int
    security: Security
    username: str | None = None
    """None: no AUTH."""
    password: Secret = field(default_factory=Secret)
    verify: bool = True
    ca_file: str | None = None
    oauth: OAuth | None = field(default=None, metadata=NO_KEY)
    """How its account logs in by a token, in place of the password."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpServer(Server):
    """`[account.smtp]`: where and how an account sends."""

    connections: int = 2
    recipients_per_message: int = 50
    messages_per_minute: int | None = None
    recipients_per_day: int | None = None

    @property
    def login(self) -> tuple[object, ...]:
        """Everything that a login depends on, apart from the password."""
        return (self.host, self.port, self.security, self.username, self.verify, self.ca_file)


@dataclass(frozen=True, kw_only=True, slots=True)
class MailboxServer(Server):
    """Where and how a mailbox is collected, whatever its server speaks. Each kind of source has a subclass."""

    username: str
    interval: int = 300_000
    """Milliseconds."""
    leave_on_server: bool | int = False
    """True: collected messages stay for ever; a number: for so many milliseconds."""
    max_message_size: int = 209_715_200
    """Octets; a larger message stays on the server."""
    distribute: bool = False
    first_poll: FirstPoll = FirstPoll.ALL
    envelope_header: str | None = None
    """The field that names the envelope recipients of a shared mailbox, such as `Delivered-To`."""
    envelope_position: int | None = None
    """Which of several such fields counts: 1 is the topmost, -1 the last; None: all."""

    @property
    def needs_ids(self) -> bool:
        """Whether it can be collected only where messages have unique ids: some of them are left on the server."""
        return self.leave_on_server is not False or self.first_poll is FirstPoll.NEW


@dataclass(frozen=True, kw_only=True, slots=True)
class Pop3Server(MailboxServer):
    """`[account.pop3]`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """`[[user]]`: a person of the office."""

    name: str
    address: Address
    """The profile address of rule 2."""
    aliases: tuple[Address, ...] = ()
    password_hash: str | None = field(default=None, repr=False)
    admin: bool = False
    notify: Notify | None = None
    """None: into the inbox if an account of this user is collected, else by mail."""
    local: bool = False

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All of the user's addresses, the profile address first."""
        return (self.address, *self.aliases)


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """`[[device]]`: a scanner or program that submits for a user, known by its network."""

    name: str
    networks: tuple[IPv4Network | IPv6Network, ...]
    user: str
    bare_line_feeds: bool = False
    """Whether a dot between bare LFs ends its mail as well: some scanners send no CRLF."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """`[[account]]`: one account at a provider."""

    name: str
    address: Address
    owner: str
    display_name: str | None = None
    excluded: bool = False
    receive: bool = True
    keep_reply_to: bool = True
    archive: bool | tuple[Address, ...] = True
    """False: no blind copy; addresses: these in place of the central ones."""
    restrict: bool = False
    users: tuple[str, ...] = ()
    on_uncertain: OnUncertain = OnUncertain.RETRY
    preset: str | None = None
    """The provider whose servers were filled in (`relay/presets/`)."""
    oauth: OAuth | None = None
    """How it logs in by a token; its servers have the same."""
    smtp: SmtpServer | None = None
    pop3: Pop3Server | None = None

    @property
    def sends(self) -> bool:
        """Whether mail leaves through it."""
        return self.smtp is not None and not self.excluded

    @property
    def has_way_out(self) -> bool:
        """Whether the configuration says how its mail is sent; `sends` tells whether it is."""
        return self.smtp is not None

    @property
    def messages_per_minute(self) -> int | None:
        """How many mails may be sent in a minute; None: as many as there are."""
        return None if self.smtp is None else self.smtp.messages_per_minute

    @property
    def recipients_per_message(self) -> int:
        """How many recipients one delivery may have: never more than the account has for a whole day."""
        if self.smtp is None:
            return sys.maxsize
        return min(self.smtp.recipients_per_message, self.smtp.recipients_per_day or sys.maxsize)

    @property
    def recipients_per_day(self) -> int | None:
        """How many recipients it may send to in a day; None: as many as there are."""
        return None if self.smtp is None else self.smtp.recipients_per_day

    @property
    def sending_host(self) -> str:
        """The host of the server that sends; empty without one."""
        return "" if self.smtp is None else self.smtp.host

    @property
    def outgoing_server(self) -> str:
        """The host and port that it sends to, as people are shown them; empty where it does not send."""
        return "" if self.smtp is None else f"{self.smtp.host}:{self.smtp.port}"

    @property
    def mailbox(self) -> MailboxServer | None:
        """The mailbox that is collected, whatever its server speaks."""
        return self.pop3

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers that it logs in to: the one that it sends by, and the one of its mailbox."""
        return tuple(server for server in (self.smtp, self.mailbox) if server is not None)

    @property
    def is_collected(self) -> bool:
        """Whether its mailbox is polled."""
        return self.mailbox is not None and self.receive and not self.excluded


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """All users, devices and accounts of a configuration, in its order, with the look-ups that the rules need."""

    users: tuple[User, ...] = ()
    devices: tuple[Device, ...] = ()
    accounts: tuple[Account, ...] = ()
    postmaster: str = ""
    """The name of the user who gets alerts."""
    _user_by_name: dict[str, User] = field(init=False, repr=False, compare=False)
    _user_by_key: dict[str, User] = field(init=False, repr=False, compare=False)
    _account_by_name: dict[str, Account] = field(init=False, repr=False, compare=False)
    _sender_by_key: dict[str, Account] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the look-up tables; of several entries with the same key the first one is found."""
        senders = [account for account in self.accounts if account.has_way_out]
        object.__setattr__(self, "_user_by_name", {user.name: user for user in self.users})
        object.__setattr__(self, "_user_by_key", {a.key: user for user in reversed(self.users) for a in user.addresses})
        object.__setattr__(self, "_account_by_name", {account.name: account for account in self.accounts})
        object.__setattr__(self, "_sender_by_key", {account.address.key: account for account in reversed(senders)})

    def user(self, name: str | None) -> User | None:
        """Find a user by name."""
        return None if name is None else self._user_by_name.get(name)

    @property
    def postmaster_address(self) -> Address | None:
        """The address that a bare `<postmaster>` stands for (RFC 5321 section 4.5.1)."""
        user = self.user(self.postmaster)
        return None if user is None else user.address

    def user_of(self, address: Address) -> User | None:
        """Find the first user to whom an address belongs."""
        return self._user_by_key.get(address.key)

    def device_at(self, ip: IPv4Address | IPv6Address) -> Device | None:
        """Find the first device whose network holds a client's address."""
        return next((device for device in self.devices if any(ip in network for network in device.networks)), None)

    def account(self, name: str) -> Account | None:
        """Find an account by name, whether it sends or only receives."""
        return self._account_by_name.get(name)

    @property
    def senders(self) -> Iterable[Account]:
        """The accounts that send; of several with the same address only the first."""
        return self._sender_by_key.values()

    def sender(self, address: Address) -> Account | None:
        """Find the first account that sends and has this address."""
        return self._sender_by_key.get(address.key)

    def first_owned(self, user: str) -> Account | None:
        """Find the first account that sends and belongs to a user."""
        return next((a for a in self.accounts if a.has_way_out and a.owner == user), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivePolicy:
    """`[archive]`: the central blind copy."""

    bcc: tuple[Address, ...] = ()
    strip_tiff: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """`[retry]`: when a deferred mail is tried again and given up. All in milliseconds."""

    intervals: tuple[int, ...] = (60_000, 300_000, 900_000, 3_600_000)
    """The last one repeats."""
    give_up_after: int = 259_200_000
    warn_after: int = 14_400_000
