import json
import logging
import re
from collections.abc import Generator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from relay import logs


@pytest.fixture(autouse=True)
def _logging_as_before() -> Generator[None]:
    handlers = logging.getLogger().handlers
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return tmp_path / "relay.log"


def read(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_one_json_object_a_line_with_the_fixed_keys_first(lines: Path) -> None:
    logs.configure(file=lines)
    structlog.get_logger().info("message_accepted", size=3, queue_id="q", recipients=["a@b.example"])
    (text,) = lines.read_text().splitlines()
    assert list(json.loads(text)) == ["timestamp", "level", "event", "queue_id", "size", "recipients"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(read(lines)[0]["timestamp"]))


def test_secrets_are_redacted_at_every_depth(lines: Path) -> None:
    logs.configure(file=lines)
    structlog.get_logger().info("x", password="hunter2", data={"api_token": "hunter2", "n": ["ok"]})
    assert "hunter2" not in lines.read_text()


@given(text=st.text())
def test_no_control_or_invisible_character_gets_out(text: str) -> None:
    event = logs.make_harmless(None, "info", {"event": "x", "reply": text, "list": [text]})
    line = logs.render_json(None, "info", event)
    assert "\n" not in line
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u2028\ud800-\udfff]", line)
    assert json.loads(line)["event"] == "x"


def test_the_console_form_shows_the_same_fields(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(form="console")
    structlog.get_logger().warning("message_rejected", reason="excluded", reply="550 no\x1b[31m")
    out = capfd.readouterr().out
    assert re.match(r"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}Z warning ", out)  # the date, too
    assert "message_rejected" in out
    assert "reason=excluded" in out
    assert "\x1b[31m" not in out


@pytest.mark.parametrize("value", ["a@b reason=ok", "a@b\u2003\u2003reason=ok", "reason=ok", 'say "a"', "ä", ""])
def test_in_the_console_form_no_value_looks_like_another_field(capfd: pytest.CaptureFixture[str], value: str) -> None:
    logs.configure(form="console")
    structlog.get_logger().warning("message_rejected", reply=value, recipients=["a@b.example", value])
    out = capfd.readouterr().out
    quoted = json.dumps(value, ensure_ascii=False)
    assert out.endswith(f" reply={quoted}  recipients=a@b.example,{quoted}\n")


def test_a_level_below_is_not_written(lines: Path) -> None:
    logs.configure(file=lines, level="warning")
    structlog.get_logger().info("x")
    structlog.get_logger().warning("y")
    assert [line["event"] for line in read(lines)] == ["y"]


def test_an_exception_is_one_field(lines: Path) -> None:
    logs.configure(file=lines)
    try:
        int("odd\x1b")
    except ValueError:
        structlog.get_logger().exception("activity_failed")
    (line,) = read(lines)
    assert str(line["exception"]).endswith("ValueError: invalid literal for int() with base 10: 'odd\\x1b'")


def test_no_line_of_an_exception_looks_like_one_of_the_log_to_people(lines: Path) -> None:
    logs.configure(form="console", file=lines)
    forged = "07:41:03 info    message_accepted     queue_id=1"
    error = ValueError(f"odd\n{forged}\r{forged}\n\n{forged}")
    structlog.get_logger().error("activity_failed", exc_info=error)
    first, *rest = lines.read_text().splitlines()
    assert " activity_failed" in first
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_libraries_log_through_us(lines: Path) -> None:
    logs.configure(file=lines)
    logging.getLogger("asyncio").warning("socket %s", "odd")
    (line,) = read(lines)
    assert (line["event"], line["logger"], line["message"]) == ("library_message", "asyncio", "socket odd")


def test_the_file_is_reopened_after_a_rotation(lines: Path) -> None:
    sink = logs.configure(file=lines)
    structlog.get_logger().info("before")
    lines.rename(lines.with_suffix(".1"))
    sink.reopen(lines)
    structlog.get_logger().info("after")
    assert [line["event"] for line in read(lines)] == ["after"]


def test_a_full_disk_does_not_stop_the_program() -> None:
    logs.configure(file=Path("/dev/full"))
    structlog.get_logger().info("x")
