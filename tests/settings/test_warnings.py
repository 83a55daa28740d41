"""What is valid, but probably not meant; `good/` has the words of each."""

from dataclasses import replace
from datetime import date
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from relay.model.account import (
    Account,
    ArchivePolicy,
    Device,
    Directory,
    Pop3Server,
    RetryPolicy,
    Security,
    SmtpServer,
    User,
)
from relay.model.address import Address
from relay.model.oauth import Flow, OAuth, Provider
from relay.model.secret import Secret
from relay.rules.hours import parse_hours
from relay.settings.errors import Place
from relay.settings.values import Limits, Listener, LogSettings, Settings
from relay.settings.warnings import find_warnings, is_internal

ANNA = User(name="anna", address=Address(local="anna", domain="x.example"))
SMTP = SmtpServer(host="h", port=587, security=Security.STARTTLS)
SALES = Account(name="sales", address=Address(local="s", domain="x.example"), owner="anna", smtp=SMTP)
LAN = (ip_network("192.168.1.0/24"),)
SCANNER = Device(name="scanner", networks=(ip_network("192.168.1.5/32"),), user="anna")
APP = OAuth(
    provider=Provider.MICROSOFT, flow=Flow.APP, client_id="c", client_secret=Secret(key="client_secret", value="x")
)
OPEN = Listener(host="0.0.0.0", networks=LAN, require_auth=True, plaintext_auth=True)


def settings(**more: Any) -> Settings:  # noqa: ANN401 - fields of the settings
    parts = {name: more.pop(name) for name in ("users", "accounts", "devices") if name in more}
    directory = Directory(**{"users": (ANNA,), "accounts": (SALES,), **parts})
    known: dict[str, Any] = {
        "path": Path("/r.toml"), "language": "en", "hostname": "h.example", "folder": Path("/"), "database": "",
        "inboxes": Path("/i"), "listeners": (Listener(),), "directory": directory, "archive": ArchivePolicy(),
        "hours": parse_hours(["Mon-Sun 00:00-24:00"], "UTC"), "retry": RetryPolicy(), "limits": Limits(),
        "log": LogSettings(),
    }  # fmt: skip
    return Settings(**{**known, **more})


def sends(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of the server
    return {"accounts": (replace(SALES, smtp=replace(SMTP, **more)),)}


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({}, []),
        ({"listeners": (OPEN,)}, []),
        ({"listeners": (replace(OPEN, plaintext_auth=False),)}, [("listener", 0, "require_auth")]),
        ({"listeners": (replace(OPEN, require_auth=False),)}, [("listener", 0, "networks")]),
        ({"listeners": (Listener(host="192.168.1.2"),)}, [("listener", 0, "host")]),
        ({"users": (replace(ANNA, admin=True, local=True),)}, [("user", 0, "admin"), ("user", 0, "local")]),
        ({"accounts": (SALES, replace(SALES, name="other"))}, [("account", 1, "address")]),
        ({"accounts": ()}, [("user", 0), ("account",)]),
        ({"accounts": (replace(SALES, restrict=True),)}, [("account", 0, "restrict")]),
        ({"accounts": (replace(SALES, users=("anna",)),)}, [("account", 0, "users")]),
        ({"devices": (SCANNER,)}, [("device", 0, "networks")]),
        ({"devices": (SCANNER, replace(SCANNER, name="other")), "listeners": (OPEN,)}, [("device", 1, "networks", 0)]),
        ({"retry": RetryPolicy(warn_after=2, give_up_after=1)}, [("retry", "warn_after")]),
        (sends(host="smtp.office365.com", username="u"), [("account", 0)]),
        ({"accounts": (replace(SALES, oauth=APP),)}, [("account", 0, "oauth", "secret_expires")]),
        ({"accounts": (replace(SALES, oauth=replace(APP, secret_expires=date(2028, 1, 1))),)}, []),
        ({"accounts": (replace(SALES, oauth=replace(APP, provider=Provider.GOOGLE)),)}, []),
        (sends(port=993), [("account", 0, "smtp", "port")]),
        (sends(port=465), [("account", 0, "smtp", "security")]),
        (sends(port=25), []),
        (sends(port=2525, security=Security.TLS), []),
        (sends(security=Security.NONE, username="u"), [("account", 0, "smtp", "security")]),
        (sends(password=Secret(value="change-me")), [("account", 0, "smtp", "password")]),
        ({"accounts": (SALES, replace(SALES, address=ANNA.address, name="in", smtp=None, pop3=Pop3Server(
            host="h", port=587, security=Security.TLS, username="u")))}, [("account", 1, "pop3", "port")]),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant_is_found_at_its_place(given: dict[str, Any], places: list[Place]) -> None:
    findings = list(find_warnings(settings(**given)))
    assert [finding.place for finding in findings] == places
    assert all(finding.warning for finding in findings)


def test_a_domain_that_no_provider_delivers_to() -> None:
    inside = ("office.local", "nas.lan", "localhost", "x.internal")
    assert all(is_internal(Address(local="a", domain=domain)) for domain in inside)
    assert not any(is_internal(Address(local="a", domain=domain)) for domain in ("x.example", "[192.0.2.1]"))
