from hypothesis import given
from hypothesis import strategies as st

from relay.delivery.ready_queue import ReadyQueue
from relay.model.destination import to_account
from relay.model.mail import ClaimedDelivery, Message, Recipient
from relay.rules.turns import Cursor

_BODY = (b"x" * 100,)


def make_delivery(delivery_id: str, *, user: str = "anna", source: str = "anna 1") -> ClaimedDelivery:
    message = Message(
        id=f"m{delivery_id}", received_at=0, user=user, account="sales", rule="1a", reverse_path="a@x", size=9,
        header_message_id="<1@x>", subject="s", client="::1", header=b"A: b\r\n", source=source,
    )  # fmt: skip
    recipients = (Recipient(n=0, address="b@x"),)
    return ClaimedDelivery(
        id=delivery_id, destination=to_account("sales"), version=0, attempts=0, uncertain=0, since=0, message=message,
        recipients=recipients,
    )  # fmt: skip


def _order(ready: ReadyQueue) -> list[str]:
    taken, cursor = [], Cursor()
    while (work := ready.take(cursor)) is not None:
        taken.append(work[0].id)
        cursor = cursor.after(work[0].message.source)
    return taken


def test_users_take_turns_and_so_do_the_sources_of_each() -> None:
    ready = ReadyQueue()
    for n in range(4):
        ready.add(make_delivery(f"mailing{n}", source="anna 1"), _BODY)
    ready.add(make_delivery("single", source="anna 2"), _BODY)
    ready.add(make_delivery("bert", user="bert", source="bert 1"), _BODY)
    assert _order(ready) == ["mailing0", "bert", "single", "mailing1", "mailing2", "mailing3"]


def test_a_mailing_whose_subjects_all_differ_lets_another_user_pass() -> None:
    ready = ReadyQueue()
    for n in range(60):
        ready.add(make_delivery(f"merge{n}", source=f"anna {n}"), _BODY)
    ready.add(make_delivery("bert", user="bert", source="bert 1"), _BODY)
    assert _order(ready).index("bert") == 1


def test_the_newest_of_a_source_can_go_first() -> None:
    ready = ReadyQueue()
    for n in range(3):
        ready.add(make_delivery(f"d{n}"), _BODY)
    work = ready.take(Cursor(), newest=True)
    assert work is not None
    assert work[0].id == "d2"
    assert work[1] == _BODY
    assert _order(ready) == ["d0", "d1"]


def test_the_newest_of_all_kinds_of_a_user_can_go_first() -> None:
    ready = ReadyQueue()
    for n in range(60):
        ready.add(make_delivery(f"d{n:02}", source=f"anna {n % 7}"), _BODY)
    ready.add(make_delivery("single", source="anna 0"), _BODY)
    work = ready.take(Cursor(), newest=True)
    assert work is not None
    assert work[0].id == "single"


def test_what_the_queue_gave_is_taken_out_with_its_body() -> None:
    ready = ReadyQueue()
    ready.add(make_delivery("d0"), _BODY)
    assert ready.pop("another") is None
    assert ready.pop("d0") == _BODY
    assert not ready
    assert ready.take(Cursor()) is None


def test_there_is_room_for_so_many_mails_and_octets() -> None:
    ready = ReadyQueue(most=2, most_octets=250)
    assert ready.add(make_delivery("d0"), _BODY)
    assert not ready.add(make_delivery("d1"), (b"x" * 200,))
    assert ready.add(make_delivery("d1"), _BODY)
    assert not ready.add(make_delivery("d2"), ())
    ready.take(Cursor())
    assert ready.add(make_delivery("d2"), _BODY)
    ready.clear()
    assert not ready
    assert ready.add(make_delivery("d3"), (b"x" * 200,))


def test_one_alone_always_has_room() -> None:
    ready = ReadyQueue(most_octets=10)
    assert ready.add(make_delivery("d0"), _BODY)
    assert not ready.add(make_delivery("d1"), ())
    assert _order(ready) == ["d0"]


_STEPS = st.lists(st.tuples(st.sampled_from(["add", "take", "newest", "pop"]), st.integers(0, 2), st.integers(0, 3)))


@given(_STEPS)
def test_each_mail_leaves_exactly_once(steps: list[tuple[str, int, int]]) -> None:
    ready, inside, gone, made = ReadyQueue(most=5), set[str](), list[str](), 0
    for step, user, source in steps:
        if step == "add":
            made += 1
            if ready.add(make_delivery(f"d{made}", user=f"u{user}", source=f"u{user} {source}"), _BODY):
                inside.add(f"d{made}")
        elif step == "pop" and inside:
            chosen = min(inside)
            assert ready.pop(chosen) == _BODY
            gone.append(chosen)
            inside.discard(chosen)
        elif (work := ready.take(Cursor(), newest=step == "newest")) is not None:
            gone.append(work[0].id)
            inside.discard(work[0].id)
        assert len(ready) == len(inside)
    assert sorted(_order(ready)) == sorted(inside)
    assert len(set(gone)) == len(gone)
