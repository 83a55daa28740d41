"""The options that say what an account is: those of `relay account add`, `relay account edit` and `relay init`."""

import datetime as dt
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from relay.cli.editing import Key, key_options

_Function = TypeVar("_Function", bound=Callable[..., object])
SERVERS: Final = ("smtp", "pop3")
KEPT: Final = "14 days"
"""How long collected mail stays at the provider where nobody says: a first trial must not empty a mailbox."""
_SECURITY: Final = ("tls", "starttls", "none")
Changes = dict[tuple[str, ...], Any]
"""Keys of an account's table, by their paths; None: the key goes."""


class Day(click.ParamType[dt.date]):
    """A day, such as 2027-06-30."""

    name = "DAY"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Read a day as ISO 8601 writes it."""
        try:
            return dt.date.fromisoformat(str(value))
        except ValueError:
            self.fail("must be a day such as 2027-06-30", param, ctx)


class AbsoluteFile(click.ParamType[str]):
    """A file: what is relative here, the configuration would take to be in the storage folder."""

    name = "FILE"

    def convert(self, value: object, _param: click.Parameter | None, _ctx: click.Context | None) -> str:
        """Give its absolute path, without `..`; links stay."""
        return os.path.normpath(Path(str(value)).absolute())


KEYS: Final = (
    Key("--address", ("address",), "The address that it sends as."),
    Key("--preset", ("preset",), "The provider, such as ionos; default: it is looked for, by the address."),
    Key("--owner", ("owner",), "The user who gets its mail; default: whose address it is, or the only one."),
    Key("--display-name", ("display_name",), "The name that is written into From."),
    Key("--oauth", ("oauth", "provider"), "Sign in there in place of a password.", ("microsoft", "google", "custom")),
    Key("--flow", ("oauth", "flow"), "Default: device (google: browser; custom: none).", ("device", "browser", "app")),
    Key("--client-id", ("oauth", "client_id"), "The id of your own registration at the provider."),
    Key("--tenant", ("oauth", "tenant"), "Microsoft: the directory (tenant) id, or a domain of it."),
    Key("--sign-in-as", ("oauth", "user"), "Who signs in; default: the address."),
    Key("--client-secret-file", ("oauth", "client_secret_file"), "It has the client's secret.", AbsoluteFile()),
    Key("--secret-expires", ("oauth", "secret_expires"), "The day on which that secret ends.", Day()),
    Key("--certificate", ("oauth", "certificate"), "app: in place of a secret.", AbsoluteFile()),
    Key("--private-key", ("oauth", "private_key"), "app: its key, or a service account's.", AbsoluteFile()),
    Key("--token-url", ("oauth", "token_url"), "custom: where tokens come from; the three below, too, are for custom."),
    Key("--device-url", ("oauth", "device_url"), "device: where the code comes from that somebody enters."),
    Key("--authorize-url", ("oauth", "authorize_url"), "browser: the page where somebody signs in."),
    Key("--scope", ("oauth", "scopes"), "A permission that is asked for; may be repeated.", many=True),
    Key("--smtp-host", ("smtp", "host"), "The server that sends."),
    Key("--smtp-port", ("smtp", "port"), "Default: 587, with --smtp-security tls 465.", int),
    Key("--smtp-security", ("smtp", "security"), "Default: starttls, at port 465 tls.", _SECURITY),
    Key("--smtp-username", ("smtp", "username"), "The login there; default: the address."),
    Key("--pop3-host", ("pop3", "host"), "The server whose mailbox is collected."),
    Key("--pop3-port", ("pop3", "port"), "Default: 995.", int),
    Key("--pop3-security", ("pop3", "security"), "Default: tls, at port 110 starttls.", _SECURITY),
    Key("--pop3-username", ("pop3", "username"), "The login there; default: as for sending."),
    Key("--pop3-leave", ("pop3", "leave_on_server"), f"How long mail stays at the provider; for a new one: {KEPT}."),
)
"""Keys of an account's table, in the order in which they are written."""
_EDITED: Final = {
    ("preset",): "The provider, such as ionos.",
    ("owner",): "The user who gets its mail.",
    ("oauth", "flow"): "Where it did not sign in before: device (google: browser; custom: say which).",
    ("oauth", "user"): "Who signs in.",
    ("smtp", "port"): "465 changes the security to tls, 587 to starttls, where that is not said.",
    ("smtp", "security"): "How it encrypts.",
    ("smtp", "username"): "The login there.",
    ("pop3", "port"): "995 changes the security to tls, 110 to starttls, where that is not said.",
    ("pop3", "security"): "How it encrypts.",
    ("pop3", "username"): "The login there.",
    ("pop3", "leave_on_server"): f"How long mail stays at the provider; where collecting begins: {KEPT}.",
}
"""What helps with keys of an account that is there: what is not said stays as it is."""
EDIT_KEYS: Final = tuple(key._replace(help=_EDITED.get(key.path, key.help)) for key in KEYS)
OPTIONS: Final = {key.path: key.option for key in KEYS}

_PORTS: Final = {
    "smtp": {465: "tls", 587: "starttls"},
    "pop3": {995: "tls", 110: "starttls"},
}
"""How encryption begins at a port (RFC 8314 section 3.3, RFC 2595)."""
_USUAL: Final = {"smtp": "starttls", "pop3": "tls"}

file_option = click.option(
    "--password-file",
    type=AbsoluteFile(),
    help="The file that has the password, and stays where it is; default: it is asked for.",
)
other_file_option = click.option(
    "--password-file", type=AbsoluteFile(), help="The file that has its password from now on, and stays where it is."
)
authority_option = click.option(
    "--ca-file", type=AbsoluteFile(), help="The authority of its servers' certificates, if their own."
)


def new_account_options(*, any_key: bool) -> Callable[[_Function], _Function]:
    """Give a command all options that say what a new account is. `any_key`: also --set."""
    options = (
        key_options(KEYS, any_key=any_key),
        click.option("--collect/--no-collect", default=None, help="Whether its mailbox is collected by POP3, too."),
        click.option(
            "--ask-thunderbird/--no-ask-thunderbird",
            default=None,
            help="Look in Thunderbird's database, too: Mozilla learns the domain.",
        ),
        authority_option,
        file_option,
    )

    def decorate(function: _Function) -> _Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def follow_port(before: Mapping[str, Any], changes: Changes) -> Changes:
    """Return changes with the security that goes with another port, where nothing is said of it.

    `before`: the account's table as it is.
    """
    full = {**changes}
    for server, ports in _PORTS.items():
        port = changes.get((server, "port"))
        security = ports.get(port) if isinstance(port, int) else None  # what is no number is refused later
        is_so = before.get(server, {}).get("security", _USUAL[server]) == security
        if security is not None and not is_so and (server, "security") not in changes:
            full[server, "security"] = security
    return full
