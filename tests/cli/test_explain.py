from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.peers.relay_process import make_account, write_config


def test_rule_account_and_blind_copy_are_told(run: Run) -> None:
    said = run("explain", "--from", "sales@example.com", "--json").json
    assert (said["sent"], said["rule"], said["account"]) == (True, "1a", "sales")
    assert said["blind_copy"] == ["central@example.com"]
    assert said["changes"] == []
    text = run("explain", "--from", "sales@example.com").out
    assert "would be sent" in text
    assert "1. " in text


def test_a_rewrite_is_told(run: Run) -> None:
    said = run("explain", "--user", "anna", "--from", "anna@example.com", "--json").json
    assert (said["rule"], said["sender_before"], said["sender_after"]) == ("3", "anna@example.com", "sales@example.com")
    assert any(change.startswith("From: ") for change in said["changes"])


def test_a_refusal_is_told_and_is_no_failure_of_the_command(run: Run) -> None:
    said = run("explain", "--from", "old@example.com")
    assert said.status == 0
    assert "refused: 550 5.7.1" in said.out


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_message_is_read_as_a_session_would(run: Run, tmp_path: Path, end: bytes) -> None:
    message = tmp_path / "mail.eml"
    message.write_bytes(
        end.join([b"From: Sales <sales@example.com>", b"To: x@y.example", b"", b"From: old@example.com"])
    )
    assert run("explain", str(message), "--json").json["account"] == "sales"


def test_recipients_are_told_and_those_that_are_refused(run: Run) -> None:
    asked = ["--from", "sales@example.com", "--to", "PostMaster", "--to", "anna", "--to", "ANNA@example.com"]
    said = run("explain", *asked, "--json").json
    assert (said["sent"], said["recipients"]) == (True, ["anna@example.com"])
    refused = {"recipient": "anna", "reply": "550 5.1.3 The recipient's address has no domain"}
    assert said["refused_recipients"] == [refused]
    text = run("explain", *asked).out
    assert f"Refused          anna: {refused['reply']}\n" in text
    assert "would be sent" in text


def test_without_any_recipient_the_rules_are_not_asked(run: Run) -> None:
    said = run("explain", "--user", "anna", "--to", "x", "--to", "a b@c.example", "--json").json
    assert (said["sent"], said["user"], said["identity"], said["rule"]) == (False, "anna", None, None)
    assert said["reply"] == "550 5.1.3 The recipient's address has no domain"
    assert len(said["refused_recipients"]) == 2


def test_a_mail_with_the_null_sender_keeps_it_and_has_no_blind_copy(run: Run) -> None:
    said = run("explain", "--from", "sales@example.com", "--null-sender", "--json").json
    assert (said["sent"], said["envelope_sender"], said["blind_copy"]) == (True, "<>", [])


def test_a_device_is_asked_about_by_its_name(run: Run, tmp_path: Path) -> None:
    devices: Any = [
        {"name": "scanner", "networks": ["192.0.2.40/32"], "user": "anna"},
        {"name": "floor", "networks": ["192.0.2.40/31"], "user": "anna"},
        {"name": "hidden", "networks": ["192.0.2.40/32"], "user": "anna"},
    ]
    config = write_config(
        tmp_path, accounts=[make_account("sales", 9)], listener={"networks": ["192.0.2.0/24"]}, device=devices
    )
    for name in ("scanner", "floor"):
        said = run("explain", "--device", name, "--json", config_file=config).json
        assert (said["sent"], said["identity"], said["user"]) == (True, "device", "anna")
        assert repr(name) in said["why"][0]
    said = run("explain", "--device", "hidden", config_file=config)
    assert (said.status, "devices before it" in said.err) == (2, True)
    said = run("explain", "--device", "printer", config_file=config)
    assert (said.status, "scanner, floor, hidden" in said.err) == (2, True)
    assert run("explain", "--ip", "192.0.3.1", "--json", config_file=config).json["reply"].startswith("554 5.7.1 ")
    assert run("explain", "--json", config_file=config).json["sent"]


def test_who_is_unknown_is_refused_with_the_nearest(run: Run, config: Path) -> None:
    device = '\n[[device]]\nname = "Scanner"\nnetworks = ["192.0.2.7"]\nuser = "anna"\n'
    config.write_text(config.read_text() + device)
    said = run("explain", "--user", "ana")
    assert (said.status, "there is no user 'ana'; did you mean 'anna'? there are: anna" in said.err) == (2, True)
    said = run("explain", "--device", "scaner")
    assert (said.status, "no device 'scaner'; did you mean 'Scanner'? there are: Scanner" in said.err) == (2, True)
    said = run("explain", "--incoming", __file__, "--account", "sales")
    assert (said.status, "there is no account with a mailbox 'sales'; there are: none" in said.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--user", "nobody"),
        ("--ip", "x"),
        ("--to", "a\r\nb@c.example"),
        ("--listener", "9"),
        ("--from", "a@b.c", __file__),
        ("--ip", "192.0.2.1", "--device", "x"),
        ("--device", "x"),
    ],
)
def test_wrong_usage_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    said = run("explain", *arguments)
    assert said.status == 2
    assert "Error" in said.err


def test_a_queue_id_in_place_of_a_file_is_recognised(run: Run) -> None:
    queue_id = "01m8ejq2a1fmea6ddg9fgrjxpm"
    said = run("explain", queue_id)
    assert said.status == 2
    assert f"That is a queue id: relay trace {queue_id}" in " ".join(said.err.split())
    assert "queue id" not in run("explain", "no-such.eml").err
