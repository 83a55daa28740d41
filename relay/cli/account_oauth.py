"""`relay account add | edit --oauth ...`: what goes without saying of a sign-in, and what is missing of it."""

import shlex
from collections.abc import Mapping
from typing import Any

import click

from relay.cli.account_options import OPTIONS, Changes
from relay.cli.output import say
from relay.places import guide


def complete_oauth(changes: Changes, before: Mapping[str, Any]) -> Changes:
    """Add the flow that is usual; `before`: the table as it is. Raises click.UsageError with what is missing."""
    given = {path[1]: value for path, value in changes.items() if path[0] == "oauth" and len(path) > 1}
    if not any(value is not None for value in given.values()):
        return changes
    table = {**before.get("oauth", {}), **given}
    if not table.get("provider"):
        option = OPTIONS.get(("oauth", next(iter(given))), "--set")
        raise click.UsageError(
            f"--oauth is missing: where somebody signs in, for which {option} is: microsoft, google or custom"
        )
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


def say_next(account: str, table: Mapping[str, Any]) -> None:
    """Say what is to be done now that the account logs in by a token. `account`: as it stands in a command."""
    if table.get("flow") == "app":
        say("The service gets the app's tokens by itself. To ask for one now, and see what the provider answers:")
        say(f"    relay account authorize {account}")
    else:
        say(f"Sign in: relay account authorize {account}")
    say(f"Then try it: relay account test {account}")
