from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.collection.plan import FORGET_AFTER, PollPlan, plan_poll, recognise
from relay.model.account import FirstPoll, MailboxServer, Security
from relay.model.maildrop import FolderListing, Listed, Mailbox, MessageKey, Seen

DAY = 86_400_000
NOW = 100 * DAY
HERE = Mailbox(hosts=("pop.one.example", "pop.two.example"), login="Sales", folders={"": ""})


def listing(*uids: str, folder: str = "", validity: str = "") -> list[Listed]:
    return [Listed(n=n, key=MessageKey(uid, folder, validity), size=1) for n, uid in enumerate(uids, 1)]


def uids(found: Iterable[Listed]) -> list[str]:
    return [one.key.uid for one in found]


def known_as(seen: Mapping[str, Seen]) -> dict[MessageKey, Seen]:
    return {MessageKey(uid): one for uid, one in seen.items()}


def server_with(**how: Any) -> MailboxServer:  # noqa: ANN401 - fields of a server
    given = {"host": "pop.one.example", "port": 995, "security": Security.TLS, "username": "Sales", **how}
    return MailboxServer(**given)


def plan(
    messages: Sequence[Listed],
    seen: Mapping[str, Seen],
    *,
    known: Mailbox | None = HERE,
    now: int = NOW,
    passed_over: int = 0,
    **how: Any,  # noqa: ANN401 - fields of a server
) -> PollPlan:
    listings = [FolderListing(messages=messages, passed_over=passed_over)]
    return plan_poll(listings, known, known_as(seen), server=server_with(**how), now=now)


def test_what_is_not_known_is_fetched_and_what_was_fetched_goes() -> None:
    found = plan(listing("a", "b"), {"a": Seen(first_seen=0)})
    assert (found.mailbox, found.is_new, uids(found.fetch), uids(found.delete)) == (HERE, False, ["b"], ["a"])


def test_leave_on_server_for_ever_and_for_days() -> None:
    seen = {"old": Seen(first_seen=NOW - 14 * DAY), "young": Seen(first_seen=NOW - 13 * DAY)}
    assert plan(listing("old", "young"), seen, leave_on_server=True).delete == ()
    assert uids(plan(listing("old", "young"), seen, leave_on_server=14 * DAY).delete) == ["old"]


def test_first_contact_with_only_new_leaves_everything_alone_for_ever() -> None:
    first = plan(listing("a", "b"), {}, known=None, first_poll=FirstPoll.NEW)
    assert (first.fetch, first.delete, first.skip) == ((), (), (MessageKey("a"), MessageKey("b")))
    assert (first.is_new, first.mailbox.folders) == (True, {"": ""})
    seen = {key.uid: Seen(first_seen=NOW, fetched=False) for key in first.skip}
    later = plan(listing("a", "b", "c"), seen, now=NOW + 99 * DAY)
    assert (uids(later.fetch), later.delete) == (["c"], ())


def test_what_is_gone_stays_known_for_a_while() -> None:
    seen = {
        "a": Seen(first_seen=0),
        "b": Seen(first_seen=0, gone_at=NOW - FORGET_AFTER - 1),
        "c": Seen(first_seen=0, gone_at=NOW),
    }
    found = plan(listing("c"), seen, leave_on_server=True)
    assert (found.gone, found.forget, found.back, found.fetch) == (
        (MessageKey("a"),), (MessageKey("b"),), (MessageKey("c"),), (),
    )  # fmt: skip


def test_a_folder_with_another_validity_or_that_is_new_is_a_new_one_and_others_go_on() -> None:
    known = Mailbox(hosts=("pop.one.example",), login="Sales", folders={"in": "1", "lists": "7"})
    seen = {MessageKey("1", "in", "1"): Seen(first_seen=1), MessageKey("1", "lists", "7"): Seen(first_seen=1)}
    listings = [
        FolderListing(messages=listing("1", "2", folder="in", validity="2"), folder="in", validity="2"),
        FolderListing(messages=listing("1", "2", folder="lists", validity="7"), folder="lists", validity="7"),
        FolderListing(messages=listing("1", folder="more", validity="1"), folder="more", validity="1"),
    ]
    first_poll = {policy: plan_poll(listings, known, seen, server=server_with(first_poll=policy, leave_on_server=True),
                                    now=NOW) for policy in FirstPoll}  # fmt: skip
    found = first_poll[FirstPoll.NEW]
    assert [one.key for one in found.fetch] == [MessageKey("2", "lists", "7")]
    assert found.skip == (MessageKey("1", "in", "2"), MessageKey("2", "in", "2"), MessageKey("1", "more", "1"))
    assert (found.is_new, found.gone) == (False, (MessageKey("1", "in", "1"),))
    assert found.mailbox.folders == {"in": "2", "lists": "7", "more": "1"}
    assert len(first_poll[FirstPoll.ALL].fetch) == 4
    assert not first_poll[FirstPoll.ALL].delete


def test_without_unique_ids_all_is_fetched_and_nothing_is_noted() -> None:
    messages = [Listed(n=n, key=MessageKey(""), size=1) for n in (1, 2)]
    listings = [FolderListing(messages=messages, has_ids=False)]
    found = plan_poll(listings, HERE, known_as({"a": Seen(first_seen=1)}), server=server_with(), now=NOW)
    assert found.fetch == tuple(messages)
    assert (found.gone, found.back, found.forget, found.skip, found.delete) == ((), (), (), (), ())


ids = st.sampled_from("abcdef")
seens = st.builds(
    lambda first, fetched, gone: Seen(first_seen=first, fetched=fetched, gone_at=gone),
    st.integers(0, NOW), st.booleans(), st.none() | st.integers(0, NOW),
)  # fmt: skip
leaves = st.booleans() | st.integers(1, 100 * DAY)


@given(
    server=st.lists(ids, max_size=10, unique=True),
    seen=st.dictionaries(ids, seens),
    leave=leaves,
    first_poll=st.sampled_from(FirstPoll),
    known=st.sampled_from([HERE, None]),
)
def test_every_message_has_exactly_one_fate_and_nothing_goes_that_was_not_fetched(
    server: list[str], seen: dict[str, Seen], leave: bool | int, first_poll: FirstPoll, known: Mailbox | None
) -> None:
    listed = listing(*server)
    found = plan(listed, seen, known=known, leave_on_server=leave, first_poll=first_poll)
    counted = seen if known is not None else {}
    for one in listed:
        fates = [one in found.fetch, one in found.delete, one.key in found.skip]
        assert sum(fates) <= 1
        assert (one.key.uid in counted) != (fates[0] or fates[2])
    assert all(counted[one.key.uid].fetched for one in found.delete)
    assert not {*found.gone, *found.forget} & {one.key for one in listed}
    assert leave is not True or not found.delete


LIVE = {"k": Seen(first_seen=1)}
OVER = {"k": Seen(first_seen=1, gone_at=2)}


@pytest.mark.parametrize(
    ("known", "seen", "keys", "host", "login", "hosts"),
    [
        (None, {}, ["x"], "pop.one.example", "Sales", None),
        (Mailbox(hosts=(), login=""), {}, ["x"], "pop.one.example", "Sales", None),
        (HERE, LIVE, ["x"], "pop.one.example", "Sales", HERE.hosts),
        (HERE, LIVE, ["x"], "POP.Two.example.", "sales", HERE.hosts),
        (HERE, LIVE, ["x", "k"], "other.example", "Sales", (*HERE.hosts, "other.example")),
        (HERE, OVER, ["x", "k"], "other.example", "Sales", (*HERE.hosts, "other.example")),
        (HERE, LIVE, ["x", "k"], "pop.one.example", "other", ("pop.two.example", "pop.one.example")),
        (HERE, OVER, ["x"], "other.example", "Sales", (*HERE.hosts, "other.example")),
        (HERE, {}, [], "other.example", "Sales", (*HERE.hosts, "other.example")),
        (HERE, LIVE, ["x"], "other.example", "Sales", None),
        (HERE, OVER, ["x"], "pop.one.example", "other", None),
        (HERE, LIVE, [], "other.example", "Sales", None),
    ],
)
def test_a_mailbox_is_known_by_its_messages_and_not_by_how_its_host_is_written(
    known: Mailbox | None, seen: dict[str, Seen], keys: list[str], host: str, login: str, hosts: tuple[str, ...] | None
) -> None:
    found = recognise(known, known_as(seen), listing(*keys), server_with(host=host, username=login))
    assert (found and found.hosts) == hosts
    assert found is None or found is known or found.login == login


def test_the_names_of_a_mailbox_are_remembered_and_bounded() -> None:
    for known in (None, replace(HERE, login="other")):
        assert plan([], LIVE, known=known, host="A.example.").mailbox.hosts == ("a.example",)
    many = Mailbox(hosts=tuple(f"h{n}.example" for n in range(8)), login="x")
    assert plan(listing("k"), LIVE, known=many, host="New.example").mailbox.hosts == (*many.hosts[1:], "new.example")


def test_of_a_mailbox_that_was_not_listed_as_a_whole_nothing_is_gone() -> None:
    seen = {"old": Seen(first_seen=1), "older": Seen(first_seen=1, gone_at=2)}
    found = plan(listing("new"), seen, leave_on_server=True, now=10**13, passed_over=3)
    assert (uids(found.fetch), found.gone, found.forget) == (["new"], (), ())
    found = plan(listing("new"), seen, leave_on_server=True, now=10**13)
    assert (found.gone, found.forget) == ((MessageKey("old"),), (MessageKey("older"),))
