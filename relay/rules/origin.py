"""Who a mail says it is from: the fields that decide, and the addresses that stand in them.

In a mail that was resent these are Resent-From and Resent-Sender of the newest block, else From and Sender. The fields
of one name count together: two From fields are one list. An address without a domain does not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.model.address import Address
from relay.rules.address import Mailbox, parse_mailboxes
from relay.rules.headers import Field

MOST_OCTETS: Final = 8_192
"""Of all fields together that say who a mail is from; no mail of good will has so many."""
_DECIDING: Final = frozenset({"from", "sender", "reply-to", "resent-from", "resent-sender"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where the deciding sender stands in the header."""

    prefix: str
    """`Resent-` where a Resent block decides, else empty."""
    block: range
    """The positions of the newest Resent block among all fields; empty where there is none."""
    from_positions: tuple[int, ...]
    """The fields From, or Resent-From of the newest block, among all fields."""
    sender_positions: tuple[int, ...]
    mailbox: Mailbox | None
    """The deciding mailbox, which has an address; None where there is none."""
    name: str
    """The display name that the mail had."""
    addresses: tuple[Address, ...]
    """All addresses of these fields."""
    values: tuple[bytes, ...] = ()
    """What these fields hold, still folded: other programs may read other addresses there."""

    @property
    def address(self) -> Address | None:
        """The address that decides."""
        return self.mailbox.address if self.mailbox is not None else None


def find_large_field(fields: Sequence[Field]) -> str | None:
    """Give the name of the field with which those that decide are too long to be read: half of them must not decide."""
    left = MOST_OCTETS
    for one in fields:
        left -= len(one.raw) if one.key in _DECIDING else 0
        if left < 0:
            return one.name
    return None


def find_origin(fields: Sequence[Field]) -> Origin:
    """Find the deciding sender: Sender where From has several addresses, else the first of From."""
    block = _newest_resent(fields)
    prefix = "Resent-" if block else ""
    inside = block or range(len(fields))
    from_positions = _positions(fields, inside, f"{prefix}From")
    sender_positions = _positions(fields, inside, f"{prefix}Sender")
    froms, senders = _read(fields, from_positions), _read(fields, sender_positions)
    usable = [mailbox for mailbox in froms if mailbox.address is not None]
    named = [mailbox for mailbox in senders if mailbox.address is not None]
    chosen = usable[0] if usable else None
    if len(usable) > 1 and named:
        chosen = named[0]
    return Origin(
        prefix=prefix,
        block=block,
        from_positions=from_positions,
        sender_positions=sender_positions,
        mailbox=chosen,
        name=chosen.display_name if chosen is not None else next((m.display_name for m in froms), ""),
        addresses=tuple(mailbox.address for mailbox in (*usable, *named) if mailbox.address is not None),
        values=tuple(fields[n].raw.partition(b":")[2].rstrip() for n in (*from_positions, *sender_positions)),
    )


def _newest_resent(fields: Sequence[Field]) -> range:
    """Give the newest Resent block: the topmost run of Resent fields (RFC 5322 section 3.6.6)."""
    start = next((n for n, one in enumerate(fields) if one.key.startswith("resent-")), len(fields))
    stop = next((n for n in range(start, len(fields)) if not fields[n].key.startswith("resent-")), len(fields))
    return range(start, stop)


def _positions(fields: Sequence[Field], inside: range, name: str) -> tuple[int, ...]:
    key = name.lower()
    return tuple([n for n in inside if fields[n].key == key])


def _read(fields: Sequence[Field], positions: Sequence[int]) -> list[Mailbox]:
    return [mailbox for n in positions for mailbox in parse_mailboxes(fields[n].value)]
