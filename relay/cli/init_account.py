"""The part of `relay init` that asks for the first account: its provider, its servers, and how it logs in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from relay.cli.init_servers import Draft, ask_collecting, ask_sending
from relay.cli.init_sign_in import ask_client_secret, ask_sign_in
from relay.cli.interview import Interview, fill_in
from relay.cli.provider import Finder, look_up, refuse_foreign
from relay.first_steps import reading, texts
from relay.first_steps.answers import AccountAnswer
from relay.presets.describing import describe
from relay.presets.preset import Preset, Words, find_preset

if TYPE_CHECKING:
    from relay.presets.finding import Found


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
        texts.ACCOUNT_NAME, reading.read_account_name, option="--name",
        given=options["name"] or reading.name_after(address, "account"),
    )  # fmt: skip
    draft = Draft(address=address)
    _find(interview, options, draft, look)
    smtp = ask_sending(interview, options, draft)
    pop3 = ask_collecting(interview, options, draft)
    oauth = ask_sign_in(interview, options, draft, collects=pop3 is not None)
    secret = ""
    if oauth is not None:
        refuse_foreign(oauth["provider"], [table["host"] for table in (smtp, pop3) if table and "host" in table])
        secret = ask_client_secret(interview, options, oauth)
    elif options["password_file"] is not None:
        file = interview.ask(
            texts.PASSWORD_FILE, reading.read_file, option="--password-file", given=options["password_file"]
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
    given = options["owner"]
    if given is None and fitting:
        given = fitting[0]
    if given is None and len(names) == 1:
        given = names[0]
    question = fill_in(texts.OWNER, names=", ".join(names))
    return interview.ask(question, reading.one_of(names), option="--owner", given=given, default=names[0])


def _find(interview: Interview, options: dict[str, Any], draft: Draft, look: Finder) -> None:
    """Find the provider, unless the options name it, or its servers."""
    if options["preset"] is not None:
        name = interview.ask(texts.PRESET, reading.read_known_preset, option="--preset", given=options["preset"])
        draft.preset = find_preset(name)
    elif options["smtp_host"] is None:
        found = _look(interview, options, draft.address, look)
        if found.origin is None:
            for words in found.tried:
                interview.tell(texts.TRIED, text=words.by(interview.language))
            interview.tell(texts.UNKNOWN)
        elif not all(_confirm(interview, one) for one in found.confirm):
            interview.tell(texts.NAME_THEM)
        elif found.preset is not None:
            draft.preset = found.preset
        else:
            draft.servers = {one.kind: one.table for one in found.servers if one.host is not None}
    if draft.preset is not None:
        _describe(interview, draft.preset)


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
    interview.tell(texts.PROVIDER, title=preset.title)
    for kind in ("smtp", "pop3"):
        if (server := preset.servers.get(kind)) is not None and server.host is not None:
            interview.tell(texts.SERVER, kind=kind.upper(), host=server.host, port=server.ports[0])
    for line in zip(*(describe(preset, language, password=False) for language in ("en", "de")), strict=True):
        interview.tell(Words(*line))
