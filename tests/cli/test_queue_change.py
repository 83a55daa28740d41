"""The commands that change what waits."""

from pathlib import Path

from tests.cli.conftest import Run
from tests.peers.relay_process import ANNA, make_account, write_config
from tests.peers.sink import Sink


def test_held_mail_waits_until_it_is_released_or_deleted(run: Run, queued: list[str]) -> None:
    assert run("queue", "hold", *queued).out == "2 held\n"
    assert {row["state"] for row in run("queue", "list", "--json").json} == {"held"}
    said = run("queue", "delete", queued[0])
    assert said.status == 2
    assert "--yes" in said.err
    assert run("queue", "delete", "--yes", queued[0]).out == "1 deleted\n"
    assert [row["message_id"] for row in run("queue", "list", "--json").json] == queued[1:]


def test_mail_moves_to_another_account_with_its_sender(run: Run, config: Path, queued: list[str]) -> None:
    with Sink() as sink:
        accounts = [make_account("sales", 9), make_account("backup", sink.port, address="backup@example.com")]
        write_config(config.parent, accounts=accounts, users=[ANNA])
        assert run("queue", "move", queued[0], "--account", "nobody").status == 1
        assert run("queue", "move", "--from-account", "sales", "--account", "backup", "--yes").out == "2 moved\n"
        assert {row["account"] for row in run("queue", "list", "--json").json} == {"backup"}
        assert run("queue", "run").status == 0
        mails = sink.wait_for(2)
    assert {mail.reverse_path for mail in mails} == {""}
    assert all(b"From: backup@example.com" in mail.data for mail in mails)
    life = run("trace", queued[0]).out
    assert "moved: by command, to the account backup" in life
    assert life.index("moved:") < life.index("attempt 1 by backup")


def test_an_excluded_account_takes_over_nothing(run: Run, queued: list[str]) -> None:
    said = run("queue", "move", *queued, "--account", "old")
    assert said.status == 1
    assert "excluded" in said.err
    assert {row["account"] for row in run("queue", "list", "--json").json} == {"sales"}
