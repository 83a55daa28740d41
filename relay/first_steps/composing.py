"""Writes the configuration of answers: its tables, each with a note, and what stood in the file before beside them."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from relay.editing import EditError
from relay.editing.keys import set_key, write_table
from relay.editing.sections import Section, cut, is_comment
from relay.first_steps import notes
from relay.first_steps.answers import Answers
from relay.presets.preset import Words

OPEN_PORT: Final = 2525
LOGIN_PORT: Final = 587
_OWN: Final = frozenset({"server", "storage", "archive"})
"""Tables that are there once: what stood in them stays, with the answers."""
_SAMPLE_HOSTNAME: Final = "relay.office.example"
_SAMPLE_USER: Final = {"name": "anna", "address": "anna@example.com"}
"""What the package's file begins with, in place of whose it will be."""


def read_before(text: str) -> dict[str, Any]:
    """Return what a file says that is to be filled, without the package's samples. Raises EditError where it has more.

    The text is TOML.
    """
    document: dict[str, Any] = tomllib.loads(_plain(text))
    server = document.get("server")
    if isinstance(server, dict) and server.get("hostname") == _SAMPLE_HOSTNAME:
        document["server"] = {key: value for key, value in server.items() if key not in ("hostname", "postmaster")}
        if document.get("user") == [_SAMPLE_USER]:
            del document["user"]
    odd = [key for key in cut(_plain(text))[0].content if key != "language"]
    odd += [key for key in _OWN if not isinstance(document.get(key, {}), dict)]
    if odd:
        raise EditError(f"{odd[0]}: is written in a way that `relay init` can't fill: begin with a file that has none")
    return document


def has_account(text: str) -> bool:
    """Return whether a configuration has an account already. The text is TOML."""
    return bool(tomllib.loads(_plain(text)).get("account"))


def compose(answers: Answers, before: str = "") -> str:
    """Return the text of the file. `before`: what stood in it. Raises EditError where that can't be kept."""
    old = read_before(before)
    kept = [*_keep(cut(_plain(before)), drop=_OWN | {"account"} | ({"user"} if "user" not in old else frozenset()))]
    parts = [*_write(answers, old)]
    if kept:
        parts.append([*_note(notes.KEPT.by(answers.language)), *kept])
    text = "\n\n".join("\n".join(part) for part in parts) + "\n"
    made = tomllib.loads(text)
    lost = [key for key in old if key not in (*_OWN, "language") and not _holds(made.get(key), old[key])]
    if lost:
        raise EditError(f"{lost[0]}: can't be kept by `relay init` as it is written: change the file by hand")
    return text


def _holds(made: object, old: object) -> bool:
    """Return whether nothing of a table, or of a list of them, is missing."""
    return made == old or (isinstance(made, list) and isinstance(old, list) and all(one in made for one in old))


def _write(answers: Answers, old: Mapping[str, Any]) -> Iterator[list[str]]:
    def noted(words: Words, *lines: str, **values: str) -> list[str]:
        return [*_note(words.by(answers.language).format(**values)), *lines]

    def table(*path: str, **values: object) -> list[str]:
        return write_table(path, values, listed=path[0] in ("listener", "user", "account") and len(path) == 1)

    yield noted(notes.TOP)
    yield noted(notes.LANGUAGE, *set_key([], ("language",), answers.language))
    users = [*old.get("user", ()), *({"name": one.name} for one in answers.users)]
    server = {"postmaster": users[0]["name"], **old.get("server", {}), "hostname": answers.hostname}
    yield noted(notes.SERVER, *table("server", **{key: server[key] for key in ("hostname", *server)}))
    storage = {**({"folder": answers.storage} if answers.storage else {}), **old.get("storage", {})}
    if storage:
        yield noted(notes.STORAGE, *table("storage", **storage))
    for note, listener in _listeners(answers):
        yield noted(note, *table("listener", **listener))
    for n, user in enumerate(answers.users):
        values = {"name": user.name, "address": user.address}
        values |= {} if user.password_hash is None else {"password_hash": user.password_hash}
        yield noted(notes.USER, *table("user", **values)) if n == 0 else table("user", **values)
    account = answers.account
    values = {"name": account.name, "address": account.address, "owner": account.owner}
    values |= {} if account.display_name is None else {"display_name": account.display_name}
    values |= {} if account.preset is None else {"preset": account.preset}
    lines = noted(notes.ACCOUNT, *table("account", **values))
    if account.oauth is not None:
        lines += noted(notes.OAUTH, *table("account", "oauth", **account.oauth), name=account.name)
    lines += table("account", "smtp", **account.sending)
    if account.collecting is not None:
        lines += noted(notes.POP3, *table("account", "pop3", **account.collecting))
    yield lines
    archive = {**old.get("archive", {}), **({"bcc": [*answers.archive]} if answers.archive else {})}
    if archive:
        yield noted(notes.ARCHIVE, *table("archive", **archive))


def _listeners(answers: Answers) -> Iterator[tuple[Words, dict[str, object]]]:
    """Give the listeners: for networks one without a login, and where passwords are encrypted one with."""
    if not answers.networks:
        return
    networks = list(dict.fromkeys(("127.0.0.0/8", *answers.networks)))
    tls: dict[str, object] = {}
    if answers.certificate is not None:
        tls = {
            "tls": "starttls",
            "certificate": answers.certificate.certificate,
            "private_key": answers.certificate.private_key,
        }
    everywhere = "::" if any(":" in one for one in networks) else "0.0.0.0"  # noqa: S104 - the office is to reach it
    yield notes.OPEN, {"host": everywhere, "port": OPEN_PORT, "networks": networks, **tls}
    if tls and any(user.password_hash is not None for user in answers.users):
        login = {"host": everywhere, "port": LOGIN_PORT, "networks": networks, **tls, "require_auth": True}
        yield notes.LOGIN, login


def _keep(sections: Sequence[Section], *, drop: frozenset[str]) -> Iterator[str]:
    """Give the lines of all tables but some, with the comments directly above and behind them."""
    above: list[str] = []
    first = True
    for section in sections:
        if section.path and section.path[0] not in drop:
            yield from [] if first else [""]
            yield from above
            yield from section.lines[: section.end]
            first = False
        above = []
        for line in reversed(section.lines[section.end :]):
            if not is_comment(line):
                break
            above.insert(0, line)


def _note(text: str) -> list[str]:
    return [f"# {line}" for line in text.split("\n")]


def _plain(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n")
