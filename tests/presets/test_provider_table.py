import datetime as dt
import re
import shlex
from pathlib import Path

import click
import pytest

from relay.cli import main
from relay.rules.passwords_end import ENDS
from tests.presets.provider_table import DOCUMENT, write_document


def test_the_page_is_what_the_files_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == write_document(), "run python -m tests.presets.provider_table"


PAGES = sorted(DOCUMENT.parent.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_command_of_a_page_is_one(page: Path) -> None:
    said = re.findall(r"`sudo relay ([^`]+)`", page.read_text(encoding="utf-8"))
    assert any(command.startswith("account add ") for command in said)
    for command in said:
        words = shlex.split(command)
        group: click.Command = main
        while isinstance(group, click.Group):
            found = group.get_command(click.Context(group), words[0])
            assert found is not None, command
            group, words = found, words[1:]
        group.make_context("relay", words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_ten_steps_at_most_and_says_what_nobody_has_tried(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert max(map(int, re.findall(r"^([0-9]+)\. ", text, re.MULTILINE))) <= 10
    assert re.search("[Nn]ot (?:been )?tried with a real", text)


def test_microsofts_dates_are_those_of_its_announcement() -> None:
    text = (DOCUMENT.parent / "microsoft365.md").read_text(encoding="utf-8")
    for words in ("end of December 2026", "second half of 2027", "Authenticated SMTP", "Allow public client flows"):
        assert words in text
    assert f"{dt.datetime.fromtimestamp(ENDS / 1000, dt.UTC):%B %Y}" == "December 2026"
