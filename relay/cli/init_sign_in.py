"""The part of `relay init` that asks how somebody signs in for the account, where it logs in by a token."""

from typing import Any, Final

import click

from relay.cli.account_oauth import wants_client_secret
from relay.cli.init_servers import Draft
from relay.cli.interview import Interview, fill_in
from relay.first_steps import reading, texts
from relay.rules.oauth_provider import takes_secret, usual_flow

_OAUTH_KEYS: Final = {
    "sign_in_as": "user", "token_url": "token_url", "device_url": "device_url", "authorize_url": "authorize_url",
    "certificate": "certificate", "private_key": "private_key",
}  # fmt: skip
"""Options that are passed on as they are, with the keys of [account.oauth]."""
_FOR_SIGN_IN: Final = ("flow", "client_id", "client_secret_file", "secret_expires", "tenant", "scope", *_OAUTH_KEYS)
"""Options that are for nothing where a password is used."""


def ask_sign_in(
    interview: Interview, options: dict[str, Any], draft: Draft, *, collects: bool
) -> dict[str, Any] | None:
    """Return [account.oauth], without the client's secret; None where a password is used.

    Raises click.UsageError and click.Abort.
    """
    given = [f"--{name.replace('_', '-')}" for name in _FOR_SIGN_IN if options[name]]
    provider = _choose_provider(interview, options, draft, collects=collects, meant=bool(given))
    if provider is not None and options["password_file"] is not None:
        raise click.UsageError("--password-file: whoever signs in needs no password: leave it away")
    if provider is not None:
        return _ask_table(interview, options, draft, provider)
    if given:
        raise click.UsageError(f"{given[0]}: is for signing in: add --oauth PROVIDER, or leave it away")
    return None


def _choose_provider(
    interview: Interview, options: dict[str, Any], draft: Draft, *, collects: bool, meant: bool
) -> str | None:
    """Return where somebody signs in; None: a password is used. `meant`: some option is for that."""
    preset = draft.preset
    named: str | None = options["oauth"]
    if named is not None or preset is None:
        return named
    offer = preset.oauth
    if offer is not None and any(kind in offer.needed for kind in ("smtp", *["pop3"] * collects)):
        interview.tell(texts.ONLY_SIGN_IN, title=preset.title)
        return offer.provider
    if offer is not None and meant:
        return offer.provider
    interview.tell(texts.WHICH_PASSWORD, text=preset.password.by(interview.language))
    if offer is None or options["password_file"] is not None:
        return None
    question = fill_in(texts.SIGN_IN, title=preset.title)
    better = bool(offer.needed) and interview.terminal  # there passwords go, protocol by protocol
    return offer.provider if interview.agree(question, option="--oauth", default=better) else None


def _ask_table(interview: Interview, options: dict[str, Any], draft: Draft, provider: str) -> dict[str, Any]:
    preset = draft.preset
    offer = preset.oauth if preset else None
    flows = ("device", "browser", "app") if offer is None or offer.provider != provider else offer.flows
    table: dict[str, Any] = {"provider": provider}
    usual = usual_flow(provider) or flows[0]
    flow = options["flow"] or (flows[0] if len(flows) == 1 else None)
    table["flow"] = interview.ask(texts.FLOW, reading.one_of(flows), option="--flow", given=flow, default=usual)
    if provider == "microsoft" and not (preset is not None and preset.name == "outlook.com"):
        table["tenant"] = interview.ask(
            texts.TENANT, reading.read_text, option="--tenant", given=options["tenant"],
            default=draft.address.rpartition("@")[2],
        )  # fmt: skip
    elif options["tenant"] is not None:
        table["tenant"] = options["tenant"]
    table["client_id"] = interview.ask(
        texts.CLIENT_ID, reading.read_text, option="--client-id", given=options["client_id"]
    )
    table |= {key: options[option] for option, key in _OAUTH_KEYS.items() if options[option] is not None}
    for key in ("certificate", "private_key"):  # files are where the person is, not in the storage folder
        if key in table:
            option = f"--{key.replace('_', '-')}"
            question = texts.OAUTH_CERTIFICATE if key == "certificate" else texts.OAUTH_KEY
            table[key] = interview.ask(question, reading.read_file, option=option, given=table[key])
    return table | ({"scopes": [*options["scope"]]} if options["scope"] else {})


def ask_client_secret(interview: Interview, options: dict[str, Any], oauth: dict[str, Any]) -> str:
    """Return the client's secret, to be put into a file; empty where there is none, or it is in a file already."""
    secret = ""
    if options["client_secret_file"] is not None:
        oauth["client_secret_file"] = interview.ask(
            texts.CLIENT_SECRET_FILE, reading.read_file, option="--client-secret-file",
            given=options["client_secret_file"],
        )  # fmt: skip
    elif "private_key" not in oauth and takes_secret(oauth["provider"], oauth["flow"]):
        needed = wants_client_secret(oauth)
        question = texts.CLIENT_SECRET if needed else texts.CLIENT_SECRET_OR_NONE
        secret = interview.secret(question, option="--client-secret-file", empty=not needed)
    if not secret and "client_secret_file" not in oauth:
        if options["secret_expires"] is not None:
            raise click.UsageError("--secret-expires: there is no client secret that could end: leave it away")
    else:
        day = interview.ask(
            texts.SECRET_EXPIRES, reading.read_day, option="--secret-expires", given=options["secret_expires"],
            default="",
        )  # fmt: skip
        oauth |= {} if day is None else {"secret_expires": day}
    return secret
