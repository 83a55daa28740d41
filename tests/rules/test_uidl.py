import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.maildrop import Listed, Mailbox, Seen
from relay.rules.uidl import FORGET_AFTER, Contact, hosts_of, name_twins, plan_poll, recognise

DAY = 86_400_000
NOW = 100 * DAY


def listing(*keys: str) -> list[Listed]:
    return [Listed(n=n, key=key, size=1) for n, key in enumerate(keys, 1)]


def keys(found: tuple[Listed, ...]) -> list[str]:
    return [one.key for one in found]


def test_what_is_not_known_is_fetched_and_what_was_fetched_goes() -> None:
    plan = plan_poll(listing("a", "b"), {"a": Seen(first_seen=0)}, leave=False, only_new=False, now=NOW)
    assert (keys(plan.fetch), keys(plan.delete)) == (["b"], ["a"])


def test_leave_on_server_for_ever_and_for_days() -> None:
    seen = {"old": Seen(first_seen=NOW - 14 * DAY), "young": Seen(first_seen=NOW - 13 * DAY)}
    assert plan_poll(listing("old", "young"), seen, leave=True, only_new=False, now=NOW).delete == ()
    assert keys(plan_poll(listing("old", "young"), seen, leave=14 * DAY, only_new=False, now=NOW).delete) == ["old"]


def test_first_contact_with_only_new_leaves_everything_alone_for_ever() -> None:
    plan = plan_poll(listing("a", "b"), {}, leave=False, only_new=True, now=NOW)
    assert (plan.fetch, plan.delete, plan.skip) == ((), (), ("a", "b"))
    seen = {key: Seen(first_seen=NOW, fetched=False) for key in plan.skip}
    plan = plan_poll(listing("a", "b", "c"), seen, leave=False, only_new=False, now=NOW + 99 * DAY)
    assert (keys(plan.fetch), plan.delete) == (["c"], ())


def test_what_is_gone_stays_known_for_a_while() -> None:
    seen = {
        "a": Seen(first_seen=0),
        "b": Seen(first_seen=0, gone_at=NOW - FORGET_AFTER - 1),
        "c": Seen(first_seen=0, gone_at=NOW),
    }
    plan = plan_poll(listing("c"), seen, leave=True, only_new=False, now=NOW)
    assert (plan.gone, plan.forget, plan.back, plan.fetch) == (("a",), ("b",), ("c",), ())


def test_twins_get_names_of_their_own() -> None:
    assert keys(name_twins(listing("a", "b", "a", "a"))) == ["a", "b", "a 2", "a 3"]


ids = st.sampled_from("abcdef")
seens = st.builds(
    lambda first, fetched, gone: Seen(first_seen=first, fetched=fetched, gone_at=gone),
    st.integers(0, NOW), st.booleans(), st.none() | st.integers(0, NOW),
)  # fmt: skip
leaves = st.booleans() | st.integers(1, 100 * DAY)


@given(server=st.lists(ids, max_size=10), seen=st.dictionaries(ids, seens), leave=leaves, only_new=st.booleans())
def test_every_message_has_exactly_one_fate_and_nothing_goes_that_was_not_fetched(
    server: list[str], seen: dict[str, Seen], leave: bool | int, only_new: bool
) -> None:
    listed = name_twins(listing(*server))
    assert len({one.key for one in listed}) == len(server)
    plan = plan_poll(listed, seen, leave=leave, only_new=only_new, now=NOW)
    for one in listed:
        fates = [one in plan.fetch, one in plan.delete, one.key in plan.skip]
        assert sum(fates) <= 1
        assert (one.key in seen) != (fates[0] or fates[2])
    assert all(seen[one.key].fetched for one in plan.delete)
    assert not {*plan.gone, *plan.forget} & {one.key for one in listed}
    assert leave is not True or not plan.delete


HERE = Mailbox(account="a", hosts=("pop.one.example", "pop.two.example"), login="Sales")
LIVE = {"k": Seen(first_seen=1)}
OVER = {"k": Seen(first_seen=1, gone_at=2)}


@pytest.mark.parametrize(
    ("known", "seen", "keys", "host", "login", "contact"),
    [
        (None, {}, ["x"], "pop.one.example", "Sales", Contact.NEW),
        (Mailbox(account="a", hosts=(), login=""), {}, ["x"], "pop.one.example", "Sales", Contact.NEW),
        (HERE, LIVE, ["x"], "pop.one.example", "Sales", Contact.SAME),
        (HERE, LIVE, ["x"], "POP.Two.example.", "sales", Contact.SAME),
        (HERE, LIVE, ["x", "k"], "other.example", "Sales", Contact.RENAMED),
        (HERE, OVER, ["x", "k"], "other.example", "Sales", Contact.RENAMED),
        (HERE, LIVE, ["x", "k"], "pop.one.example", "other", Contact.RENAMED),
        (HERE, OVER, ["x"], "other.example", "Sales", Contact.RENAMED),
        (HERE, {}, [], "other.example", "Sales", Contact.RENAMED),
        (HERE, LIVE, ["x"], "other.example", "Sales", Contact.NEW),
        (HERE, OVER, ["x"], "pop.one.example", "other", Contact.NEW),
        (HERE, LIVE, [], "other.example", "Sales", Contact.NEW),
    ],
)
def test_a_mailbox_is_known_by_its_messages_and_not_by_how_its_host_is_written(
    known: Mailbox | None, seen: dict[str, Seen], keys: list[str], host: str, login: str, contact: Contact
) -> None:
    listing = [Listed(n=n, key=key, size=1) for n, key in enumerate(keys, 1)]
    assert recognise(known, seen, listing, host=host, login=login) is contact


def test_the_names_of_a_mailbox_are_remembered_and_bounded() -> None:
    assert hosts_of(None, Contact.NEW, "A.example.") == ("a.example",)
    assert hosts_of(HERE, Contact.NEW, "a.example") == ("a.example",)
    assert hosts_of(HERE, Contact.RENAMED, "POP.one.example") == ("pop.two.example", "pop.one.example")
    many = Mailbox(account="a", hosts=tuple(f"h{n}.example" for n in range(8)), login="x")
    assert hosts_of(many, Contact.RENAMED, "new.example") == (*many.hosts[1:], "new.example")


def test_of_a_mailbox_that_was_not_listed_as_a_whole_nothing_is_gone() -> None:
    seen = {"old": Seen(first_seen=1), "older": Seen(first_seen=1, gone_at=2)}
    listing = [Listed(n=9, key="new", size=1)]
    plan = plan_poll(listing, seen, leave=True, only_new=False, now=10**13, whole=False)
    assert (plan.fetch, plan.gone, plan.forget) == (tuple(listing), (), ())
    plan = plan_poll(listing, seen, leave=True, only_new=False, now=10**13)
    assert (plan.gone, plan.forget) == (("old",), ("older",))
