"""The tables of the configuration and their keys. Defaults are not here: they are those of the values that are built.

An unknown key is an error everywhere. A validated table holds the keys that were given, and only these.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Required, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict, is_typeddict

from relay.model.account import FirstPoll, Notify, OnUncertain, Security
from relay.settings.fields import (
    Archive,
    Clock,
    Command,
    Count,
    DatabaseUrl,
    Duration,
    EnvironmentName,
    Flag,
    GroupName,
    HeaderName,
    Host,
    Hostname,
    Lease,
    Leave,
    ListenerHost,
    MailAddress,
    Name,
    Network,
    PasswordHash,
    Periods,
    Size,
    Text,
    Timezone,
    UserName,
    member_of,
    one_of,
    whole,
)
from relay.settings.values import ListenerTls


class ServerTable(TypedDict, total=False):
    """`[server]`."""

    hostname: Required[Hostname]
    postmaster: Required[Text]


class StorageTable(TypedDict, total=False):
    """`[storage]`."""

    folder: Text
    database: DatabaseUrl
    inboxes: Text
    group: GroupName
    lease: Lease
    prepared_statements: Flag


class ListenerTable(TypedDict, total=False):
    """`[[listener]]`."""

    host: ListenerHost
    port: Annotated[int, whole(0, 65_535)]
    networks: tuple[Network, ...]
    max_message_size: Size
    tls: Annotated[ListenerTls, member_of(ListenerTls)]
    certificate: Text
    private_key: Text
    require_auth: Flag
    default_user: Text
    plaintext_auth: Flag
    received_client: Flag


class UserTable(TypedDict, total=False):
    """`[[user]]`."""

    name: Required[UserName]
    address: Required[MailAddress]
    aliases: tuple[MailAddress, ...]
    password_hash: PasswordHash
    admin: Flag
    notify: Annotated[Notify, member_of(Notify)]
    local: Flag


class DeviceTable(TypedDict, total=False):
    """`[[device]]`."""

    name: Required[Name]
    networks: Required[tuple[Network, ...]]
    user: Required[Text]
    bare_line_feeds: Flag


class _Login(TypedDict, total=False):
    password: Text
    password_file: Text
    password_env: EnvironmentName
    password_command: Command
    port: Annotated[int, whole(1, 65_535)]
    security: Annotated[Security, member_of(Security)]
    host: Required[Host]
    verify: Flag
    ca_file: Text


class SmtpTable(_Login, total=False):
    """`[account.smtp]`."""

    username: Text
    connections: Annotated[int, whole(1, 100)]
    recipients_per_message: Count
    messages_per_minute: Count
    recipients_per_day: Count


class Pop3Table(_Login, total=False):
    """`[account.pop3]`."""

    username: Required[Text]
    interval: Duration
    leave_on_server: Leave
    max_message_size: Size
    first_poll: Annotated[FirstPoll, member_of(FirstPoll)]
    distribute: Flag
    envelope_header: HeaderName
    envelope_position: Annotated[int, whole(-100, 100)]


class AccountTable(TypedDict, total=False):
    """`[[account]]`."""

    name: Required[Name]
    address: Required[MailAddress]
    owner: Required[Text]
    display_name: Text
    excluded: Flag
    receive: Flag
    keep_reply_to: Flag
    archive: Archive
    restrict: Flag
    users: tuple[Text, ...]
    on_uncertain: Annotated[OnUncertain, member_of(OnUncertain)]
    smtp: SmtpTable
    pop3: Pop3Table


class ArchiveTable(TypedDict, total=False):
    """`[archive]`."""

    bcc: tuple[MailAddress, ...]
    strip_tiff: Flag


class ScheduleTable(TypedDict, total=False):
    """`[schedule]`."""

    active: Periods
    timezone: Timezone


class RetryTable(TypedDict, total=False):
    """`[retry]`."""

    intervals: tuple[Duration, ...]
    give_up_after: Duration
    warn_after: Duration


class LimitsTable(TypedDict, total=False):
    """`[limits]`."""

    drain_timeout: Duration
    keep_history: Duration
    keep_delivered: Duration
    connections: Count
    connections_per_client: Count
    commands_per_session: Annotated[int, whole(1, 1_000_000_000)]
    errors_per_session: Count
    recipients_per_message: Annotated[int, whole(1, 100_000)]
    header_size: Size
    session_idle: Duration
    data_idle: Duration
    bytes_in_flight: Size
    free_space: Size
    auth_failures: Count


class BackupTable(TypedDict, total=False):
    """`[backup]`."""

    folder: Required[Text]
    at: Clock
    keep: Annotated[int, whole(1, 1_000)]
    inboxes: Flag
    secrets: Flag


class LogTable(TypedDict, total=False):
    """`[log]`."""

    format: Annotated[str, one_of("json", "console")]
    level: Annotated[str, one_of("debug", "info", "warning", "error", "critical")]
    file: Text


@with_config(ConfigDict(extra="forbid", hide_input_in_errors=True))
class Document(TypedDict, total=False):
    """The whole file. What holds for its keys holds for those of all tables in it."""

    language: Annotated[str, one_of("de", "en")]
    server: Required[ServerTable]
    storage: StorageTable
    listener: tuple[ListenerTable, ...]
    user: Required[tuple[UserTable, ...]]
    device: tuple[DeviceTable, ...]
    account: tuple[AccountTable, ...]
    archive: ArchiveTable
    schedule: ScheduleTable
    retry: RetryTable
    limits: LimitsTable
    log: LogTable
    backup: BackupTable


DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)


def _tables(place: tuple[str, ...], kind: type) -> Iterator[tuple[tuple[str, ...], frozenset[str], bool]]:
    """Yield each table with its keys, and whether it stands in a list of such tables."""
    listed = get_origin(kind) is tuple
    table = get_args(kind)[0] if listed else kind
    if is_typeddict(table):
        keys = get_type_hints(table)
        yield place, frozenset(keys), listed
        for key, value in keys.items():
            yield from _tables((*place, key), value)


_TABLES = [*_tables((), Document)]
TABLES: Mapping[tuple[str, ...], frozenset[str]] = {place: keys for place, keys, _ in _TABLES}
"""The known keys of each table, by its place without positions."""
LISTS = frozenset(place for place, _, listed in _TABLES if listed)
"""The places that hold a list of tables."""
