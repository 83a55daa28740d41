"""The structlog set-up: one JSON object a line, or a form for people; no secret and no control character gets out.

A line that can't be written (the disk is full, the pipe is closed) is dropped: the log never stops the mail.
"""

import contextlib
import functools
import json
import logging
import os
import re
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final

import structlog

from relay.escaping import printable
from relay.events.event import Event
from relay.events.service import LibraryMessage

STDOUT: Final = 1
STDERR: Final = 2
_MAX_TEXT = 2000
_PLAIN_WORD = re.compile(r"[!#-<>-~]+")
_SECRET_KEY = re.compile(r"passw|secret|token|authori[sz]ation|credential", re.IGNORECASE)
_FIRST_KEYS = ("timestamp", "level", "event", "queue_id")
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

Line = MutableMapping[str, Any]

log = structlog.get_logger()
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


class LogSink:
    """Where the lines go: a descriptor (standard output), or a file that `reopen` opens anew after a rotation."""

    def __init__(self, file: Path | None = None, *, descriptor: int = STDOUT) -> None:
        self._file = file
        self._descriptor = descriptor
        self._fd = self._open(file)

    def _open(self, file: Path | None) -> int:
        if file is None:
            return self._descriptor
        return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def write(self, line: str) -> None:
        """Write one line; what can't be written is dropped."""
        with contextlib.suppress(OSError):
            os.write(self._fd, line.encode("utf-8", "backslashreplace") + b"\n")

    # structlog's filtering logger calls the method that is named as the level.
    msg = debug = info = warning = error = critical = exception = fatal = log = failure = write

    def reopen(self, file: Path | None) -> None:
        """Open the file anew (SIGHUP), or another one; if that fails, the old one goes on. Raises OSError."""
        before, old = self._file, self._fd
        self._fd = self._open(file)
        self._file = file
        if before is not None:
            os.close(old)


def configure(
    *,
    form: str = "json",
    level: str = "info",
    file: Path | None = None,
    descriptor: int = STDOUT,
    colors: bool = False,
    for_good: bool = False,
) -> LogSink:
    """Set up structlog and the standard library's logging for this process.

    `for_good`: nobody will set it up anew, so that each module's logger is built once, not for each line.
    `form` is `json` or `console`; `level` one of structlog's names. Raises OSError if the file can't be opened.
    """
    sink = LogSink(file, descriptor=descriptor)
    structlog.configure(
        processors=[
            _add_level_and_time,
            _format_exception,
            make_harmless,
            render_json if form == "json" else functools.partial(_render_console, colors=colors),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=for_good,
    )
    root = logging.getLogger()
    root.handlers = [_LibraryHandler(logging.WARNING)]
    logging.getLogger("mail.log").disabled = True  # aiosmtpd logs the dialogue, passwords included, and is slow at it
    return sink


def write_event(event: Event) -> None:
    """Write an event's line, if its level is logged."""
    fields = event.fields()
    if "exception" in fields:
        fields["exc_info"] = fields.pop("exception")
    getattr(log, event.level)(event.name, **fields)


def _add_level_and_time(_logger: object, method: str, event: Line) -> Line:
    event["level"] = method
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    event["timestamp"] = f"{_second(seconds)}.{rest // 1_000_000:03}Z"
    return event


@functools.lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _format_exception(logger: object, method: str, event: Line) -> Line:
    if event.get("exc_info"):
        return structlog.processors.format_exc_info(logger, method, event)
    event.pop("exc_info", None)
    return event


def make_harmless(_logger: object, _method: str, event: Line) -> Line:
    """Redact what is named like a secret; escape control, bidirectional and invisible characters; cut long texts."""
    for key, value in event.items():
        if _is_secret(key):
            event[key] = "***"
        elif not _is_plain(value):
            event[key] = _clean(value, keep_lines=key == "exception")
    return event


@functools.lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _is_plain(value: object) -> bool:
    """Tell, at little cost, whether a value can stay as it is."""
    if type(value) is str:
        return len(value) <= _MAX_TEXT and value.isascii() and value.isprintable()
    return value is None or isinstance(value, (int, float))


def _clean(value: object, *, keep_lines: bool = False) -> object:
    if _is_plain(value):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {str(_clean(str(k))): "***" if _is_secret(str(k)) else _clean(v) for k, v in value.items()}
    text = str(value)
    if len(text) > _MAX_TEXT:
        # The end of a traceback says what happened, the beginning of a reply does.
        text = "…" + text[-_MAX_TEXT:] if keep_lines else text[:_MAX_TEXT] + "…"
    return printable(text, keep_lines=keep_lines)


def render_json(_logger: object, _method: str, event: Line) -> str:
    """Return the event as one line of JSON, the keys that every line has first."""
    ordered = {key: event[key] for key in _FIRST_KEYS if key in event}
    ordered.update(event)
    return _encode(ordered)


def _render_console(_logger: object, _method: str, event: Line, *, colors: bool) -> str:
    """Return `2026-05-28 07:41:03Z info    message_accepted  account=sales rule=1a`: for people, in UTC."""
    stamp = str(event.pop("timestamp", ""))[:19].replace("T", " ") + "Z"
    level = str(event.pop("level", ""))
    name = str(event.pop("event", ""))
    exception = event.pop("exception", None)
    fields = "  ".join(f"{key}={_show(value)}" for key, value in event.items())
    if colors:
        name = f"\x1b[1m{name}\x1b[0m"
        level = f"\x1b[31m{level}\x1b[0m" if _LEVELS.get(level, 0) >= logging.WARNING else level
    line = f"{stamp} {level:<8}{name:<20} {fields}".rstrip()
    if exception is None:
        return line
    # A stranger's text may be in it, with line ends: no line of it looks like one of the log.
    return "\n".join((line, *(f"    {part}" for part in str(exception).split("\n"))))


def _show(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(_show, value))
    text = str(value)
    return text if _PLAIN_WORD.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class _LibraryHandler(logging.Handler):
    """What libraries log by the standard way becomes an event of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; never raises."""
        try:
            log.log(
                record.levelno,
                LibraryMessage.name,
                logger=record.name,
                message=record.getMessage(),
                exc_info=record.exc_info,
            )
        except Exception:  # noqa: BLE001 - a library's odd record must not reach the code that logged it
            self.handleError(record)
