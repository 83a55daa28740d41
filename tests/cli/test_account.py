import re
from pathlib import Path

from tests.cli.conftest import Run, runs_both_ways


def test_the_accounts_are_listed_in_the_order_of_the_rules(run: Run) -> None:
    rows = run("account", "list", "--json").json
    assert [(row["name"], row["state"]) for row in rows] == [
        ("sales", "not tried yet"), ("old", "excluded"), ("inbox", "only receives"),
    ]  # fmt: skip
    said = run("account", "list")
    assert "127.0.0.1:9" in said.out
    assert said.err.startswith("The service is not running")


@runs_both_ways
def test_without_an_account_it_says_what_to_do(run: Run, config: Path) -> None:
    config.write_text(config.read_text().partition("[[account]]")[0])
    said = run("account", "list")
    assert said.out == f"There is no account yet: relay account add NAME --address ADDRESS puts one into {config}\n"
    assert run("account", "list", "--json").json == []


def test_before_anything_has_run_they_are_listed_as_the_configuration_has_them(run: Run, config: Path) -> None:
    (config.parent / "relay.db").unlink()
    said = run("account", "list")
    assert said.status == 0
    assert [line.split("  ")[0] for line in said.out.splitlines()] == ["Account", "sales", "old", "inbox"]
    assert "not tried yet" in said.out
    assert said.err.startswith("The service has not run here yet, so that only relay.toml is known")
    assert [row["name"] for row in run("account", "list", "--json").json] == ["sales", "old", "inbox"]
    assert not (config.parent / "relay.db").exists()
    assert run("queue", "list").status == 1, "what asks for more is refused as before"
    config.write_text(config.read_text() + '\n[storage]\nfolder = "not/made"\n')
    again = run("account", "list")
    assert (again.status, again.out) == (0, said.out)
    assert again.err.startswith("The service has not run here yet")
    assert "No such file or directory" in run("queue", "list").err
    database = f'database = "sqlite:///{config.parent}/no/relay.db"'
    config.write_text(config.read_text().replace('folder = "not/made"', database))
    assert run("account", "list").status == 1, "where only the database's folder is not there, something is wrong"


@runs_both_ways
def test_a_pause_is_shown_until_it_is_ended(run: Run) -> None:
    assert run("account", "pause", "sales").out == "sales is paused\n"
    row = run("account", "list", "--json").json[0]
    assert (row["state"], row["paused_by"]) == ("paused", "command")
    assert "sales: paused by a command since" in run("account", "list").out
    said = run("account", "resume", "sales")  # whether its login works nobody knows yet
    assert (said.status, said.out) == (0, "the pause of sales is over; `relay account list` says whether it works\n")
    said = run("account", "resume", "sales")
    assert (said.status, said.err) == (1, "sales is not paused; `relay account list` says how it stands\n")


@runs_both_ways
def test_an_account_that_is_not_there_is_named(run: Run) -> None:
    said = run("account", "pause", "salse")
    assert said.status == 1
    assert "there are: sales, old, inbox" in said.err


def test_a_test_says_place_cause_and_what_to_do_within_80_columns(run: Run, config: Path) -> None:
    said = run("account", "test", "sales")
    assert said.status == 1
    first, *lines = said.out.splitlines()
    assert first == 'Sending: 127.0.0.1 port 9, security = "none", account[sales].smtp'
    assert re.sub(r"[0-9.]+ s", "0 s", lines[1]) == "  FAILED connect: 127.0.0.1:9: Connection refused (0 s)"
    assert lines[2] == "         The server answers, but refuses the connection. Compare host and port"
    assert all(len(line) <= 80 for line in lines)
    assert said.err == f"sales does not work yet: mend what FAILED, in {config}, and test it again\n"
    said = run("account", "test", "sales", "--json")
    assert said.status == 1
    host, connect = said.json
    assert (host["server"], host["step"], host["good"]) == ("smtp", "find the host", True)
    assert (connect["good"], connect["text"]) == (False, "127.0.0.1:9: Connection refused")
    assert 0 <= connect["seconds"] < 20
    said = run("account", "test", "inbox")
    assert said.status == 1
    assert "neither [account.smtp] nor [account.pop3]" in said.err
