"""The manual pages: one for each command, saying what `--help` says, in a form that groff shows as it is."""

import re
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from debian.pages import escape, make_pages
from relay.cli import main
from tests.peers.machine import require_program


def test_each_command_has_a_page_and_each_option_of_its_help_stands_there() -> None:
    pages = make_pages()
    assert {"relay.1", "relay-serve.1", "relay-queue.1", "relay-queue-list.1", "relay-account-test.1"} <= {*pages}
    for name, page in pages.items():
        command = name.removesuffix(".1").split("-")[1:]
        help_ = CliRunner().invoke(main, [*_words(command), "--help"]).output
        options = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", help_, re.MULTILINE)
        assert "--help" in options
        for option in options:
            assert escape(option) in page, (name, option)


def _words(parts: list[str]) -> list[str]:
    """Give the words of a command whose own names have hyphens, too: dovecot-config is one."""
    words: list[str] = []
    group: click.Command = main
    while parts:
        assert isinstance(group, click.Group)
        context = click.Context(group)
        length = next(n for n in range(1, len(parts) + 1) if group.get_command(context, "-".join(parts[:n])))
        words.append("-".join(parts[:length]))
        found = group.get_command(context, words[-1])
        assert found is not None
        group, parts = found, parts[length:]
    return words


def test_what_is_hidden_stays_hidden() -> None:
    assert "condition" not in make_pages()["relay-serve.1"]


def test_nothing_in_a_text_is_a_command_of_groff() -> None:
    assert escape(".so /etc/passwd\n'tis a \\fBback-slash") == "\\&.so /etc/passwd\n\\&'tis a \\efBback\\-slash"
    for name, page in make_pages().items():
        for line in page.split("\n"):
            assert re.match(r"\.(?:TH|SH|TP|PP|B|BR|I|IR|nf|fi)(?: |$)|[^.']|$", line), (name, line)


@pytest.mark.peer
def test_groff_has_nothing_to_complain_of(tmp_path: Path) -> None:
    groff = require_program("groff", package="groff-base")
    for name, page in make_pages().items():
        (tmp_path / name).write_text(page, encoding="utf-8")
    files = sorted(map(str, tmp_path.iterdir()))
    said = subprocess.run(
        [groff, "-man", "-Tutf8", "-ww", "-z", "-Kutf8", *files], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")
