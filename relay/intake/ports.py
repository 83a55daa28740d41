"""What the session needs from the rooms above it: who may log in, and what becomes of a mail."""

from typing import Protocol

from relay.model.account import Directory
from relay.model.envelope import Client, Envelope
from relay.model.reply import Reply


class Incoming(Protocol):
    """One mail being received: `header` once, `body` for each chunk, then `finish`; or `abort` at any point.

    Only one of these calls runs at a time, and each that has begun runs to its end.
    """

    queue_id: str

    async def header(self, block: bytes) -> None:
        """Take the header: every line ends in CRLF, without the blank line behind it."""

    async def body(self, chunk: bytes) -> None:
        """Take a piece of the body, with CRLF as line end; a small body is one piece."""

    async def finish(self) -> Reply:
        """Make the mail durable, or refuse it. Returns the client's reply. If it raises, nothing was accepted."""

    async def abort(self) -> None:
        """Drop the mail and what was written of it."""


class Submission(Protocol):
    """Takes mails."""

    def begin(self, envelope: Envelope, client: Client, *, show_client: bool) -> Incoming:
        """Begin to take one mail; `show_client` puts the client's address into the Received field."""

    @property
    def directory(self) -> Directory:
        """The users and devices of this moment."""


class Authenticator(Protocol):
    """Knows the users' passwords."""

    @property
    def has_passwords(self) -> bool:
        """Whether anybody could log in."""

    def name_of(self, login: str) -> str:
        """Return the name by which guesses at a login are counted: the same for all ways to write one user."""

    def remembered(self, login: str, password: str) -> str | None:
        """Return the user's name if this very password was right a short while ago; costs next to nothing."""

    async def check(self, login: str, password: str) -> str | None:
        """Return the user's name, or None if login or password is wrong."""
