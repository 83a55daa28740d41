"""Which messages a poll leaves on the server for now, so that one that can't be fetched holds up no other for ever.

What is known of them lives as long as the process: after a restart each gets its chance again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from relay.model.maildrop import Listed, MessageKey

_LONGEST_REST = 63
"""Polls that leave a message out at most before it is tried again."""


@dataclass(slots=True)
class _Trouble:
    """What one message has done."""

    failures: int = 0
    """How often the session broke while it came."""
    rest: int = 0
    """How many polls still leave it out."""
    outgrown: int = -1
    """The limit of size that it was found to exceed, whatever the server had listed."""
    told: bool = False


@dataclass(slots=True)
class Troubles:
    """What is known of the messages of one mailbox that made trouble."""

    _known: dict[MessageKey, _Trouble] = field(default_factory=dict)

    def sort_out(self, wanted: Sequence[Listed], *, limit: int) -> tuple[list[Listed], list[tuple[Listed, str]]]:
        """Return the messages to fetch, in the order in which to fetch them, and those to leave, each with the reason.

        `limit` is the largest size in octets. A message at which the session broke comes last; if that happens
        again, more and more polls leave it out, so that the others are deleted in their turn.
        """
        self._known = {mark: self._known[mark] for mark in map(_mark, wanted) if mark in self._known}
        fetch, left = [], []
        for one in wanted:
            trouble = self._known.get(_mark(one))
            if one.size > limit or (trouble is not None and trouble.outgrown >= limit):
                left.append((one, f"it is larger than max_message_size, which is {limit} octets"))
            elif trouble is not None and trouble.rest:
                trouble.rest -= 1
                left.append((one, f"a poll ended {trouble.failures} times while it came"))
            else:
                fetch.append(one)
        fetch.sort(key=self._failures)
        return fetch, left

    def is_news(self, message: Listed) -> bool:
        """Return whether it was not logged yet that a message is left; from now on it was."""
        trouble = self._of(message)
        news, trouble.told = not trouble.told, True
        return news

    def note_break(self, message: Listed) -> None:
        """Note that the session broke while a message came."""
        trouble = self._of(message)
        trouble.failures += 1
        trouble.rest = min(2 ** (trouble.failures - 1) - 1, _LONGEST_REST)
        trouble.told = False

    def note_outgrown(self, message: Listed, *, limit: int) -> None:
        """Note that a message turned out to be larger than the limit."""
        self._of(message).outgrown = limit

    def note_fetched(self, messages: Iterable[Listed]) -> None:
        """Forget what is over."""
        for message in messages:
            self._known.pop(_mark(message), None)

    def _failures(self, message: Listed) -> int:
        trouble = self._known.get(_mark(message))
        return 0 if trouble is None else trouble.failures

    def _of(self, message: Listed) -> _Trouble:
        return self._known.setdefault(_mark(message), _Trouble())


def _mark(message: Listed) -> MessageKey:
    """Return what names a message: without a unique id its position and size, as long as nothing is deleted."""
    return message.key if message.key.uid else message.key._replace(uid=f"{message.n} {message.size}")
