"""The two that are measured: our relay, and a Postfix that does the same work with the same durability.

Or our relay, and another version of it. Each adds a blind copy, writes the sender, and relays everything to one
provider over 20 connections at most.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import trustme
from argon2 import PasswordHasher

from tests.peers.postfix import Postfix
from tests.peers.relay_process import ANNA, ROOT, RelayProcess, make_account, write_config

SENDER: Final = "sales@example.com"
RECIPIENT: Final = "customer@example.net"
PASSWORD: Final = "correct-horse"  # noqa: S105 - of servers that live for a moment on loopback
"""At the server for LOGIN, and at the provider for SENDER."""
LOGIN: Final = "anna@example.com"

NOBODY: Final = 9
"""A port of loopback where no provider listens."""

_CONNECTIONS: Final = 20  # what Postfix opens to one destination
_ARCHIVE: Final = "central@example.com"

Contestant = RelayProcess | Postfix


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a contestant is to be started for."""

    provider: int
    """The port of the provider."""
    folder: Path
    """Of its own, for its files."""
    sessions: int = 0
    """How many clients it must bear at a time, where that is more than its usual limit."""
    secure: "Certificates | None" = None
    """With them, clients and provider want STARTTLS and AUTH."""


Start = Callable[[Surroundings], AbstractContextManager[Contestant]]


class Certificates:
    """An authority for one round, and the certificate of `localhost`, written into a folder."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.server_file = folder / "server.pem"
        """Key and certificate in one file."""
        authority.cert_pem.write_to_path(str(self.ca_file))
        server = authority.issue_cert("127.0.0.1", "localhost")
        server.private_key_and_cert_chain_pem.write_to_path(str(self.server_file))


def start_relay(around: Surroundings, *, checkout: Path = ROOT) -> RelayProcess:
    """Give our relay, or the version of it in another checkout, with one account, whose provider is the one given."""
    smtp: dict[str, Any] = {"connections": _CONNECTIONS}
    listener: dict[str, Any] = {}
    user = dict(ANNA)
    limits: dict[str, Any] = {}
    if around.sessions:
        limits = {"connections": 2 * around.sessions + 100, "connections_per_client": around.sessions + 100}
    if around.secure:
        own = str(around.secure.server_file)
        listener = {"tls": "starttls", "certificate": own, "private_key": own, "require_auth": True}
        user["password_hash"] = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(PASSWORD)
        smtp |= {"security": "starttls", "username": SENDER, "password": PASSWORD}
        smtp["ca_file"] = str(around.secure.ca_file)
    config = write_config(
        around.folder,
        accounts=[make_account("sales", around.provider, smtp=smtp)],
        users=[user],
        archive=[_ARCHIVE],
        listener=listener,
        limits=limits,
    )
    return RelayProcess(config, fresh=True, checkout=checkout)


def start_postfix(around: Surroundings) -> Postfix:
    """Give a Postfix with the provider as its smarthost."""
    settings = {"smtpd_junk_command_limit": "1000000"}  # or it slows down whoever says NOOP again and again
    logins = {}
    if around.sessions:
        settings["default_process_limit"] = str(around.sessions + 100)  # a process for each session; 100 is usual
    if around.secure:
        logins = {LOGIN: PASSWORD}
        settings |= {
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": f"static:{SENDER}:{PASSWORD}",
            "smtp_sasl_security_options": "noanonymous",
            "smtp_tls_CAfile": str(around.secure.ca_file),
            "smtp_tls_security_level": "verify",
            "smtp_tls_verify_cert_match": "localhost",
            "smtp_tls_connection_reuse": "yes",  # off by default; our relay keeps its connections too
        }
    return Postfix(
        relayhost=around.provider,
        always_bcc=_ARCHIVE,
        rewrite_sender=SENDER,
        logins=logins,
        settings=settings,
    )


def contestants(beside: Path | None = None) -> dict[str, Start]:
    """Give both by their names, ours first; `beside` is the checkout of a version that takes the place of Postfix."""
    other: dict[str, Start] = {"Postfix": start_postfix}
    if beside is not None:
        other = {"before": partial(start_relay, checkout=beside)}
    return {"relay": start_relay, **other}
