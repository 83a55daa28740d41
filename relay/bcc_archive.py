"""The central blind copy: who gets it, and which version of the mail.

Guarantee: the copy is only ever a matter of the envelope. No header is touched for it, and no choice made here can keep
a mail from its real recipients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from relay.model.account import Account, ArchivePolicy
from relay.model.address import Address
from relay.rules.content import read_content
from relay.rules.tiff import TiffStripper, may_hold_tiff


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivePlan:
    """Where the blind copy of one mail goes."""

    recipients: tuple[Address, ...] = ()
    """In the order of the configuration; none of them is a recipient of the mail anyway."""
    strip: bool = False
    """Whether TIFF attachments are to be taken out of the copy."""
    steps: tuple[str, ...] = ()
    """Why, in plain sentences, in the order of the decisions."""


def plan_archive(
    *, policy: ArchivePolicy, account: Account, reverse_path: Address | None, recipients: Sequence[Address]
) -> ArchivePlan:
    """Plan the blind copy of a mail that leaves through `account`."""
    if isinstance(account.archive, tuple):
        wanted, source = account.archive, f"account {account.name} names its own addresses"
    else:
        wanted, source = policy.bcc, "every outgoing mail goes there"
    if account.archive is False:
        return ArchivePlan(steps=(f"No blind copy: account {account.name} has archive = false.",))
    if not wanted:
        return ArchivePlan(steps=("No blind copy: no archive address is configured.",))
    if reverse_path is None:
        return ArchivePlan(steps=("No blind copy: the mail has the null sender.",))
    present = set(map(_mailbox, recipients))
    chosen: dict[tuple[str, bool], Address] = {}
    steps = []
    for address in wanted:
        mailbox = _mailbox(address)
        if mailbox in chosen:
            continue
        if mailbox in present:
            steps.append(f"No blind copy to {address}: it is among the recipients anyway.")
            continue
        chosen[mailbox] = address
        steps.append(f"A blind copy goes to {address}: {source}.")
    strip = policy.strip_tiff and bool(chosen)
    if strip:
        steps.append("TIFF attachments are taken out of the blind copy, unless the mail is signed or encrypted.")
    return ArchivePlan(recipients=tuple(chosen.values()), strip=strip, steps=tuple(steps))


def _mailbox(address: Address) -> tuple[str, bool]:
    """Give what is equal only for addresses that a server delivers to one mailbox.

    The key alone is not enough: in NFC the Kelvin sign is a K, but a server that knows no SMTPUTF8 refuses it.
    """
    return address.key, address.local.isascii()


def make_stripper(header: bytes, *, language: str) -> TiffStripper | None:
    """Make what takes the TIFF attachments out of a mail with this header (CRLF line ends, no blank line).

    None where the mail is to be archived as it is: signed or encrypted as a whole (S/MIME, PGP/MIME), a plain text, or
    one whose header has a line that is no field, or more parameters than any real one. `language` is `en` or `de`.
    """
    content = read_content(header)
    if content is None or not may_hold_tiff(content):
        return None
    return TiffStripper(header, language=language)
