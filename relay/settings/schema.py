"""The tables of the configuration and their keys: the fields of the values that are built of them.

A key is read by the reader that is named for it here, else by that of its field's type. It is required where its field
has no default. An unknown key is an error everywhere. A validated table holds the keys that were given, and only these.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Final, Required, TypeAlias, get_args, get_origin, get_type_hints

from pydantic import BeforeValidator, ConfigDict, PlainValidator, TypeAdapter, with_config
from typing_extensions import TypedDict, is_typeddict

from relay.model.account import Account, ArchivePolicy, Device, Pop3Server, RetryPolicy, SmtpServer, User
from relay.model.address import Address
from relay.model.oauth import OAuth
from relay.settings.database import check_database
from relay.settings.fields import (
    Reader,
    listed,
    one_of,
    read_address,
    read_archive,
    read_environment_name,
    read_flag,
    read_group_name,
    read_header_name,
    read_lease,
    read_leave,
    read_name,
    read_password_hash,
    read_period,
    read_secret_command,
    read_secret_text,
    read_text,
    read_timezone,
    read_user_name,
    whole,
)
from relay.settings.hosts import parse_host, parse_hostname, parse_listener_host, parse_network
from relay.settings.oauth_fields import read_date, read_endpoint, read_identifier, read_scope, read_tenant
from relay.settings.presets import read_preset
from relay.settings.quantities import parse_clock, parse_duration, parse_size
from relay.settings.values import BackupSettings, Limits, Listener, LogSettings

Document: TypeAlias = Mapping[str, Any]
"""A validated document: its tables by their names."""

_count: Final = whole(1, 1_000_000)
_OF_TYPE: Final[Mapping[object, Reader]] = {
    bool: read_flag,
    str: read_text,
    Path: read_text,
    Address: read_address,
    IPv4Network | IPv6Network: parse_network,
}


def _secret(key: str) -> Mapping[str, Reader]:
    """Return the keys of a secret's four sources."""
    return {
        key: read_secret_text,
        f"{key}_file": read_text,
        f"{key}_env": read_environment_name,
        f"{key}_command": read_secret_command,
    }


_LOGIN: Final[Mapping[str, Reader]] = {
    **_secret("password"),
    "host": parse_host,
    "port": whole(1, 65_535),
}
_READERS: Final[Mapping[type, Mapping[str, Reader]]] = {
    Listener: {"host": parse_listener_host, "port": whole(0, 65_535), "max_message_size": parse_size},
    User: {"name": read_user_name, "password_hash": read_password_hash},
    Device: {"name": read_name},
    Account: {"name": read_name, "archive": read_archive, "preset": read_preset},
    OAuth: {
        **_secret("client_secret"),
        "client_id": read_identifier,
        "tenant": read_tenant,
        "secret_expires": read_date,
        "scopes": read_scope,
        **dict.fromkeys(("token_url", "device_url", "authorize_url"), read_endpoint),
    },
    SmtpServer: {
        **_LOGIN,
        "connections": whole(1, 100),
        **dict.fromkeys(("recipients_per_message", "messages_per_minute", "recipients_per_day"), _count),
    },
    Pop3Server: {
        **_LOGIN,
        "interval": parse_duration,
        "leave_on_server": read_leave,
        "max_message_size": parse_size,
        "envelope_header": read_header_name,
        "envelope_position": whole(-100, 100),
    },
    ArchivePolicy: {},
    RetryPolicy: dict.fromkeys(("intervals", "give_up_after", "warn_after"), parse_duration),
    Limits: {
        **dict.fromkeys(("drain_timeout", "keep_history", "keep_delivered"), parse_duration),
        **dict.fromkeys(("session_idle", "data_idle"), parse_duration),
        **dict.fromkeys(("connections", "connections_per_client", "errors_per_session", "auth_failures"), _count),
        **dict.fromkeys(("header_size", "bytes_in_flight", "free_space"), parse_size),
        "commands_per_session": whole(1, 1_000_000_000),
        "recipients_per_message": whole(1, 100_000),
    },
    BackupSettings: {"at": parse_clock, "keep": whole(1, 1_000)},
    LogSettings: {
        "format": one_of("json", "console"),
        "level": one_of("debug", "info", "warning", "error", "critical"),
    },
}
"""The values that are tables, and in each the keys that are not read as their type says."""
_CHOSEN: Final = frozenset({"port", "security"})
"""What `build` chooses where it is missing, though its field has no default."""


def _read(reader: Reader) -> object:
    return Annotated[object, PlainValidator(reader)]


def _list_of(table: object) -> Any:  # noqa: ANN401 - a type
    return tuple[table, ...]  # type: ignore[valid-type]


def _typed_dict(name: str, keys: Mapping[str, object]) -> Any:  # noqa: ANN401 - a type
    return TypedDict(name, keys, total=False)  # type: ignore[operator]


def _table(kind: Any) -> Any:  # noqa: ANN401 - a type of values, and one of tables
    """Make the table of a value's keys."""
    readers, hints = _READERS[kind], get_type_hints(kind)
    required = {field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING}
    made = {field.name for field in fields(kind) if not field.metadata.get("is_key", True)}
    names = {**hints, **readers}.keys() - made
    keys = {name: _type_of(hints.get(name, str), readers.get(name)) for name in sorted(names)}
    return _typed_dict(kind.__name__, {n: Required[t] if n in required - _CHOSEN else t for n, t in keys.items()})


def _type_of(hint: Any, reader: Reader | None) -> object:  # noqa: ANN401 - a type
    """Return what is read for a field of a type: a table, a list, or a single value."""
    if NoneType in get_args(hint):
        (hint,) = {*get_args(hint)} - {NoneType}
    if get_origin(hint) is tuple:
        return _list_of(_type_of(get_args(hint)[0], reader))
    if reader is not None:
        return _read(reader)
    if hint in _READERS:
        return _table(hint)
    return _read(one_of(*hint, make=hint) if isinstance(hint, type) and issubclass(hint, StrEnum) else _OF_TYPE[hint])


_SERVER: Final = {"hostname": Required[_read(parse_hostname)], "postmaster": Required[_read(read_text)]}
_STORAGE: Final[Mapping[str, Reader]] = {
    "folder": read_text,
    "database": check_database,
    "inboxes": read_text,
    "group": read_group_name,
    "lease": read_lease,
    "prepared_statements": read_flag,
}
_SCHEDULE: Final = {
    "active": Annotated[_list_of(_read(read_period)), BeforeValidator(listed)],
    "timezone": _read(read_timezone),
}
_DOCUMENT: Final = _typed_dict(
    "Document",
    {
        "language": _read(one_of("de", "en")),
        "server": Required[_typed_dict("server", _SERVER)],
        "storage": _typed_dict("storage", {key: _read(reader) for key, reader in _STORAGE.items()}),
        "listener": _list_of(_table(Listener)),
        "user": Required[_list_of(_table(User))],
        "device": _list_of(_table(Device)),
        "account": _list_of(_table(Account)),
        "archive": _table(ArchivePolicy),
        "schedule": _typed_dict("schedule", _SCHEDULE),
        "retry": _table(RetryPolicy),
        "limits": _table(Limits),
        "log": _table(LogSettings),
        "backup": _table(BackupSettings),
    },
)
# What holds for the document's keys holds for those of all tables in it.
DOCUMENT: Final[TypeAdapter[Document]] = TypeAdapter(
    with_config(ConfigDict(extra="forbid", hide_input_in_errors=True))(_DOCUMENT)
)
"""Reads a document."""


def _tables(place: tuple[str, ...], kind: type) -> Iterator[tuple[tuple[str, ...], frozenset[str], bool]]:
    """Yield each table with its keys, and whether it stands in a list of such tables."""
    listed = get_origin(kind) is tuple
    table = get_args(kind)[0] if listed else kind
    if is_typeddict(table):
        keys = get_type_hints(table)
        yield place, frozenset(keys), listed
        for key, value in keys.items():
            yield from _tables((*place, key), value)


_TABLES = [*_tables((), _DOCUMENT)]
TABLES: Mapping[tuple[str, ...], frozenset[str]] = {place: keys for place, keys, _ in _TABLES}
"""The known keys of each table, by its place without positions."""
LISTS = frozenset(place for place, _, listed in _TABLES if listed)
"""The places that hold a list of tables."""
