"""The part of `relay init` that asks for the first account: its provider, its servers, and how it logs in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from relay.cli.account_oauth import wants_client_secret
from relay.cli.interview import Interview, fill_in
from relay.cli.provider import KEPT, Finder, look_up
from relay.first_steps import reading, texts
from relay.first_steps.answers import AccountAnswer
from relay.presets.preset import Preset, Words, find_preset

if TYPE_CHECKING:
    from relay.presets.finding import Found

_OAUTH_KEYS: Final = {
    "sign_in_as": "user", "token_url": "token_url", "device_url": "device_url", "authorize_url": "authorize_url",
    "oauth_certificate": "certificate", "oauth_private_key": "private_key",
}  # fmt: skip
"""Options that are passed on as they are, with the keys of [account.oauth]."""


@dataclass(kw_only=True)
class Draft:
    """What is known of the account so far."""

    address: str
    preset: Preset | None = None
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Where there is no preset, and they were found: host, port, security and user name, by protocol."""
    username: str | None = None
    """What the person said for the first server."""


def ask_account(
    interview: Interview, options: dict[str, Any], users: Sequence[tuple[str, str]], *, look: Finder = look_up
) -> tuple[AccountAnswer, str]:
    """Ask for the account; return it, and the secret that it logs in with, which is empty where a file has it.

    `users`: names and addresses of all that there are; `look`: finds the provider. Raises click.UsageError and
    click.Abort.
    """
    address = interview.ask(
        texts.ADDRESS, reading.read_mail_address, option="--address", given=options["address"],
        default=users[0][1] if interview.terminal else None,
    )  # fmt: skip
    owner = _choose_owner(interview, options, users, address)
    name = interview.ask(
        texts.USER_NAME, reading.read_account_name, option="--name",
        given=options["name"] or reading.name_after(address, "account"),
    )  # fmt: skip
    draft = Draft(address=address)
    _find(interview, options, draft, look)
    smtp = _sending(interview, options, draft)
    pop3 = _collecting(interview, options, draft)
    oauth = _sign_in(interview, options, draft, collects=pop3 is not None)
    secret = ""
    if oauth is not None:
        secret = _client_secret(interview, options, oauth)
    elif options["password_file"] is not None:
        file = interview.ask(
            texts.PASSWORD, reading.read_file, option="--password-file", given=options["password_file"]
        )
        for table in (smtp, pop3):
            if table is not None:
                table["password_file"] = file
    else:
        secret = interview.secret(texts.PASSWORD, option="--password-file")
    account = AccountAnswer(
        name=name,
        address=address,
        owner=owner,
        preset=None if draft.preset is None else draft.preset.name,
        sending=smtp,
        collecting=pop3,
        oauth=oauth,
    )
    return account, secret


def _choose_owner(interview: Interview, options: dict[str, Any], users: Sequence[tuple[str, str]], address: str) -> str:
    """Return the user whose mail it is: the one whose address it is, the only one, or whoever is named."""
    names = [name for name, _ in users]
    fitting = [name for name, own in users if own.lower() == address.lower()]
    given = options["owner"] or (fitting or names)[0] if len(names) == 1 or fitting else options["owner"]
    question = fill_in(texts.OWNER, names=", ".join(names))
    return interview.ask(question, reading.one_of(names), option="--owner", given=given, default=names[0])


def _find(interview: Interview, options: dict[str, Any], draft: Draft, look: Finder) -> None:
    """Find the provider, unless the options name it, or its servers."""
    if options["preset"] is not None:
        name = interview.ask(texts.PROVIDER, reading.read_known_preset, option="--preset", given=options["preset"])
        draft.preset = find_preset(name)
    elif options["smtp_host"] is None:
        found = _look(interview, options, draft.address, look)
        if all(_confirm(interview, one) for one in found.confirm):
            draft.preset = found.preset
            if found.preset is None:
                draft.servers = {
                    one.kind: {
                        "host": one.host, "port": one.port, "security": str(one.security), "username": one.username,
                    }
                    for one in found.servers
                    if one.host is not None
                }  # fmt: skip
    if draft.preset is not None:
        _describe(interview, draft.preset)
    elif not draft.servers and options["smtp_host"] is None:
        interview.tell(texts.UNKNOWN)


def _look(interview: Interview, options: dict[str, Any], address: str, look: Finder) -> "Found":
    from relay.settings.fields import read_address

    parsed = read_address(address)
    question = fill_in(texts.DATABASE, domain=parsed.domain)

    def agrees() -> bool:
        given = options["ask_thunderbird"]
        return interview.agree(question, option="--ask-thunderbird", given=given, default=False)

    interview.tell(texts.LOOKING, domain=parsed.domain)
    return look(parsed, agrees)


def _confirm(interview: Interview, words: Words) -> bool:
    if not interview.terminal:
        raise click.UsageError(f"{words.en} If so, name the provider: --preset NAME, or its servers: --smtp-host HOST")
    return interview.agree(words, option="--preset", default=False)


def _describe(interview: Interview, preset: Preset) -> None:
    """Say what is known of a provider, before anything of it is asked."""
    language = interview.language
    interview.tell(texts.PROVIDER, title=preset.title)
    for kind in ("smtp", "pop3"):
        if (server := preset.servers.get(kind)) is not None and server.host is not None:
            interview.tell(texts.SERVER, kind=kind.upper(), host=server.host, port=server.ports[0])
    if preset.switch_on is not None:
        interview.tell(texts.SWITCH_ON, text=preset.switch_on.by(language))


def _sending(interview: Interview, options: dict[str, Any], draft: Draft) -> dict[str, Any]:
    """Return [account.smtp], without what the preset fills in."""
    known = draft.preset.servers.get("smtp") if draft.preset else None
    return _server(interview, options, draft, "smtp", asked=known is None or known.host is None)


def _collecting(interview: Interview, options: dict[str, Any], draft: Draft) -> dict[str, Any] | None:
    """Return [account.pop3]; None where nothing is to be collected."""
    preset, given = draft.preset, options["collect"]
    if preset is not None and "pop3" not in preset.servers:
        if given:
            raise click.UsageError(f"--collect: {preset.title} offers no POP3: leave it away")
        interview.tell(texts.NO_POP3, title=preset.title)
        return None
    known = preset is not None or "pop3" in draft.servers or options["pop3_host"] is not None
    if not interview.agree(texts.COLLECT, option="--collect", given=given, default=known or interview.terminal):
        return None
    interview.tell(texts.KEPT_THERE)
    asked = preset is None or preset.servers["pop3"].host is None
    return {**_server(interview, options, draft, "pop3", asked=asked), "leave_on_server": KEPT}


def _server(interview: Interview, options: dict[str, Any], draft: Draft, kind: str, *, asked: bool) -> dict[str, Any]:
    """Return one server's table. `asked`: whether its host has to be known from the person."""
    table: dict[str, Any] = dict(draft.servers.get(kind, {}))
    if kind in draft.servers:
        interview.tell(texts.SERVER, kind=kind.upper(), host=table["host"], port=table["port"])
    elif asked or options[f"{kind}_host"] is not None:
        preset = draft.preset
        if preset is not None and preset.find_host is not None:
            interview.tell(texts.OWN_HOST, title=preset.title, text=preset.find_host.by(interview.language))
        question = texts.SMTP_HOST if kind == "smtp" else texts.POP3_HOST
        host = interview.ask(question, reading.read_server, option=f"--{kind}-host", given=options[f"{kind}_host"])
        table["host"] = host
        if preset is None:
            table |= _port(interview, options, kind)
            given = options[f"{kind}_username"] or draft.username
            table["username"] = interview.ask(
                texts.USERNAME, reading.read_text, option=f"--{kind}-username", given=given, default=draft.address
            )
            draft.username = table["username"]
    elif options[f"{kind}_username"] is not None:
        table["username"] = options[f"{kind}_username"]
    if options["ca_file"] is not None:
        table["ca_file"] = interview.ask(
            texts.CERTIFICATE_FILE, reading.read_file, option="--ca-file", given=options["ca_file"]
        )
    return table


def _port(interview: Interview, options: dict[str, Any], kind: str) -> dict[str, Any]:
    given, security = options[f"{kind}_port"], options[f"{kind}_security"]
    if kind == "smtp":
        port = interview.ask(texts.SMTP_PORT, reading.read_port, option="--smtp-port", given=given, default="587")
        return {"port": port, "security": security or ("tls" if port == 465 else "starttls")}
    table: dict[str, Any] = {}
    if given is not None:
        table["port"] = interview.ask(texts.SMTP_PORT, reading.read_port, option="--pop3-port", given=given)
    return table | ({"security": security} if security is not None else {})


def _sign_in(interview: Interview, options: dict[str, Any], draft: Draft, *, collects: bool) -> dict[str, Any] | None:
    """Return [account.oauth], without the client's secret; None where a password is used."""
    preset = draft.preset
    offer = preset.oauth if preset else None
    provider = options["oauth"]
    if provider is None and offer is not None and preset is not None:
        used = ("smtp", "pop3") if collects else ("smtp",)
        if any(kind in offer.needed for kind in used):
            interview.tell(texts.ONLY_SIGN_IN, title=preset.title)
            provider = offer.provider
    if provider is None and preset is not None:
        interview.tell(texts.WHICH_PASSWORD, text=preset.password.by(interview.language))
        question = fill_in(texts.SIGN_IN, title=preset.title)
        if offer is not None and options["password_file"] is None:
            better = bool(offer.needed) and interview.terminal  # there passwords go, protocol by protocol
            provider = offer.provider if interview.agree(question, option="--oauth", default=better) else None
    if provider is None:
        return None
    flows = ("device", "browser", "app") if offer is None or offer.provider != provider else offer.flows
    table: dict[str, Any] = {"provider": provider}
    given = options["flow"] or (flows[0] if len(flows) == 1 else None)
    table["flow"] = interview.ask(texts.FLOW, reading.one_of(flows), option="--flow", given=given, default=flows[0])
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
            option = f"--oauth-{key.replace('_', '-')}"
            table[key] = interview.ask(texts.KEY_FILE, reading.read_file, option=option, given=table[key])
    return table | ({"scopes": [*options["scopes"]]} if options["scopes"] else {})


def _client_secret(interview: Interview, options: dict[str, Any], oauth: dict[str, Any]) -> str:
    """Return the client's secret, to be put into a file; empty where there is none, or it is in a file already."""
    secret = ""
    if options["client_secret_file"] is not None:
        oauth["client_secret_file"] = interview.ask(
            texts.CLIENT_SECRET, reading.read_file, option="--client-secret-file", given=options["client_secret_file"]
        )
    elif "private_key" not in oauth:
        needed = wants_client_secret(oauth)
        question = texts.CLIENT_SECRET if needed else texts.CLIENT_SECRET_OR_NONE
        secret = interview.secret(question, option="--client-secret-file", empty=not needed)
    if secret or "client_secret_file" in oauth:
        day = interview.ask(
            texts.SECRET_EXPIRES, reading.read_day, option="--secret-expires", given=options["secret_expires"],
            default="",
        )  # fmt: skip
        oauth |= {} if day is None else {"secret_expires": day}
    return secret
