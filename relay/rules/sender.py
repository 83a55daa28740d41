"""The sender of a mail: who it says it is from, and how that is rewritten to an account's.

In a mail that was resent the fields that decide are Resent-From and Resent-Sender of the newest block, else From and
Sender. The fields of one name count together: two From fields are one list. An address without a domain does not count.
With the sender what depends on it is mended: Sender, Reply-To, DKIM signatures.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.model.account import Account
from relay.model.address import Address
from relay.model.route import Edit, RemoveFields, SetField
from relay.rules.address import Mailbox, format_mailbox, parse_mailboxes
from relay.rules.charsets import decode_words
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


_SPEC: Final = r"[^\x00-\x20\x7f\"()<>\[\]:;@\\,]++@[^\x00-\x20\x7f\"()<>\[\]:;@\\,]++"
_PLAIN_MAILBOX: Final = re.compile(
    rf"""((?>(?:"[^"\\]*+"|[^\x00-\x08\x0a-\x1f\x7f"()<>\[\]:;@\\,])*))<{_SPEC}>|{_SPEC}"""
)
"""What all programs read as the same one mailbox: no comment, group or route, in the name no `@` but within quotes."""
_QUOTED: Final = re.compile(r'"[^"\\]*+"')
_ATS: Final = re.compile("[@\uff20\ufe6b]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewrite:
    """What is edited, and why."""

    edits: tuple[Edit, ...]
    steps: tuple[str, ...]
    """In plain sentences."""


def rewrite_sender(
    fields: Sequence[Field], origin: Origin, account: Account, *, why: str, keep_reply_to: bool
) -> Rewrite:
    """Write the account's address into From (in a resent mail into Resent-From of the newest block).

    A Sender that is not the account's address, written plainly, goes: nobody looks for disguises in what stays. With
    `keep_reply_to` the old address becomes Reply-To where the mail names none, and is not resent. `why` names the rule.
    """
    edits, steps = _from(origin, account, why)
    foreign = frozenset(n for n in origin.sender_positions if not _is_only(fields[n], account.address))
    if foreign:
        name = f"{origin.prefix}Sender"
        edits.append(RemoveFields(name=name, positions=foreign, why="it is not the account's plain address"))
    if keep_reply_to and not origin.prefix and origin.address is not None:
        added = _reply_to(fields, origin.name, origin.address)
        edits += added
        if added:
            steps.append(f"Reply-To becomes {origin.address}: answers go to the user who wrote.")
    changed = {edit.name.lower().encode() for edit in edits}
    broken = frozenset(n for n, one in enumerate(fields) if one.key == "dkim-signature" and _covers(one.value, changed))
    if broken:
        edits.append(RemoveFields(name="DKIM-Signature", positions=broken, why="it signs what was rewritten"))
        steps.append("A DKIM signature over a field that is rewritten is removed: it could only fail.")
    return Rewrite(edits=tuple(edits), steps=tuple(steps))


def _from(origin: Origin, account: Account, why: str) -> tuple[list[Edit], list[str]]:
    where, old = f"{origin.prefix}From", origin.address
    value = format_mailbox(account.display_name or origin.name, account.address)
    first, others = next(iter(origin.from_positions), None), frozenset(origin.from_positions[1:])
    reason = f"{why}: the sender becomes {account.address}"
    # A Resent-From that is missing belongs into its block, which a field of another kind would end.
    before = origin.block.start if origin.block else None
    edits: list[Edit] = [SetField(name=where, value=value, position=first, before=before, why=reason)]
    if others:
        edits.append(RemoveFields(name=where, positions=others, why="one From is left"))
    return edits, [f"{where} is rewritten to {account.address}" + (f" (it was {old})." if old is not None else ".")]


def _is_only(one: Field, address: Address) -> bool:
    """Tell whether a field holds this address and nothing else, in whatever way it is read."""
    plain = _PLAIN_MAILBOX.fullmatch(one.value.decode("utf-8", "replace"))
    name = "" if plain is None else plain[1] or ""
    if plain is None or _ATS.search(decode_words(_QUOTED.sub(" ", name))):
        return False
    if "@" in name and "=?" in name:  # not all programs read a quote within an encoded word as one
        return False
    found = parse_mailboxes(one.value)
    return len(found) == 1 and found[0].address is not None and found[0].address.key == address.key


def _reply_to(fields: Sequence[Field], name: str, old: Address) -> list[Edit]:
    """Let answers go to the old address, unless a Reply-To names somebody: not `Reply-To:`, nor `Reply-To: <>`."""
    there = [n for n, one in enumerate(fields) if one.key == "reply-to"]
    if not all(fields[n].value == b"<>" or not parse_mailboxes(fields[n].value) for n in there):
        return []
    value, why = format_mailbox(name, old), "answers go to the old From"
    edits: list[Edit] = [SetField(name="Reply-To", value=value, position=next(iter(there), None), why=why)]
    if there[1:]:
        edits.append(RemoveFields(name="Reply-To", positions=frozenset(there[1:]), why="it was empty"))
    return edits


def _covers(value: bytes, names: set[bytes]) -> bool:
    """Tell whether a DKIM signature covers one of these fields (RFC 6376 section 3.5), or does not say which."""
    for tag in value.split(b";"):
        name, _, content = tag.partition(b"=")
        if name.strip().lower() == b"h":
            return not names.isdisjoint(part.strip().lower() for part in content.split(b":"))
    return True
