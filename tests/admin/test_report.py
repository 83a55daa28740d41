"""A report says what there is and what could not be had, of the last events alone, and no mistyped secret."""

import json
import os
from pathlib import Path

import pytest

from relay import places
from relay.admin import report
from relay.admin.report import gather, read_journal, write
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


def test_without_a_file_the_events_come_from_the_journal(config: Path) -> None:
    settings = load_settings(config)
    journal = b'{"event": "poll_finished", "account": "anna", "subject": "mine"}\nStarted relay.service.\n'
    found = gather(settings, config.read_bytes(), now=0, journal=journal)
    assert found["events"] == [{"event": "poll_finished", "account": "anna"}]
    assert "journalctl" in found["log"]


def test_the_journal_is_that_of_the_unit_alone(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(config)
    program = tmp_path / "journalctl"
    program.write_text('#!/bin/sh\necho \'{"event": "x"}\'\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_journal(settings) is None
    monkeypatch.setattr(places, "PLACES", (settings.path,))
    assert read_journal(settings) == b'{"event": "x"}\n'
    program.write_text("#!/bin/sh\nexit 1\n")
    assert read_journal(settings) is None
    program.unlink()
    assert read_journal(settings) is None
    config.write_text(config.read_text() + '\n[log]\nfile = "relay.log"\n')
    assert read_journal(load_settings(config)) is None


@pytest.mark.parametrize(
    ("log", "words"),
    [("", "journalctl"), ('file = "none.log"', "is not there yet"), ('file = "pipe"', "is no plain file")],
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


def test_a_secret_in_a_file_or_a_variable_is_hidden_too(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(config)
    (config.parent / "of-the-file").write_text("in-a-file\nnext\n")
    (config.parent / "of-the-app").write_text("of-an-app")
    os.mkfifo(config.parent / "pipe")
    monkeypatch.setenv("OF_THE_ENVIRONMENT", "in-a-variable")
    keys = (
        'password_file = "of-the-file"\nclient_secret_file = "%s"\npassword_env = "OF_THE_ENVIRONMENT"\n'
        'token_env = "NOT_SET"\nwebhook_file = "none"\nsecret_file = "pipe"\nheartbeat_url_file = "a\\u0000b"\n'
    )
    written = f"{config.read_text()}\n[x]\n{keys % (config.parent / 'of-the-app')}"
    words = ("in-a-file", "of-an-app", "in-a-variable")
    journal = json.dumps({"event": "x", "error": f"said: {' '.join(words)}"}).encode()
    found = gather(settings, written.encode(), now=0, journal=journal)
    assert found["events"][0]["error"] == "said: *** *** ***"
    assert found["configuration"]["x"]["password_file"] == "of-the-file"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://127.0.0.1/db?user=relay&password=open%20Sesame&sslpassword=hunter2",
        "postgresql://relay:open%20Sesame@127.0.0.1/db?sslpassword=hunter2",
    ],
)
def test_of_a_database_its_place_alone_is_told_and_its_password_nowhere(config: Path, url: str) -> None:
    settings = load_settings(config)
    written = f"{config.read_text()}\n[storage]\ndatabase = '{url}'\n"
    journal = json.dumps({"event": "x", "error": f"{url} failed: 'open Sesame', hunter2"}).encode()
    found = gather(settings, written.encode(), now=0, journal=journal)
    assert found["configuration"]["storage"]["database"] == "postgresql://127.0.0.1/db"
    text = write(found).decode()
    for word in ("open%20Sesame", "open Sesame", "hunter2"):
        assert word not in text


def test_it_is_a_text_for_every_terminal() -> None:
    assert write({"a": "\u202e\x1bä"}).isascii()
