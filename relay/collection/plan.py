"""What one poll does with each message of a mailbox: fetch it, delete it, leave it alone, or forget it. Pure functions.

A message is known by its key (account, folder, validity, unique id). Nothing is deleted that was not fetched by us.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from relay.model.account import FirstPoll, MailboxServer
from relay.model.maildrop import FolderListing, Listed, Mailbox, MessageKey, Seen

FORGET_AFTER = 30 * 86_400_000
"""Milliseconds for which an id that is gone stays known: some servers show an old message again after a fault."""
_MOST_HOSTS = 8
"""Names of one mailbox's host that are remembered."""


class Contact(Enum):
    """How a mailbox relates to that of the last polls."""

    SAME = auto()
    """The same, under a name that is known."""
    RENAMED = auto()
    """The same, under another host or login."""
    NEW = auto()
    """The first one, or another one than before: nothing of earlier polls counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PollPlan:
    """What one poll does."""

    contact: Contact = Contact.SAME
    hosts: tuple[str, ...] = ()
    """The names of the mailbox's host that are remembered from now on."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """The folders that are remembered from now on, each with its validity."""
    fetch: tuple[Listed, ...] = ()
    delete: tuple[Listed, ...] = ()
    """Fetched by an earlier poll, and to be deleted now."""
    skip: tuple[MessageKey, ...] = ()
    """There before the first contact with their folder; left alone for ever."""
    gone: tuple[MessageKey, ...] = ()
    """No longer on the server."""
    back: tuple[MessageKey, ...] = ()
    """Found to be gone by an earlier poll, and listed again."""
    forget: tuple[MessageKey, ...] = ()
    """Gone for so long that they need not be known any more."""


def recognise(
    known: Mailbox | None, seen: Mapping[MessageKey, Seen], listed: Sequence[Listed], server: MailboxServer
) -> Contact:
    """Decide whether a mailbox is that of the last polls, though its host or login may be written in another way.

    It is, if one of the known messages is listed. If none can be, since all were deleted after they had been fetched,
    the same login is enough: what came in the meantime must not be left out.
    """
    if known is None or not known.hosts:
        return Contact.NEW
    same_login = _plain(server.username) == _plain(known.login)
    if same_login and _plain(server.host) in map(_plain, known.hosts):
        return Contact.SAME
    if any(one.key in seen for one in listed):
        return Contact.RENAMED
    expected = any(one.gone_at is None for one in seen.values())
    return Contact.RENAMED if same_login and not expected else Contact.NEW


def hosts_of(known: Mailbox | None, contact: Contact, host: str) -> tuple[str, ...]:
    """Return the names to remember for a mailbox, so that nodes that write its host in different ways agree."""
    before = known.hosts if known is not None and contact is not Contact.NEW else ()
    return (*(one for one in before if _plain(one) != _plain(host)), _plain(host))[-_MOST_HOSTS:]


def _plain(name: str) -> str:
    """Return a host or login as it is compared: in lower case, a host without the dot of the root."""
    return name.lower().removesuffix(".")


def plan_poll(
    listings: Sequence[FolderListing],
    known: Mailbox | None,
    seen: Mapping[MessageKey, Seen],
    *,
    server: MailboxServer,
    now: int,
) -> PollPlan:
    """Plan one poll of a mailbox; `known` and `seen` are what earlier polls left, `now` is in milliseconds.

    A folder without unique ids is fetched as a whole. `first_poll` applies to a mailbox that is new, and to a folder
    that is: it was not listed before, or has another validity than before.
    """
    with_ids = [one for one in listings if one.has_ids]
    contact = recognise(known, seen, [message for one in with_ids for message in one.messages], server)
    if contact is Contact.NEW:
        seen = {}
    folders_before = {} if known is None or contact is Contact.NEW else known.folders
    fetch = [message for one in listings if not one.has_ids for message in one.messages]
    skip: list[MessageKey] = []
    delete: list[Listed] = []
    for folder in with_ids:
        unknown = [one for one in folder.messages if one.key not in seen]
        is_new = folders_before.get(folder.folder) != folder.validity
        if is_new and server.first_poll is FirstPoll.NEW:
            skip += [one.key for one in unknown]
        else:
            fetch += unknown
        leave = server.leave_on_server
        delete += [one for one in folder.messages if one.key in seen and _may_go(seen[one.key], leave, now)]
    listed = {one.key for folder in with_ids for one in folder.messages}
    # Of a folder that was not listed as a whole, nothing is known to be gone.
    partly = {one.folder for one in listings if one.passed_over or not one.has_ids}
    missing = {key: one for key, one in seen.items() if key not in listed and key.folder not in partly}
    return PollPlan(
        contact=contact,
        hosts=hosts_of(known, contact, server.host),
        folders={one.folder: one.validity for one in listings},
        fetch=tuple(fetch),
        delete=tuple(delete),
        skip=tuple(skip),
        gone=tuple(key for key, one in missing.items() if one.gone_at is None),
        back=tuple(key for key, one in seen.items() if one.gone_at is not None and key in listed),
        forget=tuple(
            key for key, one in missing.items() if one.gone_at is not None and now - one.gone_at > FORGET_AFTER
        ),
    )


def _may_go(seen: Seen, leave: bool | int, now: int) -> bool:  # noqa: FBT001 - the setting is one of both
    if not seen.fetched or leave is True:
        return False
    return leave is False or now - seen.first_seen >= leave
