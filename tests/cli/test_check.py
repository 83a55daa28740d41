from pathlib import Path

from tests.cli.conftest import Run


def test_a_good_configuration_is_summed_up(run: Run) -> None:
    said = run("check")
    assert said.status == 0
    assert "good: 3 accounts, 1 users" in said.out
    assert run("check", "--json").json["accounts"] == 3


def test_warnings_are_shown_and_end_with_0(run: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("anna@example.com", "anna@office.local", 1))
    said = run("check")
    assert said.status == 0
    assert "office.local" in said.out
