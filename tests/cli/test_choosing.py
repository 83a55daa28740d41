"""How mails are chosen: by ids, or by a filter with a look at them first."""

import pytest

from tests.cli.conftest import Run


def test_many_are_chosen_by_what_they_have_in_common_and_shown_before(run: Run, queued: list[str]) -> None:
    said = run("queue", "hold", "--user", "anna")
    assert said.status == 2
    assert all(queue_id in said.out for queue_id in queued)
    assert "Hold these 2 mails" in said.err
    assert run("queue", "list", "--state", "held", "--json").json == []
    assert run("queue", "hold", "--older", "1 h", "--yes").out == "0 mails held\n"
    assert run("queue", "hold", "--to", "*@example.com", "--yes").out == "0 mails held\n"
    assert run("queue", "hold", "--to", "CUSTOMER@*", "--account", "sales", "--yes").out == "2 mails held\n"
    assert run("queue", "delete", "--all", "--yes", "--state", "waiting").out == "0 mails deleted\n"
    assert run("queue", "delete", "--all", "--yes").out == "2 mails deleted\n"


@pytest.mark.parametrize("command", ["retry", "hold", "release", "delete"])
def test_a_change_wants_to_know_of_what(run: Run, queued: list[str], command: str) -> None:
    assert run("queue", command).status == 2
    assert run("queue", command, "--all", queued[0], "--yes").status == 2
    assert run("queue", command, "--older", "soon").status == 2
