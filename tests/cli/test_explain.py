from pathlib import Path

import pytest

from tests.cli.conftest import Run


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


@pytest.mark.parametrize(
    "arguments",
    [("--user", "nobody"), ("--ip", "x"), ("--to", "x"), ("--listener", "9"), ("--from", "a@b.c", __file__)],
)
def test_wrong_usage_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    said = run("explain", *arguments)
    assert said.status == 2
    assert "Error" in said.err
