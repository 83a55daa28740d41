"""What the quarantine refuses, with the nearest that there is; what is no mail of ours there; what the log says."""

import json
from pathlib import Path

import pytest

from relay.settings import load_settings
from tests.cli.conftest import Run
from tests.cli.test_poll import mailbox
from tests.cli.test_quarantine import angebot, held, inbox
from tests.peers.relay_process import ANNA

__all__ = ["inbox", "mailbox"]


def test_who_and_what_is_unknown_is_refused_with_the_nearest(run: Run, inbox: Path) -> None:
    one = angebot(run)
    said = run("quarantine", "deliver", one["queue_id"], "--to", "ana")
    assert (said.status, said.err) == (1, "there is no user 'ana'; did you mean 'anna'? there are: anna, bert\n")
    wrong = one["queue_id"][:-1] + "z"
    said = run("quarantine", "show", wrong)
    assert said.status == 1
    assert f"has the id {wrong!r}; did you mean {one['queue_id']}? (`relay quarantine list`" in said.err
    assert run("quarantine", "deliver", "--to", "anna").status == 2
    assert run("quarantine", "deliver", one["queue_id"], "--all", "--to", "anna").status == 2
    assert run("quarantine", "deliver", one["queue_id"]).status == 2
    assert "is the beginning of 2 ids" in run("quarantine", "show", one["queue_id"][:4]).err
    assert inbox.is_file()


def test_files_without_a_row_and_rows_without_a_file(run: Run, inbox: Path, config: Path) -> None:
    one = angebot(run)
    Path(one["file"]).unlink()
    old = config.parent / "quarantine/new/Pold"
    old.write_bytes(b"Delivered-To: a.schmidt@example.com\nSubject: old\n\nx\n")
    stray = old.with_name("stray")
    stray.write_bytes(b"Subject: stray\n\nx\n")
    said = run("quarantine", "list").out
    assert f"{one['queue_id']}: its file is not there" in said
    assert "Nobody knows any more for whom the rest is" in said
    found = {entry["subject"]: entry for entry in held(run)}
    assert (found["old"]["user"], found["stray"]["user"]) == ("anna", None)
    for name in ("Pold", found["stray"]["queue_id"]):
        assert run("trace", name).status == 0
    assert "is not there" in run("quarantine", "deliver", one["queue_id"], "--to", "bert").err
    inbox.unlink()
    assert run("quarantine", "deliver", "Pold", "--to", "anna").status == 0
    assert [path.read_bytes() for path in (inbox / "new").iterdir()] == [
        b"Delivered-To: a.schmidt@example.com\nSubject: old\n\nx\n"
    ]
    assert "nobody knows whom" in run("quarantine", "show", "stray").out
    assert run("quarantine", "delete", one["queue_id"], "stray", "--yes").status == 0
    assert [left["subject"] for left in held(run)] == ["second"]


def test_the_deeds_are_logged_with_who_did_them(
    run: Run, inbox: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "otto")
    config.write_text(config.read_text() + '\n[log]\nfile = "relay.log"\n')
    assert load_settings(config).log.file is not None
    one = angebot(run)
    (other,) = (entry["queue_id"] for entry in held(run) if entry["queue_id"] != one["queue_id"])
    run("quarantine", "deliver", one["queue_id"], "--to", "bert")
    run("quarantine", "delete", other, "--yes")
    lines = [json.loads(line) for line in (config.parent / "relay.log").read_text().splitlines()]
    delivered, deleted = (line for line in lines if line["event"].startswith("quarantine_"))
    assert (delivered["event"], delivered["queue_id"], delivered["user"]) == (
        "quarantine_delivered",
        one["queue_id"],
        "bert",
    )
    assert (deleted["event"], deleted["queue_id"], deleted["user"]) == ("quarantine_deleted", other, "anna")
    assert {delivered["by"], deleted["by"]} == {"otto"}
    assert "Angebot" not in str(lines)
    assert "from the quarantine by otto" in run("trace", one["queue_id"]).out
    assert inbox.is_file()
    assert ANNA["name"] == "anna"
