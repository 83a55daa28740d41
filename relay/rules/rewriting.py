"""The sender of a mail rewritten to an account's, and what depends on it mended: Sender, Reply-To, DKIM signatures."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.model.account import Account
from relay.model.address import Address
from relay.model.route import Edit, RemoveFields, SetField
from relay.rules.address import format_mailbox, parse_mailboxes
from relay.rules.encoded_words import decode_words
from relay.rules.headers import Field
from relay.rules.origin import Origin

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
