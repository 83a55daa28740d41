"""What connection and dialogue agree on: who takes the bytes of a mail, and how a session ends."""

from typing import Protocol

from relay.model.reply import Reply


class SessionEnd(Exception):  # noqa: N818 - no error: the way out of the dialogue
    """The session is over; with a reply, that one is still sent."""

    def __init__(self, reply: Reply | None = None) -> None:
        super().__init__()
        self.reply = reply


class Feed(Protocol):
    """Takes what comes in place of the dialogue: the bytes of a mail."""

    @property
    def wants(self) -> int:
        """How many octets it can use at most, so that those behind it are not copied to and fro."""

    def take(self, data: bytes) -> bytes | None:
        """Take the next bytes; gives what stands behind the end, None before the end. Raises SessionEnd."""
