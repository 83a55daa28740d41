"""Odd arguments: a clear line and status 1 or 2, never a traceback."""

import pytest

from tests.cli.conftest import Run

ODD = ["x" * 5000, "\udcff@x", "<\udcff>", "a\x1b[31mb", "\u202eabc", "a\nb", "²²²²²²", "0" * 900, "%", "'", "*" * 900]
COMMANDS = [
    ("trace",), ("queue", "show"), ("queue", "retry"), ("queue", "hold"), ("queue", "release"),
    ("queue", "delete", "--yes"),
    ("queue", "move", "--account", "sales"), ("queue", "list", "--account"), ("queue", "list", "--user"),
    ("queue", "list", "--older"), ("queue", "list", "--state"), ("queue", "list", "--limit"),
    ("queue", "move", "--all", "--account"), ("account", "test"), ("account", "pause"), ("account", "resume"),
    ("poll",), ("account", "remove"), ("account", "edit", "--set", "excluded=true"),
    ("account", "edit", "sales", "--set"), ("account", "edit", "sales", "--unset"), ("user", "remove"),
    ("user", "password"), ("device", "remove"), ("device", "add", "--user", "anna", "--network"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_can_not_be_meant_is_refused(run: Run, queued: list[str], command: tuple[str, ...]) -> None:
    for odd in ODD:
        said = run(*command, odd)  # raises what is no SystemExit
        assert said.status in {1, 2}
        assert said.out == ""
        assert len(said.err) < 6000
    assert queued


@pytest.mark.parametrize("odd", ODD)
def test_any_pattern_may_match_nobody(run: Run, queued: list[str], odd: str) -> None:
    assert queued
    assert run("queue", "list", "--to", odd, "--json").status in {0, 2}


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (("account", "pause", "slaes"), "did you mean 'sales'?"),
        (("queue", "list", "--account", "SALES"), "did you mean 'sales'?"),
        (("queue", "hold", "--user", "ana"), "did you mean 'anna'?"),
        (("queue", "move", "--all", "--account", "sale"), "did you mean 'sales'?"),
        (("poll", "zzz"), "there is no account"),
    ],
)
def test_the_nearest_name_is_told(run: Run, queued: list[str], command: tuple[str, ...], hint: str) -> None:
    said = run(*command)
    assert (said.status, said.out) == (1, "")
    assert hint in said.err
    assert queued


def test_mail_of_an_account_that_is_gone_is_still_found(run: Run, queued: list[str]) -> None:
    rows = run("queue", "list", "--account", "sales", "--user", "anna", "--json").json
    assert [row["queue_id"] for row in rows] == queued[::-1]
