"""`relay quarantine`: whatever is there can be seen, given to somebody, or deleted; and `relay trace` tells its way."""

from pathlib import Path
from typing import Any

import pytest

from relay.demo.provider import Mailbox
from tests.cli.conftest import Run
from tests.cli.test_poll import mailbox

pytestmark = pytest.mark.usefixtures("both_ways")

__all__ = ["mailbox"]

BERT = '\n[[user]]\nname = "bert"\naddress = "bert@example.com"\n'
HEADER = (
    b"From: =?utf-8?q?M=C3=BCller?= <m@kunde.example>\r\nTo: sales@example.com\r\n"
    b"Subject: Angebot\x1b[31m 4711\r\nMessage-ID: <4711@kunde.example>\r\n\r\n"
)


@pytest.fixture
def inbox(config: Path, mailbox: Mailbox, run: Run) -> Path:
    """The inbox of anna, in whose way something stood while two mails were collected."""
    config.write_text(config.read_text() + BERT)
    inbox = config.parent / "inboxes/anna"
    inbox.parent.mkdir()
    inbox.write_text("in the way")
    mailbox.mails = [HEADER + b"one\r\n", b"Subject: second\r\n\r\ntwo\r\n"]
    said = run("poll", "sales")
    assert said.status == 0
    first, reason, advice, ids = said.out.splitlines()
    assert first.startswith("sales: 2 fetched, 2 of them put into the quarantine, 2 deleted on the server, in ")
    assert reason == f"  The inbox of anna can't be used: {inbox}: Not a directory"
    assert advice == "  `relay quarantine list` shows what is there, and what mends it"
    assert ids.startswith("  `relay trace ID` tells more: ")
    return inbox


def held(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("quarantine", "list", "--json").json
    return found


def angebot(run: Run) -> dict[str, Any]:
    (found,) = (one for one in held(run) if one["message_id"] == "<4711@kunde.example>")
    return found


def test_an_empty_quarantine_says_so(run: Run) -> None:
    assert run("quarantine", "list").out == "The quarantine is empty.\n"
    assert held(run) == []
    said = run("quarantine", "show", "01abcdef")
    assert (said.status, said.err) == (1, "no mail in the quarantine has the id '01abcdef' (it is empty)\n")


def test_what_is_there_is_listed_with_what_mends_it(
    run: Run, inbox: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = run("quarantine", "list")
    header, *rows = said.out.splitlines()[:3]
    assert header.split() == ["Id", "Came", "For", "From", "Subject"]
    assert all(len(row) <= 80 for row in rows)
    assert {row[:26] for row in rows} == {one["queue_id"] for one in held(run)}
    assert f"2 mails for anna, whose inbox still can't be used: {inbox}: it is no folder. Put it aside: mv" in said.out
    assert "\x1b" not in said.out
    one = angebot(run)
    assert one["reason"] == f"inbox {inbox}: Not a directory"
    assert (one["user"], one["address"], one["account"]) == ("anna", "anna@example.com", "sales")
    assert (one["sender"], one["note"]) == ("Müller <m@kunde.example>", None)
    assert Path(one["file"]).parent == tmp_path / "quarantine/new"
    inbox.unlink()
    assert (
        "2 mails for anna, whose inbox can be used by now: `relay quarantine deliver --all --to anna`."
        in run("quarantine", "list").out
    )


def test_one_is_shown_with_its_way_out(run: Run, inbox: Path) -> None:
    one = angebot(run)
    said = run("quarantine", "show", one["queue_id"])
    for text in ("Müller <m@kunde.example>", "anna (anna@example.com)", one["file"], "The mailbox of 'sales' belongs"):
        assert text in said.out
    assert f"relay quarantine deliver {one['queue_id']} --to anna" in said.out
    assert run("quarantine", "show", one["queue_id"].upper(), "--json").json == one
    assert inbox.is_file()


def test_accounts_are_listed_with_what_lies_there(run: Run, inbox: Path) -> None:
    assert inbox.is_file()
    assert [one["quarantined"] for one in run("account", "list", "--json").json if one["name"] == "sales"] == [2]
    said = " ".join(run("account", "list").out.split())
    assert "sales: 2 collected mails could not be put into an inbox, and lie in the quarantine. See: relay" in said


def test_delivered_once_the_inbox_is_mended_or_to_somebody_else(run: Run, inbox: Path) -> None:
    one = angebot(run)
    said = run("quarantine", "deliver", one["queue_id"], "--to", "anna")
    assert said.status == 1
    assert (
        f"{one['queue_id']} stays in the quarantine: the inbox of anna still can't be used: {inbox}: it is no folder"
        in (said.err)
    )
    said = run("quarantine", "deliver", one["queue_id"], "--to", "bert")
    assert said.out.startswith(f"{one['queue_id']} stands in the inbox of bert: {inbox.parent}/bert/new/")
    (file,) = (inbox.parent / "bert/new").iterdir()
    assert file.read_bytes().startswith(b"Delivered-To: bert@example.com\nDelivered-To: anna@example.com\nFrom: ")
    inbox.unlink()
    said = run("quarantine", "deliver", "--all", "--to", "anna")
    assert (said.status, len(list((inbox / "new").iterdir()))) == (0, 1)
    assert held(run) == []
    said = run("quarantine", "deliver", one["queue_id"], "--to", "anna")
    assert said.status == 1
    assert f"{one['queue_id']} is not in the quarantine: it was put into the inbox of bert" in said.err
    assert one["queue_id"] in run("trace", Path(one["file"]).name).out  # as the log named it when it came
    assert (
        "nothing in the quarantine is for bert (0 mails in all)"
        in run("quarantine", "deliver", "--all", "--to", "bert").err
    )


def test_deleted_for_good_after_a_look_at_it(run: Run, inbox: Path) -> None:
    one = angebot(run)
    said = run("quarantine", "delete", one["queue_id"])
    assert said.status == 2
    assert "Müller <m@kunde.example>" in said.out
    assert "Delete this mail for good: add --yes" in said.err
    assert len(held(run)) == 2
    assert run("quarantine", "delete", one["queue_id"], "--yes").out == f"{one['queue_id']} is deleted.\n"
    assert not Path(one["file"]).exists()
    assert [left["subject"] for left in held(run)] == ["second"]
    assert "deleted from the quarantine" in run("trace", one["queue_id"]).out
    assert "it was deleted" in run("quarantine", "show", one["queue_id"]).err
    assert inbox.is_file()
