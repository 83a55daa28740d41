"""`relay account add | edit --oauth ...`: what goes without saying of a sign-in, and what is missing of it."""

import datetime as dt
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from relay.cli.editing import Key
from relay.cli.output import say
from relay.cli.provider import Changes
from relay.places import guide


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
        """Give its absolute path."""
        return str(Path(str(value)).absolute())


KEYS: Final = (
    Key("--oauth", ("oauth", "provider"), "Sign in there in place of a password.", ("microsoft", "google", "custom")),
    Key("--flow", ("oauth", "flow"), "How; default: device (google: browser).", ("device", "browser", "app")),
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
)


def complete_oauth(changes: Changes, before: Mapping[str, Any]) -> Changes:
    """Add the flow that is usual; `before`: the table as it is. Raises click.UsageError with what is missing."""
    given = {path[1]: value for path, value in changes.items() if path[0] == "oauth" and len(path) > 1}
    if not any(value is not None for value in given.values()):
        return changes
    table = {**before.get("oauth", {}), **given}
    if not table.get("provider"):
        raise click.UsageError("--oauth is missing: where somebody signs in: microsoft, google or custom")
    provider = str(table["provider"])
    full = dict(changes)
    if not table.get("flow"):
        from relay.rules.oauth_provider import usual_flow

        if (flow := usual_flow(provider)) is None:
            raise click.UsageError("--flow is missing: how somebody signs in there: device, browser or app")
        full["oauth", "flow"] = flow
    if not table.get("client_id"):
        where = "" if provider == "custom" else f" ({guide(provider)} says where you get it)"
        raise click.UsageError(f"--client-id is missing: the id of your own registration at the provider{where}")
    return full


def wants_client_secret(table: Mapping[str, Any]) -> bool:
    """Return whether `[account.oauth]` needs a secret that nothing in it gives."""
    from relay.rules.oauth_provider import needs_secret
    from relay.settings.oauth_checks import SECRET_SOURCES

    proofs = (*SECRET_SOURCES, "certificate", "private_key")
    return needs_secret(table.get("provider", ""), table.get("flow", "")) and not any(table.get(key) for key in proofs)


def require_oauth(name: str, table: Mapping[str, Any], options: Mapping[str, Any], *, begins: bool) -> None:
    """Raise click.UsageError where an option of `edit` wants what the account does not log in by."""
    signs_in = begins or "oauth" in table
    if options["client_secret"] and not signs_in:
        raise click.UsageError(f"{name} logs in by a password, and has no client secret: leave --client-secret away")
    if options["client_secret"] and options["key_oauth_client_secret_file"]:
        raise click.UsageError("give either --client-secret, which asks for it, or --client-secret-file")
    if (
        not begins
        and "oauth" in table
        and (options["password"] or options["pop3_password"] or options["password_file"])
    ):
        account = shlex.quote(name)
        raise click.UsageError(
            f"{name} logs in without a password ([account.oauth]): sign in anew by `relay account authorize {account}`;"
            f" another secret of the client: `relay account edit {account} --client-secret`"
        )


def say_next(name: str, table: Mapping[str, Any]) -> None:
    """Say what is to be done now that the account logs in by a token."""
    account = shlex.quote(name)
    what = "Let the app get its first tokens" if table.get("flow") == "app" else "Sign in"
    say(f"{what}: relay account authorize {account}")
    say(f"Then try it: relay account test {account}")
