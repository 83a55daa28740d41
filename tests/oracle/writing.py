"""What the header of an accepted mail must look like, and in what another one differs from that."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.oracle.grammar import decode, read_mailboxes
from tests.oracle.parting import Field

_REMOVED = {"bcc", "resent-bcc", "return-path"}
_ALWAYS_ADDED = ("received", "relay-loop")
_ADDED_IF_MISSING = ("message-id", "date")


@dataclass(frozen=True)
class Sender:
    """Whose mail it is, and by which fields."""

    key: str | None = None
    """The address that decides; None: there is none."""
    leaving: tuple[str, ...] = ()
    """All addresses with a domain in (Resent-)From and (Resent-)Sender."""
    values: tuple[str, ...] = ()
    """What these fields hold."""
    at: tuple[int, ...] = ()
    """Where (Resent-)From stands among the fields."""
    sender_at: tuple[int, ...] = ()
    block: tuple[int, ...] = ()
    """The newest Resent block; empty: the mail is not resent."""


@dataclass(frozen=True)
class Header:
    """What a header must look like: fields that stay as they are, and fields that are written."""

    kept: tuple[Field, ...] = ()
    """Byte for byte, in this order."""
    optional: frozenset[bytes] = frozenset()
    """Of `kept`: what may be gone as well, since the rules leave it open."""
    written: tuple[tuple[str, str], ...] = ()
    """Name and address (a key) of the fields that are new."""
    names: frozenset[str] | None = None
    """The display names that a written (Resent-)From may have; None: any."""
    added: tuple[str, ...] = ()
    """Fields that the service adds to every mail that lacks them."""
    newest: tuple[bytes, ...] = ()
    """What is left of the newest Resent block: a written Resent-From stands in it, or right above or below."""


NOTHING = Header()
"""What is said of the header of a mail that is refused."""


def expect_header(
    fields: Sequence[Field], sender: Sender, *, rewrite: str | None, display_name: str | None, reply_to: bool
) -> Header:
    """Say what becomes of a header. `rewrite`: the address that From gets; `reply_to`: keep the old one there."""
    gone = {n for n, field in enumerate(fields) if field.name in _REMOVED}
    optional, written, names = set[int](), list[tuple[str, str]](), None
    if rewrite is not None:
        gone |= set(sender.at)
        written.append(("resent-from" if sender.block else "from", rewrite))
        names = _names(fields, sender, display_name)
        removed, optional = _foreign_senders(fields, sender, rewrite)
        gone |= removed
        if not sender.block:
            gone |= {n for n, field in enumerate(fields) if _is_broken_signature(field)}
            replies = [n for n, field in enumerate(fields) if field.name == "reply-to"]
            if reply_to and not any(fields[n].value.strip() for n in replies):
                gone |= set(replies)
                written.append(("reply-to", str(sender.key)))
    there = {field.name for field in fields}
    return Header(
        kept=tuple(field for n, field in enumerate(fields) if n not in gone),
        optional=frozenset(fields[n].raw for n in optional),
        written=tuple(written),
        names=names,
        added=_ALWAYS_ADDED + tuple(name for name in _ADDED_IF_MISSING if name not in there),
        newest=tuple(fields[n].raw for n in sender.block if n not in gone),
    )


def _names(fields: Sequence[Field], sender: Sender, display_name: str | None) -> frozenset[str] | None:
    if display_name is not None:
        return frozenset((" ".join(display_name.split()),))
    if any("\udc80" <= sign <= "\udcff" for n in sender.at for sign in fields[n].value):
        return None  # a name that is no UTF-8
    mailboxes = [mailbox for n in sender.at for mailbox in read_mailboxes(fields[n].value)]
    if len(mailboxes) == 1 and len(sender.at) == 1 and (mailboxes[0].domain or "" not in mailboxes[0].names):
        return mailboxes[0].names
    return None if sender.at else frozenset(("",))


def _foreign_senders(fields: Sequence[Field], sender: Sender, own: str) -> tuple[set[int], set[int]]:
    """Give which fields (Resent-)Sender must go, and which may."""
    keys = {n: {mailbox.key for mailbox in read_mailboxes(fields[n].value)} for n in sender.sender_at}
    gone = {n for n, found in keys.items() if own not in found}
    mixed = {n for n, found in keys.items() if own in found and found != {own}}
    unplain = {n for n in keys if not _is_plain(fields[n].value)}
    return gone, (set(keys) if gone or mixed else unplain) - gone


def _is_plain(value: str) -> bool:
    """Tell whether there is but one way to read a mailbox: the rules leave open what becomes of any other Sender."""
    outside = decode(re.sub(r'"[^"\\]*"', "", value.strip()))
    signs = len(re.findall(r'[@(:;,"\\\x00-\x08\x7f]', outside))
    return signs == 1 and re.search(r"[^\s<]@[^\s>]+>?$", outside) is not None


def _is_broken_signature(field: Field) -> bool:
    tags = dict(tag.split("=", 1) for tag in "".join(field.value.split()).split(";") if "=" in tag)
    return field.name == "dkim-signature" and "from" in tags.get("h", "").lower().split(":")


def find_differences(expected: Header, got: Sequence[Field]) -> Iterator[str]:
    """Say in what a header is not as expected."""
    wanted, extra = list(expected.kept), list[Field]()
    before_extra: dict[int, int] = {}
    for field in got:
        skipped = wanted
        while skipped and skipped[0].raw != field.raw and skipped[0].raw in expected.optional:
            skipped = skipped[1:]
        if skipped and skipped[0].raw == field.raw:
            wanted = skipped[1:]
        else:
            before_extra[len(extra)] = len(expected.kept) - len(wanted)
            extra.append(field)
    lost = [field.raw for field in wanted if field.raw not in expected.optional]
    if lost:
        yield f"lost, changed or moved: {lost}"
    names = [field.name for field in extra]
    due = [*expected.added, *(name for name, _ in expected.written)]
    if sorted(names) != sorted(due):
        yield f"new fields {[field.raw for field in extra]}; should be {sorted(due)}"
        return
    for name, key in expected.written:
        position = names.index(name)
        yield from _check_written(expected, extra[position], key)
        if name == "resent-from" and not _is_in_block(expected, before_extra[position]):
            yield f"Resent-From is outside of the newest block {expected.newest}"


def _check_written(expected: Header, field: Field, key: str) -> Iterator[str]:
    mailboxes = read_mailboxes(field.value)
    if [mailbox.key for mailbox in mailboxes] != [key]:
        yield f"{field.raw!r} should hold {key} alone"
    elif field.name != "reply-to" and expected.names is not None and not mailboxes[0].names & expected.names:
        yield f"{field.raw!r} should have one of the names {sorted(expected.names)}"


def _is_in_block(expected: Header, before: int) -> bool:
    """Tell whether what stands behind so many of the kept fields is in the newest block, or at its border."""
    if not expected.newest:
        return not any(field.name.startswith("resent-") for field in expected.kept[:before])
    start = next(n for n, field in enumerate(expected.kept) if field.raw == expected.newest[0])
    return start <= before <= start + len(expected.newest)
