"""Whose inbox a collected mail goes to.

Default: the account's owner. With `distribute`, the users whose addresses stand in the envelope header that the
configuration names, else in To, Cc, Bcc and their Resent forms; nobody matches: the owner.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from relay.model.account import Account, Directory, MailboxServer
from relay.model.address import Address
from relay.rules.address import LONGEST_FIELD, parse_mailboxes
from relay.rules.headers import Field, split_fields

_RECIPIENTS = ("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """One user who gets the mail."""

    user: str
    address: Address
    """The address for which he gets it."""
    why: tuple[str, ...]
    """What led to him, step by step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """Who gets a mail, and why."""

    shares: tuple[Share, ...]
    """Never empty; each user once."""
    steps: tuple[str, ...]
    """What led to all of them."""


def plan_distribution(*, directory: Directory, account: Account, header: bytes) -> Distribution:
    """Decide who gets a mail of an account's mailbox. `header` is the raw block, each line with CRLF."""
    owner = directory.user(account.owner)
    assert owner is not None, "the settings guarantee that an owner is a user"
    mailbox = account.mailbox
    steps: tuple[str, ...] = ()
    if mailbox is None or not mailbox.distribute:
        steps = (f"The mailbox of {account.name!r} belongs to {owner.name}.",)
    else:
        for where, values in _places(mailbox, split_fields(header)):
            shares = _find(directory, values, where, steps)
            if shares:
                told = "; ".join(f"{share.user} gets it: {share.address} stands in {where}" for share in shares)
                return Distribution(shares=shares, steps=(*steps, f"{told}."))
            steps = (*steps, f"No user's address stands in {where}.")
        steps = (*steps, f"So the mail goes to {owner.name}, the owner of {account.name!r}.")
    return Distribution(shares=(Share(user=owner.name, address=owner.address, why=steps),), steps=steps)


def _places(mailbox: MailboxServer, fields: Sequence[Field]) -> Iterator[tuple[str, Sequence[bytes]]]:
    """Give the fields in which the users' addresses are looked for, by what they are called."""
    name, position = mailbox.envelope_header, mailbox.envelope_position
    if name is not None:
        values = [one.value for one in fields if one.key == name.lower()]
        if position is None:
            yield name, values
        else:
            index = position - 1 if position > 0 else len(values) + position
            yield f"{name} number {position}", values[index : index + 1] if index >= 0 else ()
    yield "To, Cc, Bcc or Resent-*", [one.value for one in fields if one.key in _RECIPIENTS]


def _find(directory: Directory, values: Sequence[bytes], where: str, steps: tuple[str, ...]) -> tuple[Share, ...]:
    found: dict[str, Share] = {}
    left = LONGEST_FIELD
    for value in values:
        left -= len(value)
        if left < 0:
            break  # nobody writes to so many: who is not found by now is the owner's affair
        for mailbox in parse_mailboxes(value):
            user = None if mailbox.address is None else directory.user_of(mailbox.address)
            if user is not None and mailbox.address is not None:
                why = (*steps, f"{mailbox.address} stands in {where}.")
                found.setdefault(user.name, Share(user=user.name, address=mailbox.address, why=why))
    return tuple(found.values())
