"""Into which transactions a mail is split, and whose turn they take."""

import zlib
from collections.abc import Sequence
from typing import Final

from relay.model.address import Address
from relay.model.envelope import Client, DsnOptions, Envelope
from relay.model.mail import Recipient, RecipientKind

_KINDS: Final = 64


def split_recipients(
    envelope: Envelope, archive: Sequence[Address], *, most: int, archive_apart: bool
) -> list[tuple[int, tuple[Recipient, ...]]]:
    """Split the recipients into transactions of at most `most`, each with the version of the body that it gets.

    No recipient comes twice. The archive's address is the last of its transaction; where it gets a body of its own
    (version 1), it is apart.
    """
    dsn_options = envelope.dsn_options or (DsnOptions(),) * len(envelope.recipients)
    real = [
        Recipient(n=n, address=address.wire, notify=options.notify, orcpt=options.orcpt)
        for n, (address, options) in enumerate(zip(envelope.recipients, dsn_options, strict=True))
    ]
    copies = [
        Recipient(n=len(real) + n, address=address.wire, kind=RecipientKind.ARCHIVE)
        for n, address in enumerate(archive)
    ]
    if not archive_apart:
        return [(0, group) for group in _groups(real + copies, most)]
    return [(0, group) for group in _groups(real, most)] + [(1, group) for group in _groups(copies, most)]


def source_of(client: Client, *, user: str, sender: str, subject: str) -> str:
    """Return the source whose turns a mail takes: who, a blank, a sign of the kind (whence, program, sender, subject).

    Users take turns, and the kinds of each; so a mailing, whose mails are alike, and the single mail that its own user
    writes meanwhile are two. The signs are few, since the look at what is due jumps through every source that has
    something queued. Who is no user is known by his address.
    """
    kind = f"{client.ip}\n{client.helo}\n{sender}\n{subject}".encode("utf-8", "replace")
    return f"{user or client.ip} {zlib.crc32(kind) % _KINDS}"


def _groups(recipients: Sequence[Recipient], most: int) -> list[tuple[Recipient, ...]]:
    return [tuple(recipients[i : i + most]) for i in range(0, len(recipients), most)]
