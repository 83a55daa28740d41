"""The questions of `relay init`, in the order in which people know the answers."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from relay.cli.init_account import ask_account, ask_secret
from relay.cli.interview import Interview, fill_in
from relay.first_steps import filling, machine, reading, texts
from relay.first_steps.answers import Answers, CertificateAnswer, UserAnswer
from relay.first_steps.composing import read_before

_MAKE, _FILES, _NONE = KINDS = ("make", "files", "none")
"""Where the certificate comes from."""


def ask(
    interview: Interview, options: dict[str, Any], path: Path, before: str, rehearse: Callable[[Answers], None]
) -> tuple[Answers, str]:
    """Ask for everything, in the order in which people know it; return it, and what the account logs in with.

    Secrets come last. `before`: what stands in the file; `rehearse`: raises what is against the answers without them.
    Raises click.UsageError, click.Abort.
    """
    old = read_before(before)
    files = _read_password_files(options)
    interview.language = interview.ask(
        texts.LANGUAGE, reading.one_of(("en", "de")), option="--language", given=options["language"],
        default=interview.language,
    )  # fmt: skip
    interview.tell(texts.BEGIN, path=path)
    own = machine.proposed_hostname() if interview.terminal else machine.own_hostname()
    proposed = old.get("server", {}).get("hostname") or own
    if proposed is None and options["hostname"] is None:
        interview.tell(texts.SHORT_HOSTNAME, name=socket.gethostname())
    hostname = interview.ask(
        texts.HOSTNAME, reading.read_hostname, option="--hostname", given=options["hostname"], default=proposed
    )  # fmt: skip
    known = [one for one in old.get("user", ()) if isinstance(one, dict)]
    users = _ask_users(interview, options, [str(one.get("name")) for one in known])
    if unknown := [name for name in files if name not in dict(users)]:
        raise click.UsageError(f"--user-password-file: there is no --user {unknown[0][:80]}")
    tables = [*known, *({"name": name, "address": address} for name, address in users)]
    account = ask_account(interview, options, tables)
    archive = _ask_archive(interview, options)
    networks = _ask_networks(interview, options, open_already="listener" in old)
    certificate = _ask_certificate(interview, options, serves_others=bool(networks))
    answers = Answers(
        language=interview.language,
        hostname=hostname,
        users=tuple(UserAnswer(name=name, address=address) for name, address in users),
        account=account,
        archive=archive,
        networks=networks,
        certificate=certificate,
        storage=filling.choose_storage(path, before),
    )
    rehearse(answers)
    account, secret = ask_secret(interview, account)
    people = _ask_passwords(interview, files, users, wanted=certificate is not None)
    return replace(answers, account=account, users=tuple(people)), secret


def _ask_users(interview: Interview, options: dict[str, Any], known: Sequence[str]) -> list[tuple[str, str]]:
    """Return names and addresses of those who are new. `known`: names of the others."""
    users: list[tuple[str, str]] = []

    def read_new(text: str) -> str:
        if (name := reading.read_user(text)).casefold() in {one.casefold() for one in (*known, *dict(users))}:
            raise reading.wrong(texts.TWICE, text)
        return name

    for pair in options["user"]:
        name, address = interview.ask(texts.USER_PAIR, reading.read_user_and_address, option="--user", given=pair)
        users.append((interview.ask(texts.USER_NAME, read_new, option="--user", given=name), address))
    while not options["user"] and (interview.terminal or not known):
        first = not users and not known
        question = texts.USER_NAME if first else texts.USER_MORE
        name = interview.ask(
            question, read_new if first else lambda text: read_new(text) if text else "", option="--user",
            default=None if first else "",
        )  # fmt: skip
        if not name:
            break
        question = fill_in(texts.USER_ADDRESS, name=name)
        users.append((name, interview.ask(question, reading.read_mail_address, option="--user")))
    return users


def _ask_archive(interview: Interview, options: dict[str, Any]) -> tuple[str, ...]:

    def read(text: str) -> tuple[str, ...]:
        return (reading.read_mail_address(text),) if text else ()

    given = options["archive"] or (None,)
    return tuple(
        address
        for one in given
        for address in interview.ask(texts.ARCHIVE, read, option="--archive", given=one, default="")
    )


def _ask_networks(interview: Interview, options: dict[str, Any], *, open_already: bool) -> tuple[str, ...]:

    if open_already:
        if options["network"]:
            raise click.UsageError("--network: the file has a [[listener]] already, which stays: leave it away")
        return ()
    proposed = " ".join(machine.own_networks()) if interview.terminal else ""
    if not options["network"]:
        interview.tell(texts.OPEN_NETWORKS)
    question = fill_in(texts.NETWORKS, proposed=proposed or "-")
    given = " ".join(options["network"]) or None
    return interview.ask(
        question,
        lambda text: reading.read_networks(text or proposed or "-"),
        option="--network",
        given=given,
        default="",
    )


def _ask_certificate(interview: Interview, options: dict[str, Any], *, serves_others: bool) -> CertificateAnswer | None:
    """Return the certificate; one that is still to be made has no files yet.

    `serves_others`: whether there are networks whose machines send here.
    """
    given = options["listener_certificate"]
    files = [one for one in ("listener_certificate_file", "listener_key_file") if options[one] is not None]
    needless = [
        f"--{one.replace('_', '-')}"
        for one in (*files, *(["listener_certificate"] if given not in (None, _NONE) else []))
    ]
    if needless and not serves_others:
        raise click.UsageError(
            f"{needless[0]}: is for listeners that --network opens, and there is none: leave it away"
        )
    if files and given not in (None, _FILES):
        raise click.UsageError(f"{needless[0]}: is for --listener-certificate files: leave one of both away")
    if not serves_others:
        return None
    kind = interview.ask(
        texts.CERTIFICATE, reading.one_of(KINDS), option="--listener-certificate", given=_FILES if files else given,
        default=_MAKE if interview.terminal else _NONE,
    )  # fmt: skip
    if kind != _FILES:
        return CertificateAnswer(certificate="", private_key="") if kind == _MAKE else None
    named = [
        interview.ask(question, reading.read_file, option=option, given=options[variable])
        for question, option, variable in (
            (texts.CERTIFICATE_FILE, "--listener-certificate-file", "listener_certificate_file"),
            (texts.KEY_FILE, "--listener-key-file", "listener_key_file"),
        )
    ]
    return CertificateAnswer(certificate=named[0], private_key=named[1])


def _read_password_files(options: dict[str, Any]) -> dict[str, str]:
    """Return the passwords of users that files have, by their names. Raises click.UsageError."""
    found = {}
    for name, _, file in (one.partition("=") for one in options["user_password_file"]):
        try:
            text = Path(reading.read_file(file)).read_text(encoding="utf-8")
        except (reading.WrongAnswerError, OSError, UnicodeDecodeError):
            raise click.UsageError(f"--user-password-file: {file[:80]}: can't be read; write NAME=FILE") from None
        found[name] = text.partition("\n")[0].rstrip("\r")
    return found


def _ask_passwords(
    interview: Interview, files: Mapping[str, str], users: Sequence[tuple[str, str]], *, wanted: bool
) -> Iterator[UserAnswer]:
    """Give the users, with what their mail programs log in with where that is encrypted."""
    from relay.auth import hash_password

    for name, address in users:
        secret = files.get(name, "")
        if not secret and wanted and interview.terminal:
            question = fill_in(texts.USER_PASSWORD, name=name)
            secret = interview.secret(question, option="--user-password-file", empty=True, new=True)
        yield UserAnswer(name=name, address=address, password_hash=hash_password(secret) if secret else None)
