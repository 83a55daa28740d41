"""`relay account add | edit | remove`: they change relay.toml and nothing else in it, and the service takes it over."""

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from relay.cli import account_oauth, editing
from relay.cli.account_options import (
    EDIT_KEYS,
    KEPT,
    KEYS,
    SERVERS,
    Changes,
    authority_option,
    follow_port,
    new_account_options,
    other_file_option,
)
from relay.cli.account_passwords import LOGINS, new_passwords, other_passwords, password_files
from relay.cli.choosing import Text
from relay.cli.configuration import config_option
from relay.cli.editing import (
    Options,
    ask_secret,
    change,
    find_file,
    key_options,
    naming_options,
    read_changes,
    read_path,
    read_text,
    reload,
    remove,
    require_new,
)
from relay.cli.output import say
from relay.places import repeat_option

if TYPE_CHECKING:
    from relay.settings import Settings

_WANTS: Final = ("password", "pop3_password", "password_file")
"""Options of `edit` by which an account gets another password."""
_FOR_PASSWORDS: Final = {
    "password_file": "--password-file",
    "pop3_password": "--pop3-password",
    "inside": "--password-in-configuration",
}
"""Options of `add` that are for nothing where somebody signs in."""
_inside_option = click.option(
    "--password-in-configuration", "inside", is_flag=True, help="Write the password into relay.toml, not into a file."
)


@click.command("add", short_help="Add an account to relay.toml.")
@config_option
@click.argument("name", type=Text())
@new_account_options(any_key=True)
@click.option("--no-login", is_flag=True, help="The server that sends wants no login.")
@click.option("--pop3-password", is_flag=True, help="The mailbox has a password of its own: ask for it as well.")
@_inside_option
def add(config: str | None, name: str, **options: Any) -> None:  # noqa: ANN401 - of click
    """Add the account NAME to relay.toml: behind the others, so that their rules go first.

    Without a host or --preset the provider is looked for by the address, and it is said what was found, which password
    is meant, and what must be switched on there first. At a terminal what is missing is asked for.

    The password is asked for, or the first line of standard input (with --pop3-password the second is the mailbox's).
    It goes into a file of its own beside relay.toml. Nothing is written before all of it is found to be right: <
    leads back to the question before, Ctrl-C ends it.
    """
    from relay.cli.account_flow import Chosen, choose_account
    from relay.cli.account_owner import choose_owner
    from relay.cli.interview import Interview, ended_by_hand
    from relay.cli.provider import Wishes
    from relay.editing.tables import add_table, list_tables
    from relay.first_steps import reading, texts
    from relay.presets.preset import Words

    path = find_file(config)
    text = read_text(path)
    said_keys: Changes = read_changes(KEYS, options)
    named = shlex.quote(name) + repeat_option(config, path)
    require_new(text, "account", name, advice=f"relay account edit {named}, or choose another name")
    person = Interview("en")
    wishes = Wishes(
        collect=options["collect"],
        ask_database=options["ask_thunderbird"],
        password=next((one for key, one in _FOR_PASSWORDS.items() if options[key]), ""),
        no_login=options["no_login"],
        ca_file=options["ca_file"],
    )

    def rehearse(tried: dict[Any, Any]) -> None:
        editing.rehearse(path, lambda before: add_table(before, "account", {"name": name, **tried}))

    def ask_hidden(what: str) -> str:
        return person.secret(Words(what, what), option="--password-file") if person.terminal else ask_secret(what)

    def ask() -> tuple[Chosen, dict[str, Any], str, contextlib.ExitStack]:
        changes = {**said_keys}
        given = changes.get(("address",))
        address = person.ask(texts.ADDRESS, reading.read_mail_address, option="--address", given=given)
        changes["address",] = address
        if owner := choose_owner(person, list_tables(text, "user"), address, changes.get(("owner",))):
            changes["owner",] = owner
        chosen = choose_account(person, changes, wishes)
        values = {"name": name, **chosen.table}
        with contextlib.ExitStack() as made:
            secrets = new_passwords(path, name, values, options, chosen.logins, rehearse, ask=ask_hidden)
            said = made.enter_context(secrets)
            return chosen, values, said, made.pop_all()

    with naming_options(f"account[{name}]", KEYS):
        with ended_by_hand():
            chosen, values, said, made = person.conduct(ask)
        with made:
            settings = change(config, path, lambda before: add_table(before, "account", values))
    say(f"{name} is in {path} now{said}")
    if "pop3" in values and ("pop3", "leave_on_server") not in said_keys and not person.terminal:
        say(f"Collected mail stays at the provider for {KEPT}, so that no trial empties a mailbox (--pop3-leave)")
    elif "pop3" not in values and "pop3" in chosen.known.offered:
        say(f"Its mailbox is not collected; for that: relay account edit {named} --collect")
    _warn(settings, name)
    reload(config, settings)
    if "oauth" in values:
        account_oauth.say_next(named, values["oauth"])
    else:
        say(f"Try it: relay account test {named}")


@click.command("edit", short_help="Change an account in relay.toml.")
@config_option
@click.argument("name", type=Text())
@key_options(EDIT_KEYS)
@click.option("--collect", is_flag=True, help="Collect its mailbox by POP3 from now on.")
@click.option("--unset", "unset", multiple=True, metavar="KEY", help="Remove a key, such as display_name or pop3.")
@click.option("--password", is_flag=True, help="Ask for another password.")
@click.option("--pop3-password", is_flag=True, help="Ask for another password of the mailbox alone.")
@click.option("--client-secret", is_flag=True, help="Ask for another secret of the client (with --secret-expires).")
@authority_option
@other_file_option
@_inside_option
def edit(config: str | None, name: str, **options: Any) -> None:  # noqa: ANN401 - of click
    """Change keys of the account NAME in relay.toml; what else stands there stays as it is.

    A new password takes the place of the old one in its file, and so does a new client secret; with --oauth the account
    logs in without a password.
    """
    from relay.editing.tables import change_table, read_table

    path = find_file(config)
    table = read_table(read_text(path), "account", name)
    changes = read_changes(KEYS, options) | {read_path(key): None for key in options["unset"]}
    if ("name",) in changes:
        raise click.UsageError("by its name an account's mail is known: add another account, then remove this one")
    planned = _plan_edit(name, table, changes, options)
    changes, wants = {**planned.changes}, any(options[key] for key in (*_WANTS, "client_secret"))
    if not changes and not wants:
        raise click.UsageError("say what is to change; `relay account edit --help` shows how")

    def rehearse(secrets: Changes) -> None:
        editing.rehearse(path, lambda before: change_table(before, "account", name, planned.changes | secrets))

    with (
        naming_options(f"account[{name}]", KEYS),
        other_passwords(path, name, planned.table, options, planned.oauth, rehearse) as (logins, later, said),
    ):
        changes |= logins
        settings = change(config, path, lambda before: change_table(before, "account", name, changes))
        later()
    named = shlex.quote(name) + repeat_option(config, path)
    say(f"{name} is changed in {path}{said}" if settings or wants else f"{name} is so in {path} already")
    if settings is None and wants:
        from relay.cli.configuration import load

        settings = load(config)
    _warn(settings, name)
    reload(config, settings)
    if ("oauth", "secret_expires") in changes and not options["client_secret"] and "oauth" in table:
        say(f"The secret itself stays as it is; for another one: relay account edit {named} --client-secret")
    if planned.oauth:
        for file in sorted({*password_files(table)}):
            say(f"Its old password is still in {file}: remove that where nothing else needs it")
        account_oauth.say_next(named, planned.oauth)


@click.command("remove", short_help="Remove an account from relay.toml.")
@config_option
@click.argument("name", type=Text())
@click.option("--yes", is_flag=True, help="Do not ask where mail still waits for it.")
def remove_(config: str | None, name: str, *, yes: bool) -> None:
    """Remove the account NAME from relay.toml. Mail that waits for it is held, until a person moves or deletes it."""
    from relay.admin.proving import count_open
    from relay.cli.configuration import load
    from relay.cli.output import confirm_many, count
    from relay.editing.tables import read_table

    path = find_file(config)
    table = read_table(read_text(path), "account", name)
    waiting = count_open(load(config), name)
    shown, option = shlex.quote(name), repeat_option(config, path)
    if waiting:
        wait = count(waiting, "mail still waits", "mails still wait")
        advice = f"relay queue move --from-account {shown} --account OTHER{option}"
        text = f"{wait} for {name}, and would be held. Remove it all the same"
        confirm_many(text, yes=yes, unasked=f"{wait} for {name}: add --yes to remove it all the same; {advice}")
    elif waiting is None:
        command = f"relay queue list --account {shown}{option}"
        say(f"Whether mail still waits for {name} can't be told: `{command}`", error=True)
    settings = remove(config, "account", name)
    say(f"{name} is no longer in {path}")
    for file in sorted({*password_files(table)}):
        say(f"Its password is still in {file}: remove that where nothing else needs it")
    if file := table.get("oauth", {}).get("client_secret_file"):
        say(f"Its client secret is still in {file}: remove that where nothing else needs it")
    reload(config, settings)


class _Edit(NamedTuple):
    """What becomes of an account."""

    changes: Changes
    table: Mapping[str, Any]
    """Its table, with those of its new servers, still empty."""
    oauth: Mapping[str, Any]
    """How it logs in from now on, where it did so by password."""


def _plan_edit(name: str, table: Mapping[str, Any], changes: Changes, options: Options) -> _Edit:
    """Complete the changes of an account by what goes without saying. Raises click.UsageError."""
    changes = account_oauth.complete_oauth(changes, table)
    begins = "oauth" not in table and ("oauth", "provider") in changes
    account_oauth.require_oauth(name, {} if ("oauth",) in changes else table, options, begins=begins)
    wants = [key for key in _WANTS if options[key]]
    new = {one for one in SERVERS if one not in table and any(path[0] == one and path[1:] for path in changes)}
    new |= {"pop3"} if options["collect"] and "pop3" not in table else set()
    for option in wants:
        servers = ("pop3",) if option == "pop3_password" else SERVERS
        if begins or not any(one in table or one in new for one in servers):
            advice = "no server that wants this password: add --smtp-host or --pop3-host"
            raise click.UsageError(f"{name} has {'no password with --oauth: leave it away' if begins else advice}")
    if begins:
        changes |= {(one, key): None for one in SERVERS for key in LOGINS if key in table.get(one, {})}
    sends = table.get("smtp", {"username": ""})
    sends_by_it = any(option != "pop3_password" for option in wants)  # which is the mailbox's alone
    if sends_by_it and "username" not in sends and "preset" not in table:
        changes = {("smtp", "username"): table.get("address")} | changes
    changes = follow_port(table, changes)
    if "pop3" in new:
        shared = not wants and not begins and "oauth" not in table
        changes = _begin_collecting(table.get("smtp", {}) if shared else {}, changes)
    held = [one for one in SERVERS if one in table or one in new]
    if options["ca_file"] and not held:
        raise click.UsageError(f"{name} has no server whose certificate --ca-file could be for")
    changes = {**changes, **_trust(options, held)}
    given = {path[1]: value for path, value in changes.items() if path[0] == "oauth" and path[1:]}
    return _Edit(changes, {**table, **{one: {} for one in new}}, given if begins else {})


def _trust(options: Options, servers: Sequence[str]) -> Changes:
    """Return the authority of the servers' certificates, where one is named."""
    return {(one, "ca_file"): options["ca_file"] for one in servers if options["ca_file"]}


def _warn(settings: "Settings | None", name: str) -> None:
    """Say what is probably not meant so in an account that was changed."""
    for warning in settings.warnings if settings else ():
        if f": account[{name}]" in warning:
            say(f"warning: {warning}")


def _begin_collecting(sending: Mapping[str, Any], changes: Changes) -> Changes:
    """Add what goes without saying where a mailbox is collected from now on; `sending`: whose login is its, too."""
    shared = {("pop3", key): sending[key] for key in ("username", *LOGINS) if key in sending}
    return {("pop3", "leave_on_server"): KEPT} | shared | changes
