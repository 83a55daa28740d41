"""What to do with each message of a mailbox: fetch it, delete it, leave it alone, or forget it (RFC 1939, UIDL).

A message is known by its unique id. Nothing is deleted that was not fetched by us.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from relay.model.maildrop import Listed, Mailbox, Seen

FORGET_AFTER = 30 * 86_400_000
"""Milliseconds for which an id that is gone stays known: some servers show an old message again after a fault."""

_MOST_HOSTS = 8
"""Names of one mailbox's host that are remembered."""


class Contact(Enum):
    """What a mailbox is to us."""

    SAME = auto()
    """That of the last polls, under a name that is known."""
    RENAMED = auto()
    """That of the last polls, under another host or login."""
    NEW = auto()
    """Never seen, or another one than before: nothing of earlier polls counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PollPlan:
    """What one poll does."""

    fetch: tuple[Listed, ...] = ()
    delete: tuple[Listed, ...] = ()
    """Fetched by an earlier poll, and due to go now."""
    skip: tuple[str, ...] = ()
    """Ids that were there before us, and stay for ever."""
    gone: tuple[str, ...] = ()
    """Ids that are not on the server any more."""
    back: tuple[str, ...] = ()
    """Ids that were gone, and are listed again."""
    forget: tuple[str, ...] = ()
    """Ids that have been gone for so long that they need not be known any more."""


def name_twins(listing: Iterable[Listed]) -> tuple[Listed, ...]:
    """Make ids unique: RFC 1939 lets a server give two equal messages the same one. The second becomes `id 2`."""
    counts: Counter[str] = Counter()
    named = []
    for one in listing:
        counts[one.key] += 1
        twin = counts[one.key]
        named.append(one if twin == 1 else Listed(n=one.n, key=f"{one.key} {twin}", size=one.size))
    return tuple(named)


def recognise(
    known: Mailbox | None, seen: Mapping[str, Seen], listing: Sequence[Listed], *, host: str, login: str
) -> Contact:
    """Tell whether a mailbox is that of the last polls, though its host or login may be written in another way.

    It is while one of the known messages is there. Where none could be, since all were deleted after they had been
    fetched, the same login is enough: what came in the meantime must not be left out.
    """
    if known is None or not known.hosts:
        return Contact.NEW
    same_login = _plain(login) == _plain(known.login)
    if same_login and _plain(host) in map(_plain, known.hosts):
        return Contact.SAME
    if any(one.key in seen for one in listing):
        return Contact.RENAMED
    expected = any(one.gone_at is None for one in seen.values())
    return Contact.RENAMED if same_login and not expected else Contact.NEW


def hosts_of(known: Mailbox | None, contact: Contact, host: str) -> tuple[str, ...]:
    """Give the names to remember for a mailbox: nodes that write its host in different ways meet the same one."""
    before = known.hosts if known is not None and contact is Contact.RENAMED else ()
    return (*(one for one in before if _plain(one) != _plain(host)), _plain(host))[-_MOST_HOSTS:]


def _plain(name: str) -> str:
    """Write a host or login as it compares: in lower case, a host without the dot of the root."""
    return name.lower().removesuffix(".")


def plan_poll(
    listing: Sequence[Listed],
    seen: Mapping[str, Seen],
    *,
    leave: bool | int,
    only_new: bool,
    now: int,
    whole: bool = True,
) -> PollPlan:
    """Plan one poll.

    `listing` has unique ids (`name_twins`). `leave` is `leave_on_server`: false, true, or milliseconds since a message
    was first seen. `only_new` is true at the first contact with `first_poll = "new"`.
    `whole` is false where the mailbox has more messages than are listed here: then none of them is gone.
    """
    listed = {one.key for one in listing}
    missing = {key: one for key, one in seen.items() if key not in listed} if whole else {}
    unknown = [one for one in listing if one.key not in seen]
    return PollPlan(
        fetch=() if only_new else tuple(unknown),
        skip=tuple(one.key for one in unknown) if only_new else (),
        delete=tuple(one for one in listing if one.key in seen and _may_go(seen[one.key], leave, now)),
        gone=tuple(key for key, one in missing.items() if one.gone_at is None),
        back=tuple(key for key, one in seen.items() if key in listed and one.gone_at is not None),
        forget=tuple(
            key for key, one in missing.items() if one.gone_at is not None and now - one.gone_at > FORGET_AFTER
        ),
    )


def _may_go(seen: Seen, leave: bool | int, now: int) -> bool:  # noqa: FBT001 - the setting is one of both
    if not seen.fetched or leave is True:
        return False
    return leave is False or now - seen.first_seen >= leave
