"""The interface of what collects mail from a provider: `relay.sources.pop3` implements it, and IMAP would.

A source serves the mailbox of one account and holds at most one connection, which it opens when `list` needs it. The
collection makes the calls of one poll in this order, one after the other:

    list, retrieve, mark_collected, delete, commit

Between two polls it calls `wait`, and `close` at the end of everything, after a fault, or from elsewhere at any time.

To add a source: a subclass of `MailboxServer` for its settings (`relay.model.account`, returned by `Account.mailbox`),
a module in this package, and a line in `relay.sources.registry`. docs/contributing/add-a-mailbox-source.md has more.

What every source must guarantee:

- **Errors.** A session that can't go on raises SourceError; its text begins with the step (`connect: `, `login: `) and
  holds no secret, even if the server repeats one. A secret that can't be read raises RelayError. What concerns a single
  message is a value (`Retrieved.body` is None), so that it holds up no other message.
- **Bounds.** Whatever the server sends is bounded: the length of a line, the lines of an answer, the messages of a
  folder (beyond it the newest are listed, and `passed_over` counts the others), and the time without progress. The
  collection itself bounds the size of each message while it reads the body, and the time of the whole poll.
- **Memory.** A body comes in pieces; the source holds no whole message.
- **Nothing changes on the server** but by `mark_collected`, `delete` and `commit`: no message is marked as read by
  listing or retrieving it (IMAP: EXAMINE or BODY.PEEK).
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from relay.model.maildrop import FolderListing, Listed, Retrieved


class MailboxSource(Protocol):
    """One account's mailbox at its provider. Every method but `close` raises SourceError."""

    async def list(self) -> Sequence[FolderListing]:
        """Connect and log in if that is needed, and list all folders that are collected.

        Keys are unique, hold neither NUL nor surrogates, and name no secret that a server might repeat. A message keeps
        its key for as long as the folder keeps its validity; without unique ids (`has_ids` is false) all are empty.
        Within a folder the oldest message comes first. A folder that can't be listed raises SourceError rather than
        being left out: what is not listed counts as deleted by somebody else.
        """

    def retrieve(self, messages: Sequence[Listed], go_on: Callable[[], bool]) -> AsyncIterator[Retrieved]:
        """Retrieve messages of the last listing in this order, of whatever folders.

        Each body is read to its end before the next message is asked for from the iterator. The source may ask the
        server for some messages in advance, but for none after `go_on` returned false; then the iterator ends early.
        If a folder's validity changes after the listing, this raises SourceError.
        """

    async def mark_collected(self, messages: Sequence[Listed]) -> None:
        """Mark messages as read if the settings say so. They stand in the inboxes, durably, and are recorded."""

    async def delete(self, messages: Sequence[Listed]) -> Sequence[Listed]:
        """Prepare the deletion of messages, or their move to another folder, and return those that will go.

        Nothing has gone before `commit` (POP3: DELE; IMAP: the flag Deleted). A message that the server refuses to
        delete is not returned, and the others are deleted nevertheless.
        """

    async def commit(self) -> None:
        """Make the deletions final: if this returns, the server has confirmed them (POP3: QUIT; IMAP: UID EXPUNGE).

        If it raises, the messages may or may not be there; the next listing tells. A poll without deletions ends by
        `commit`, too. IMAP must expunge only the messages that were given to `delete`.
        """

    async def wait(self, seconds: float) -> None:
        """Wait until new mail may have come (IMAP: IDLE), but no longer than `seconds`.

        A source that is not told by its server waits for all of the time. This may be cancelled, and the source is
        usable afterwards.
        """

    def close(self) -> None:
        """Cut the connection at once, if there is one; deletions that were not committed do not happen.

        A call that is waiting for the server at this moment raises SourceError. The next `list` connects anew.
        """
