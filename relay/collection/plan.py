"""What one poll does with each message of a mailbox: fetch it, delete it, leave it alone, or forget it. Pure functions.

A message is known by its key (account, folder, validity, unique id). Nothing is deleted that was not fetched by us.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from relay.model.account import FirstPoll, MailboxServer
from relay.model.maildrop import FolderListing, Listed, Mailbox, MessageKey, Seen

FORGET_AFTER = 30 * 86_400_000
"""Milliseconds for which an id that is gone stays known: some servers show an old message again after a fault."""
_MOST_HOSTS = 8
"""Names of one mailbox's host that are remembered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PollPlan:
    """What one poll does."""

    mailbox: Mailbox
    """What is known of the mailbox from now on; as before where nothing is new."""
    is_new: bool
    """Whether it is another mailbox than before: then nothing that is known of the earlier one counts."""
    fetch: tuple[Listed, ...]
    delete: tuple[Listed, ...]
    """Fetched by an earlier poll, and to be deleted now."""
    skip: tuple[MessageKey, ...]
    """There before the first contact with their folder; left alone for ever."""
    gone: tuple[MessageKey, ...]
    """No longer on the server."""
    back: tuple[MessageKey, ...]
    """Found to be gone by an earlier poll, and listed again."""
    forget: tuple[MessageKey, ...]
    """Gone for so long that they need not be known any more."""


def recognise(
    known: Mailbox | None, seen: Mapping[MessageKey, Seen], listed: Sequence[Listed], server: MailboxServer
) -> Mailbox | None:
    """Return what was known of a mailbox, with the host and login that it has now; None: it is new, or another one.

    It is the same one, though its host or login may be written in another way, if one of the known messages is listed.
    If none can be, since all were deleted after they had been fetched, the same login is enough: what came in the
    meantime must not be left out.
    """
    if known is None or not known.hosts:
        return None
    host, same_login = _plain(server.host), _plain(server.username) == _plain(known.login)
    if same_login and host in map(_plain, known.hosts):
        return known
    expected = any(one.gone_at is None for one in seen.values())
    if not any(one.key in seen for one in listed) and (expected or not same_login):
        return None
    # The names before stay, so that nodes that write its host in different ways agree.
    hosts = (*(one for one in known.hosts if _plain(one) != host), host)
    return replace(known, hosts=hosts[-_MOST_HOSTS:], login=server.username)


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
    before = recognise(known, seen, [message for one in with_ids for message in one.messages], server)
    is_new = before is None
    if before is None:
        before, seen = Mailbox(hosts=(_plain(server.host),), login=server.username), {}
    fetch = [message for one in listings if not one.has_ids for message in one.messages]
    skip: list[MessageKey] = []
    delete: list[Listed] = []
    for folder in with_ids:
        unknown = [one for one in folder.messages if one.key not in seen]
        is_new_folder = before.folders.get(folder.folder) != folder.validity
        if is_new_folder and server.first_poll is FirstPoll.NEW:
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
        mailbox=replace(before, folders={one.folder: one.validity for one in listings}),
        is_new=is_new,
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
