from dataclasses import fields
from typing import Any

import pytest

from relay.model.account import NO_KEY, Account, Device, Pop3Server, Security, SmtpServer, User
from relay.model.oauth import OAuth
from relay.settings.schema import LISTS, TABLES
from relay.settings.validate import validate_document
from relay.settings.values import BackupSettings, Limits, Listener, LogSettings

PASSWORD = {"password", "password_file", "password_env", "password_command"}


@pytest.mark.parametrize(
    ("place", "kind", "more"),
    [
        (("listener",), Listener, set()),
        (("user",), User, set()),
        (("device",), Device, set()),
        (("account",), Account, set()),
        (("account", "smtp"), SmtpServer, PASSWORD),
        (("account", "pop3"), Pop3Server, PASSWORD),
        (("account", "oauth"), OAuth, {f"client_secret{end}" for end in ("", "_file", "_env", "_command")}),
        (("limits",), Limits, set()),
        (("backup",), BackupSettings, set()),
        (("log",), LogSettings, set()),
    ],
)
def test_the_keys_of_a_table_are_the_fields_of_its_value(place: tuple[str, ...], kind: Any, more: set[str]) -> None:  # noqa: ANN401 - a class
    keys = {field.name for field in fields(kind) if field.metadata != NO_KEY}
    assert TABLES[place] == keys | more


def test_what_stands_in_lists() -> None:
    assert {("listener",), ("user",), ("device",), ("account",)} == LISTS


def test_a_table_holds_what_was_given_and_nothing_else() -> None:
    account = {"name": "a", "address": "a@x.example", "owner": "anna", "smtp": {"host": "h", "security": "tls"}}
    document = validate_document(
        {
            "server": {"hostname": "h.example", "postmaster": "anna"},
            "user": [{"name": "anna", "address": "anna@x.example"}],
            "account": [account],
            "schedule": {"active": "Mon 08:00-12:00"},
        }
    )
    assert not isinstance(document, list)
    (read,) = document["account"]
    assert read["smtp"] == {"host": "h", "security": Security.TLS}
    assert set(read) == set(account)
    assert document["schedule"] == {"active": ("Mon 08:00-12:00",)}
    assert "limits" not in document
