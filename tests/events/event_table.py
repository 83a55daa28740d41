"""Writes docs/logging.md: every event of the log, as its type says it.

python -m tests.events.event_table
"""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import relay.events
from relay.events.event import Event
from relay.rules.answers.reading import all_rows
from relay.rules.answers.row import ANYTHING
from relay.rules.answers.sign_in import MICROSOFT_ROWS
from relay.rules.answers.sign_in_rows import STANDARD_ROWS
from relay.rules.answers.token_rows import TOKEN_ROWS
from relay.rules.notice_english import ENGLISH
from relay.value import REQUIRED

DOCUMENT = Path(__file__).parents[2] / "docs" / "logging.md"
SUBJECTS = (
    "service",
    "backup",
    "sessions",
    "submission",
    "delivery",
    "accounts",
    "notifications",
    "mailboxes",
    "admin",
)
"""The modules of relay.events, in the order of the page."""

_INTRODUCTION = """\
# The log

One JSON object a line, to standard output or to `[log] file` (reopened on SIGHUP). Every line has `timestamp` (ISO 8601, UTC), `level` and `event`; every line about a mail has its `queue_id`, which is also in the
client's `250 2.0.0 queued as <id>` and in the Received header, so that `grep <id>` and `relay trace <id>` tell its whole life. With `format = "console"` the same fields come in a form for people.

No password, token or message text is ever logged, at any level: where a provider repeats an account's password, its words are replaced by `(withheld: the server repeats the account's password)`. Control characters, bidirectional overrides and other invisible characters are escaped, values are cut at 2,000 characters. Times in fields (`next_attempt`, `next_probe`, `until`) are written as `timestamp` is; `null` where there is none.

The tables are written by `python -m tests.events.event_table` out of `relay/events/`; a test proves that they are up to date.
Fields in brackets are absent where they do not apply.

"""  # noqa: E501 - the page's own lines


def modules() -> dict[str, ModuleType]:
    """Give the modules of relay.events that define events, by subject."""
    found = [importlib.import_module(f"relay.events.{m.name}") for m in pkgutil.iter_modules(relay.events.__path__)]
    return {m.__name__.rpartition(".")[2]: m for m in found if events_of(m)}


def events_of(module: ModuleType) -> list[type[Event]]:
    """Give the events that a module defines, in the order of the file."""
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Event)]
    return [kind for kind in kinds if kind.name and kind.__module__ == module.__name__]


def describe_fields(kind: type[Event]) -> dict[str, str]:
    """Give an event's fields, and what each says."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: _said(hints[name]) for name in kind.defaults}


def _said(hint: object) -> str:
    """Find the text of an Annotated type, which may be one of a union."""
    texts = [text for text in getattr(hint, "__metadata__", ()) if isinstance(text, str)]
    texts += [_said(part) for part in getattr(hint, "__args__", ())]
    return next((text for text in texts if text), "")


def write_document() -> str:
    """Write the whole page."""
    return _INTRODUCTION + "\n".join([*_tables(), *_fields(), *_causes()]) + "\n"


def _tables() -> Iterator[str]:
    by_subject = modules()
    for subject in SUBJECTS:
        module = by_subject[subject]
        yield f"## {(module.__doc__ or '').splitlines()[0].removesuffix('.')}\n"
        yield "| event | level | fields | when, and what to do |\n| --- | --- | --- | --- |"
        for kind in events_of(module):
            names = [name if default is REQUIRED else f"[{name}]" for name, default in kind.defaults.items()]
            yield f"| `{kind.name}` | {kind.level} | {', '.join(names)} | {' '.join((kind.__doc__ or '').split())} |"
        yield ""


def _fields() -> Iterator[str]:
    meanings: dict[str, dict[str, list[str]]] = {}
    for module in modules().values():
        for kind in events_of(module):
            for name, said in describe_fields(kind).items():
                names = meanings.setdefault(name, {}).setdefault(said, [])
                if kind.name not in names:
                    names.append(kind.name)
    yield "## What the fields say\n"
    yield "| field | says | of |\n| --- | --- | --- |"
    for name, texts in sorted(meanings.items()):
        for text, events in texts.items():
            where = "" if len(texts) == 1 else ", ".join(f"`{event}`" for event in sorted(events))
            yield f"| `{name}` | {text} | {where} |"


def _causes() -> Iterator[str]:
    """Give the words of the field `cause`: those of the rows, and of the general rows what notices say of them."""
    yield "\n## The words of `cause`\n"
    yield "| cause | what is the matter |\n| --- | --- |"
    told: dict[str, str] = {}
    for row in (*TOKEN_ROWS, *all_rows(), ANYTHING, *MICROSOFT_ROWS, *STANDARD_ROWS):
        said = ENGLISH.advice[row.advice].cause if row.english is None else row.english.what
        told.setdefault(str(row.name), said)
    for name, said in sorted(told.items()):
        yield f"| `{name}` | {said} |"


if __name__ == "__main__":
    DOCUMENT.write_text(write_document(), encoding="utf-8")
