"""Each command that a text of ours names exists, with the options that it names: advice that can't be followed is none.

All texts of the package are read, as they stand in its source: rows of answers, findings, notices, errors, help; and
all pages, line by line.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import relay
from relay.cli import main

ROOT = Path(relay.__file__).parent
SOURCE = ROOT.parent
MISTAKES = SOURCE / "docs" / "mistakes.md"
"""It shows wrong commands, with what is said of them."""
CONTEXT = click.Context(main)
_NAMED = re.compile(rf"\brelay ((?:{'|'.join(main.list_commands(CONTEXT))})\b[^\"“”„`;,.()|]*)")
_WORD = re.compile(r"[a-z][a-z-]*")
_OPTION = re.compile(r"--[a-z0-9][a-z0-9-]*")


def texts(tree: ast.AST) -> Iterator[str]:
    """Give the texts of a module; what is filled in becomes an X."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def faults(text: str) -> Iterator[str]:
    """Give what is wrong with the commands that a text names."""
    for found in _NAMED.finditer(re.sub(r"\{[a-z_]*\}", "X", " ".join(text.split()))):
        words = found[1].split()
        command: click.Command | None = main
        while isinstance(command, click.Group) and words and _WORD.fullmatch(words[0]):
            name, group = words.pop(0), command
            command = group.get_command(click.Context(group), name)
            if command is None:
                yield f"{found[0]}: no such command: {name}"
        if command is None:
            continue
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        options = (option for word in words for option in _OPTION.findall(word.partition("=")[0]))
        yield from (f"{found[0]}: no such option: {option}" for option in options if option not in known | {"--help"})


def lines(page: str) -> Iterator[str]:
    """Give the lines of a page; one that a backslash ends goes on in the next."""
    yield from page.replace("\\\n", " ").splitlines()


def modules(room: str) -> list[Path]:
    """Return the modules of a room of the package; of the package itself those that are in none."""
    return sorted(ROOT.glob("*.py") if room == "." else (ROOT / room).rglob("*.py"))


ROOMS = [".", *sorted(one.name for one in ROOT.iterdir() if one.is_dir() and one.name[0] != "_")]


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_named_is_there(room: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {fault}"
        for path in modules(room)
        for text in texts(ast.parse(path.read_text()))
        for fault in faults(text)
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_each_module_is_read() -> None:
    assert sorted(path for room in ROOMS for path in modules(room)) == sorted(ROOT.rglob("*.py"))


def test_what_a_page_names_is_there() -> None:
    pages = {*SOURCE.glob("*.md"), *(SOURCE / "docs").rglob("*.md")} - {MISTAKES}
    assert SOURCE / "README.md" in pages
    wrong = {
        f"{page.relative_to(SOURCE)}: {fault}"
        for page in pages
        for line in lines(page.read_text())
        for fault in faults(line)
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_a_wrong_one_on_a_page_is_found_also_where_its_line_goes_on() -> None:
    page = "Then:\n\n    relay account edit sales \\\n        --pasword\n"
    assert [fault for line in lines(page) for fault in faults(line)] == [
        "relay account edit sales --pasword: no such option: --pasword"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('Give it anew: "relay account edit {account} --password".', []),
        ("„relay account edit X --smtp-username NAME --password“ fragt danach", []),
        ("see: relay queue list", []),
        ("relay acount test", []),
        ('"relay account mend sales"', ["relay account mend sales: no such command: mend"]),
        ('"relay account edit {account} --pasword"', ["relay account edit X --pasword: no such option: --pasword"]),
        ("relay status --loud", ["relay status --loud: no such option: --loud"]),
    ],
)
def test_a_wrong_one_is_found(text: str, said: list[str]) -> None:
    assert list(faults(text)) == said
