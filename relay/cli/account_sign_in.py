"""How somebody signs in for an account that is added, where it logs in by a token and not by a password."""

from collections.abc import Callable
from typing import Any

import click

from relay.cli.account_oauth import complete_oauth
from relay.cli.account_options import OPTIONS, SERVERS, Changes
from relay.cli.interview import Interview, fill_in
from relay.cli.provider import Known, Wishes, refuse_foreign
from relay.first_steps import reading, texts
from relay.model.address import ascii_domain
from relay.places import guide
from relay.presets.preset import Words, preset_of_domain
from relay.rules.oauth_provider import usual_flow


def choose_sign_in(
    person: Interview, changes: Changes, wishes: Wishes, known: Known, servers: tuple[str, ...]
) -> Changes:
    """Return the changes with [account.oauth], but for a client's secret; without it a password is used.

    Whoever names the provider in an option names there all that has no usual answer. Raises click.UsageError and
    click.Abort.
    """
    changes = {**changes}
    is_meant = any(path[0] == "oauth" for path in changes)
    named = changes.get(("oauth", "provider"))
    provider = named or _choose_provider(person, wishes, known, servers, is_meant=is_meant)
    if provider is None:
        return complete_oauth(changes, {})  # which says that the provider is missing, if anything was said of it
    if wishes.password:
        raise click.UsageError(f"{wishes.password}: whoever signs in needs no password: leave it away")
    hosts = [changes.get((one, "host"), known.servers.get(one, {}).get("host")) for one in SERVERS]
    refuse_foreign(provider, [one for one in hosts if one is not None])
    changes["oauth", "provider"] = provider
    _complete(person, changes, known, provider, is_asked=named is None)
    return complete_oauth(changes, {})


def _choose_provider(
    person: Interview, wishes: Wishes, known: Known, servers: tuple[str, ...], *, is_meant: bool
) -> str | None:
    """Return where somebody signs in; None: a password is used. `is_meant`: some option is for signing in."""
    preset = known.preset
    if preset is None or (offer := preset.oauth) is None:
        return None
    if is_meant:
        return offer.provider
    if needed := [one.upper() for one in servers if one in offer.needed]:
        if not person.terminal:
            raise click.UsageError(
                f"{preset.title} takes no password for {' and '.join(needed)}: add --oauth {offer.provider}"
                f" --client-id ID ({guide(offer.provider)} says where you get it)"
            )
        person.tell(texts.ONLY_SIGN_IN, title=preset.title)
        return offer.provider
    if not wishes.is_first or wishes.password:
        return None
    better = bool(offer.needed) and person.terminal  # there passwords go, protocol by protocol
    question = fill_in(texts.SIGN_IN, title=preset.title)
    return offer.provider if person.agree(question, option="--oauth", default=better) else None


def _complete(person: Interview, changes: Changes, known: Known, provider: str, *, is_asked: bool) -> None:
    """Add flow, tenant and client, and a custom provider's addresses.

    `is_asked`: also where there is a usual answer, the person is asked.
    """
    offer = known.preset.oauth if known.preset is not None else None
    flows = ("device", "browser", "app") if offer is None or offer.provider != provider else offer.flows

    def settle(key: str, question: Any, read: Any, default: str | None) -> None:  # noqa: ANN401 - as `ask` has them
        path = ("oauth", key)
        if path in changes:
            return
        if default is not None and not is_asked:
            changes[path] = default
        elif person.terminal or default is not None:
            changes[path] = person.ask(question, read, option=OPTIONS[path], default=default)

    if len(flows) == 1:
        changes.setdefault(("oauth", "flow"), flows[0])
    settle("flow", texts.FLOW, reading.one_of(flows), usual_flow(provider))
    domain = ascii_domain(str(changes["address",]).rpartition("@")[2])
    if provider == "microsoft" and preset_of_domain(domain) is None:  # a domain of the organisation's own names it
        settle("tenant", texts.TENANT, reading.read_text, domain)
    settle("client_id", texts.CLIENT_ID, reading.read_text, None)
    if provider == "custom":
        _settle_custom(person, changes, settle)


def _settle_custom(person: Interview, changes: Changes, settle: Callable[[str, Words, Any, None], None]) -> None:
    """Add the addresses of a provider of which nothing is known, by the flow, and the permissions."""
    settle("token_url", texts.TOKEN_URL, reading.read_endpoint, None)
    match changes.get(("oauth", "flow")):
        case "device":
            settle("device_url", texts.DEVICE_URL, reading.read_endpoint, None)
        case "browser":
            settle("authorize_url", texts.AUTHORIZE_URL, reading.read_endpoint, None)
    scopes = ("oauth", "scopes")
    if person.terminal and scopes not in changes:
        named = person.ask(texts.SCOPES, reading.read_scopes, option=OPTIONS[scopes], default="")
        changes |= {scopes: named} if named else {}
