"""A report says what there is and what could not be had, of the last events alone, and no mistyped secret."""

import json
import os
from pathlib import Path

import pytest

from relay.admin import report
from relay.admin.report import gather, write
from relay.settings import load_settings


def test_only_the_last_events_are_taken(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(config.read_text() + '\n[log]\nfile = "relay.log"\n')
    lines = [json.dumps({"event": "poll_finished", "n": n}) for n in range(report.EVENTS + 7)]
    (config.parent / "relay.log").write_text("\n".join(lines))
    settings = load_settings(config)
    found = gather(settings, config.read_bytes(), now=0)["events"]
    assert [one["n"] for one in found] == list(range(7, report.EVENTS + 7))
    monkeypatch.setattr(report, "_TAIL", 100)
    assert len(gather(settings, config.read_bytes(), now=0)["events"]) < 4


@pytest.mark.parametrize(
    ("log", "words"), [("", "journalctl"), ('file = "none.log"', "No such file"), ('file = "pipe"', "is no plain file")]
)
def test_where_the_log_is_or_why_not_is_said(config: Path, log: str, words: str) -> None:
    os.mkfifo(config.parent / "pipe")
    config.write_text(f"{config.read_text()}\n[log]\n{log}\n")
    settings = load_settings(config)
    found = gather(settings, config.read_bytes(), now=0)
    assert found["events"] == []
    assert words in found["log"]


def test_a_key_that_is_mistyped_is_no_reason_to_tell_a_password(config: Path) -> None:
    settings = load_settings(config)
    written = config.read_bytes() + b'\n[x]\npasswrod = "a"\npasswort = "mistyped-secret"\npassword_file = "f"\nn = 1\n'
    found = gather(settings, written, now=0)["configuration"]["x"]
    assert found == {"passwrod": "***", "passwort": "***", "password_file": "f", "n": 1}
    assert isinstance(gather(settings, b"\xff", now=0)["configuration"], str)


def test_it_is_a_text_for_every_terminal() -> None:
    assert write({"a": "\u202e\x1bä"}).isascii()
