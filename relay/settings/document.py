"""The TOML document as it was written, and a tolerant way to read it.

The checks that compare parts of the configuration read the document itself, not the validated values, so that an error
in one place does not hide another one elsewhere.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from relay.model.account import Pop3Server, Security, SmtpServer
from relay.settings.errors import ConfigurationError, Place, write_line
from relay.settings.syntax import bare_text, explain_fault


class Protocol(NamedTuple):
    """What the servers of one kind speak."""

    name: str
    settings: type[SmtpServer | Pop3Server]
    security: Security
    """Where the configuration does not say."""
    ports: Mapping[Security, int]
    """The same, by the security."""


SERVER_TABLES: Mapping[str, Protocol] = {
    "smtp": Protocol(
        "SMTP", SmtpServer, Security.STARTTLS, {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}
    ),
    "pop3": Protocol("POP3", Pop3Server, Security.TLS, {Security.TLS: 995, Security.STARTTLS: 110, Security.NONE: 110}),
}
"""The tables of an account of which each is a server that it logs in to."""
MAILBOX_TABLES = tuple(kind for kind in SERVER_TABLES if kind != "smtp")
"""Those of which each is a mailbox that is collected."""

_LARGEST = 4 * 1024 * 1024
"""Octets; a larger file is no configuration."""
_DEEPEST = 100


def read_document(path: Path, written: bytes | None = None) -> tuple[dict[str, Any], str]:
    """Read a TOML file, once: it may be a pipe. Returns it with the hash of its octets, as `digest_of` makes it.

    `written`: what is to stand there, in place of what does. Raises ConfigurationError with one line if it can't be
    read or is not TOML.
    """
    content = _read(path, written)
    if not isinstance(content, str):
        return content
    # Raised here, not where it was caught: so that no exception with the file's content is chained to it.
    raise ConfigurationError([write_line(path.name or str(path), content)])


def _read(path: Path, written: bytes | None) -> tuple[dict[str, Any], str] | str:
    """Return the document with its hash, or why it can't be read."""
    try:
        if written is None:
            with path.open("rb") as stream:
                content = stream.read(_LARGEST + 1)
        else:
            content = written
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no file name"
        return f"can't be read: {reason} ({_absolute(path)}){_advise(error)}"
    if len(content) > _LARGEST:
        return f"can't be read: larger than {_LARGEST} octets ({path})"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        return f"line {line}: this is not UTF-8"
    document = _parse(text)
    return document if isinstance(document, str) else (document, hashlib.sha256(content).hexdigest())


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except OSError:  # the folder that we are in is gone
        return path


def _advise(error: Exception) -> str:
    if isinstance(error, PermissionError):
        # The service's own journal says this, too, where root has made the file anew.
        return ": run the command again with sudo before it; `sudo relay check` tells what lets the service read it"
    if isinstance(error, FileNotFoundError):
        return ": mend the name behind -c, or leave -c away where the file is ./relay.toml or /etc/relay/relay.toml"
    if isinstance(error, IsADirectoryError):
        return ": name the file in it"
    return ""


def _parse(text: str) -> dict[str, Any] | str:
    # The dots outside of quotes and comments: tomllib's time grows faster than the number of a key's parts.
    dotted = ((n, line) for n, line in enumerate(text.split("\n"), 1) if line.count(".") > _DEEPEST)
    deep = next((n for n, line in dotted if bare_text(line).count(".") > _DEEPEST), None)
    if deep is not None:
        return f"line {deep}: a key of too many parts"
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return explain_fault(text, str(error))
    except (ValueError, RecursionError):
        return "this is not TOML: a number or a nesting beyond all measure"


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table of the document. A value of another type than the one asked for counts as missing."""

    place: Place = ()
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def has(self, key: str) -> bool:
        """Return whether a key is there, whatever its value is."""
        return key in self.content

    def text(self, key: str) -> str | None:
        """Return a text."""
        value = self.content.get(key)
        return value if isinstance(value, str) else None

    def number(self, key: str) -> int | None:
        """Return a whole number."""
        value = self.content.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        value = self.content.get(key)
        return value if isinstance(value, bool) else default

    def texts(self, key: str) -> list[tuple[Place, str]]:
        """Return the texts of a list, each with its place."""
        value = self.content.get(key)
        items = value if isinstance(value, list) else []
        return [((*self.place, key, n), item) for n, item in enumerate(items) if isinstance(item, str)]

    def table(self, key: str) -> "Table":
        """Return a table within this one."""
        value = self.content.get(key)
        return Table(place=(*self.place, key), content=value if isinstance(value, dict) else {})

    def tables(self, key: str) -> list["Table"]:
        """Return the tables of a list of tables."""
        value = self.content.get(key)
        items = value if isinstance(value, list) else []
        return [Table(place=(*self.place, key, n), content=t) for n, t in enumerate(items) if isinstance(t, dict)]
