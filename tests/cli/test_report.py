"""A report can be sent to a stranger: secrets, addresses, subjects and mails are planted wherever they can be."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, hand_in
from tests.peers.relay_process import ANNA, make_account, write_config

SECRETS = ("sesame-open", "s3cr3t-of-a-file", "hunter2-noted", "web-hook-token", "pass-in-url")
PRIVATE = ("Kündigung Müller", "the text of the mail", "anna@example.com", "sales@example.com", "customer@example.net")


@pytest.fixture
def planted(config: Path, tmp_path: Path) -> None:
    """An office that has a secret, an address, a subject or a mail in each place that a report looks at."""
    (tmp_path / "password").write_text("s3cr3t-of-a-file")
    sales = make_account("sales", 9, smtp={"username": "sales@example.com", "password": "sesame-open"})
    of_file = {"username": "u", "password_file": str(tmp_path / "password")}
    old = make_account("old", 9, excluded=True, smtp=of_file)
    write_config(tmp_path, accounts=[sales, old], users=[{**ANNA, "notify": "inbox"}], log={"file": "relay.log"})
    asyncio.run(hand_in(config, ["Kündigung Müller"]))
    config.write_text(
        f"# password: hunter2-noted, of anna@example.com\n{config.read_text()}\n"
        '# webhook = "https://u:pass-in-url@alerts.example/web-hook-token"\n'
    )
    events: list[dict[str, Any]] = [
        {"event": "message_accepted", "sender_before": "anna@example.com", "recipients": ["customer@example.net"]},
        {"event": "delivery_deferred", "reply": "450 <customer@example.net>: greylisted, sesame-open"},
        {"event": "message_bounced", "reply": "554 5.7.1 Kündigung Müller looks like spam"},
        {"event": "alert_sent", "subject": "the text of the mail"},
        {"event": "activity_failed", "error": "x", "exception": "ValueError: the text of the mail"},
        {"event": "library_message", "text": "smtp://u:pass-in-url@host anna@example.com"},
    ]
    lines = ["a line for people: the text of the mail", *map(json.dumps, events), "{", "[]", '{"event": 1}']
    (tmp_path / "relay.log").write_text("\n".join(lines) + "\n")


@pytest.mark.usefixtures("planted")
def test_nothing_that_was_planted_is_in_it_and_the_rest_is(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    said = run("report", str(target), "--test")
    assert said.status == 0, said.err
    assert "Look through it before you send it" in said.out
    assert target.stat().st_mode & 0o777 == 0o600
    text = target.read_text()
    for planted_text in (*SECRETS, *PRIVATE):
        assert planted_text not in text
        assert json.dumps(planted_text)[1:-1] not in text
    found = json.loads(text)
    assert found["versions"]["relay"]
    assert found["configuration"]["account"][0]["smtp"]["password"] == "***"
    assert found["configuration"]["account"][0]["smtp"]["host"] == "127.0.0.1"
    assert found["status"]["waiting"] == 1
    assert found["database"] == "can be read"
    assert [one["event"] for one in found["events"]] == [
        *("message_accepted", "delivery_deferred", "message_bounced", "alert_sent", "activity_failed"),
        "library_message",
    ]
    assert [(one["account"], one["step"], one["good"]) for one in found["tests"]] == [
        ("sales", "find the host", True), ("sales", "connect", False),
    ]  # fmt: skip
    hashed = found["events"][0]["sender_before"]
    assert hashed.startswith("address-")
    assert hashed in found["events"][5]["text"]  # one can still follow it


@pytest.mark.usefixtures("planted")
def test_nobody_is_asked_and_nothing_is_written_over(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    assert run("report", str(target)).status == 0
    assert json.loads(target.read_text())["tests"] is None
    said = run("report", str(target))
    assert (said.status, said.err) == (1, f"{target} is there already: remove it, or name another one\n")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    assert run("report", str(link)).status == 1
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.usefixtures("config")
def test_a_report_that_fails_leaves_no_file(run: Run, tmp_path: Path) -> None:
    write_config(tmp_path, accounts=[], users=[ANNA])
    said = run("report", str(tmp_path / "report.json"), "--test")
    assert said.status == 1
    assert not (tmp_path / "report.json").exists()


def test_why_there_is_no_event_is_said(run: Run, config: Path, tmp_path: Path) -> None:
    said = run("report", str(tmp_path / "one.json"))
    assert said.status == 0, said.err
    assert "Why there is no event: standard output, and the journal of systemd can't be read here" in said.out
    write_config(tmp_path, accounts=[make_account("sales", 9)], users=[ANNA], log={"file": "none.log"})
    said = run("report", str(tmp_path / "two.json"))
    assert f"Why there is no event: {tmp_path}/none.log: is not there yet" in said.out
    (tmp_path / "none.log").write_text("a line for people\n")
    said = run("report", str(tmp_path / "three.json"))
    assert "has no event yet, or is not JSON" in said.out
    assert config.exists()


@pytest.mark.usefixtures("config")
def test_a_report_into_a_folder_that_is_not_there_says_what_to_do(run: Run, tmp_path: Path) -> None:
    said = run("report", str(tmp_path / "nope" / "x.json"))
    assert (said.status, said.err) == (
        1, f"there is no folder {tmp_path}/nope: name a file in a folder that you may write into\n",
    )  # fmt: skip
