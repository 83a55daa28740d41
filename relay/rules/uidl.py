"""What to do with each message of a mailbox: fetch it, delete it, leave it alone, or forget it (RFC 1939, UIDL).

A message is known by its unique id. Nothing is deleted that was not fetched by us.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from relay.model.maildrop import Listed, Seen

FORGET_AFTER = 30 * 86_400_000
"""Milliseconds for which an id that is gone stays known: some servers show an old message again after a fault."""


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


def plan_poll(
    listing: Sequence[Listed],
    seen: Mapping[str, Seen],
    *,
    leave: bool | int,
    only_new: bool,
    now: int,
) -> PollPlan:
    """Plan one poll.

    `listing` has unique ids (`name_twins`). `leave` is `leave_on_server`: false, true, or milliseconds since a message
    was first seen. `only_new` is true at the first contact with `first_poll = "new"`.
    """
    listed = {one.key for one in listing}
    unknown = [one for one in listing if one.key not in seen]
    return PollPlan(
        fetch=() if only_new else tuple(unknown),
        skip=tuple(one.key for one in unknown) if only_new else (),
        delete=tuple(one for one in listing if one.key in seen and _may_go(seen[one.key], leave, now)),
        gone=tuple(key for key, one in seen.items() if key not in listed and one.gone_at is None),
        back=tuple(key for key, one in seen.items() if key in listed and one.gone_at is not None),
        forget=tuple(
            key
            for key, one in seen.items()
            if key not in listed and one.gone_at is not None and now - one.gone_at > FORGET_AFTER
        ),
    )


def _may_go(seen: Seen, leave: bool | int, now: int) -> bool:  # noqa: FBT001 - the setting is one of both
    if not seen.fetched or leave is True:
        return False
    return leave is False or now - seen.first_seen >= leave
