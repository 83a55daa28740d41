"""The part of `relay init` that asks for the first account, and what it logs in with."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import click

from relay.cli.account_flow import choose_account
from relay.cli.account_oauth import wants_client_secret
from relay.cli.account_options import KEYS, OPTIONS, Changes
from relay.cli.account_owner import choose_owner
from relay.cli.account_passwords import join_app_password
from relay.cli.editing import read_changes
from relay.cli.interview import Interview, fill_in
from relay.cli.provider import Finder, Wishes, look_up
from relay.first_steps import reading, texts
from relay.first_steps.answers import AccountAnswer
from relay.presets.preset import find_preset
from relay.rules.oauth_provider import takes_secret

_FILES = (("oauth", "client_secret_file"), ("oauth", "certificate"), ("oauth", "private_key"))


def ask_account(
    person: Interview, options: Mapping[str, Any], users: Sequence[Mapping[str, Any]], *, look: Finder = look_up
) -> AccountAnswer:
    """Ask for the account, but for the secret that it logs in with.

    `users`: the [[user]] tables of all that there are; `look`: finds the provider. Raises click.UsageError and
    click.Abort.
    """
    _require_files(options)
    changes: Changes = read_changes(KEYS, options)
    address = person.ask(
        texts.ADDRESS, reading.read_mail_address, option="--address", given=changes.get(("address",)),
        default=str(users[0].get("address")) if person.terminal else None,
    )  # fmt: skip
    changes["address",] = address
    owner = choose_owner(person, users, address, changes.pop(("owner",), None))
    name = person.ask(
        texts.ACCOUNT_NAME, reading.read_account_name, option="--name",
        given=options["name"] or reading.name_after(address, "account"),
    )  # fmt: skip
    wishes = Wishes(
        collect=options["collect"],
        ask_database=options["ask_thunderbird"],
        password="--password-file" if options["password_file"] else "",
        ca_file=options["ca_file"],
        is_first=True,
    )
    chosen = choose_account(person, changes, wishes, look=look)
    table = chosen.table
    for server in chosen.logins:
        table[server] |= {"password_file": options["password_file"]} if options["password_file"] else {}
    return AccountAnswer(
        name=name,
        address=address,
        owner=str(owner),
        display_name=table.get("display_name"),
        preset=table.get("preset"),
        sending=table.get("smtp", {}),
        collecting=table.get("pop3"),
        oauth=table.get("oauth"),
    )


def _require_files(options: Mapping[str, Any]) -> None:
    """Raise click.UsageError for a file that an option names and that is not there, before anything is asked."""
    named = {key.option: options[key.variable] for key in KEYS if key.path in _FILES}
    named |= {"--password-file": options["password_file"], "--ca-file": options["ca_file"]}
    for option, file in named.items():
        if file is None:
            continue
        try:
            reading.read_file(file)
        except reading.WrongAnswerError as error:
            raise click.UsageError(f"{option}: {error}") from None


def wants_secret(account: AccountAnswer) -> bool:
    """Return whether the account needs a secret that is still to be asked for."""
    return "password_file" not in account.sending if account.oauth is None else wants_client_secret(account.oauth)


def ask_secret(person: Interview, account: AccountAnswer) -> tuple[AccountAnswer, str]:
    """Ask for what the account logs in with: its password, or its client's secret, which is empty where there is none.

    Returns the account with the day on which a secret ends. Raises click.UsageError and click.Abort.
    """
    secret = ""
    if account.oauth is None:
        preset = find_preset(account.preset) if account.preset else None
        if not wants_secret(account):
            return account, secret
        if preset is not None:
            person.tell(texts.WHICH_PASSWORD, text=preset.password.by(person.language))
        question = fill_in(texts.PASSWORD, address=account.address)
        secret = person.secret(question, option="--password-file")
        return account, join_app_password(secret, account.preset, person.language)
    oauth = dict(account.oauth)
    has_proof = "private_key" in oauth or "client_secret_file" in oauth
    if not has_proof and takes_secret(oauth["provider"], oauth["flow"]):
        needed = wants_secret(account)
        question = texts.CLIENT_SECRET if needed else texts.CLIENT_SECRET_OR_NONE
        secret = person.secret(question, option=OPTIONS["oauth", "client_secret_file"], empty=not needed)
    if not secret and "client_secret_file" not in oauth:
        if "secret_expires" in oauth:
            raise click.UsageError("--secret-expires: there is no client secret that could end: leave it away")
    elif "secret_expires" not in oauth:
        day = person.ask(texts.SECRET_EXPIRES, reading.read_day, option="--secret-expires", default="")
        oauth |= {} if day is None else {"secret_expires": day}
    return dataclasses.replace(account, oauth=oauth), secret
