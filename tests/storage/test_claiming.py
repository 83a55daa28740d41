import asyncio
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine

from relay.model.destination import to_account
from relay.model.mail import AT_ONCE, ClaimedDelivery, DeliveryState
from relay.rules.turns import Cursor
from relay.storage import admin, claiming
from relay.storage.engine import transaction
from relay.storage.queue import Queue
from relay.storage.transaction import Transaction
from tests.storage.conftest import INBOX, LATER, NOW, SALES, TAKEN, new_mail, settled


async def claim(
    queue: Queue, account: str = "sales", *, now: int = NOW, limit: int = 9, open_now: bool = True
) -> list[str]:
    return [
        found.message.id for found in await queue.claim(to_account(account), now=now, limit=limit, open_now=open_now)
    ]


async def test_only_what_is_due_is_claimed_the_oldest_first_and_once(queue: Queue) -> None:
    mails = [new_mail(due=NOW - 1), new_mail(due=NOW - 2), new_mail(due=NOW + 1), new_mail(account="other")]
    for mail in mails:
        await queue.accept(mail)
    ids = [mail.message.id for mail in mails]
    assert await claim(queue, limit=1) == [ids[1]]
    assert await claim(queue) == [ids[0]]
    assert await claim(queue) == []
    assert await claim(queue, now=NOW + 1) == [ids[2]]
    assert await claim(queue, "other") == [ids[3]]


async def test_outside_of_the_hours_only_what_is_wanted_at_once(queue: Queue) -> None:
    ordinary, urgent = new_mail(), new_mail(due=AT_ONCE)
    for mail in (ordinary, urgent):
        await queue.accept(mail)
    assert await claim(queue, open_now=False) == [urgent.message.id]


async def test_what_is_given_back_is_as_it_was(queue: Queue) -> None:
    await queue.accept(new_mail())
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert await queue.requeue(claimed)
    (again,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert replace(again, token="") == replace(claimed, token="")
    assert again.token != claimed.token


async def test_two_claims_at_once_share_nothing(queue: Queue) -> None:
    for _ in range(20):
        await queue.accept(new_mail())
    claims = await asyncio.gather(*(queue.claim(SALES, now=NOW, limit=7, open_now=True) for _ in range(5)))
    found = [one.id for several in claims for one in several]
    assert len(found) == len(set(found)) == 20


async def test_mail_of_accounts_that_are_gone_is_held(queue: Queue) -> None:
    mails = [new_mail(account=name) for name in ("gone", "gone", "sales")]
    for mail in mails:
        await queue.accept(mail)
    held = await queue.hold_accounts(["gone", "nobody"], now=NOW)
    assert [one.message_id for one in held] == [mail.message.id for mail in mails[:2]]
    assert await queue.next_due() == {SALES: NOW}
    assert [(alert.account, alert.count) for alert, _ in await queue.pending_alerts()] == [("gone", 2)]


async def test_a_long_queue_is_held_in_steps_and_each_mail_says_why(queue: Queue, engine: Engine) -> None:
    mails = [new_mail(account="gone") for _ in range(5)]
    for mail in mails:
        await queue.accept(mail)
    assert [len(await queue.hold_accounts(["gone"], now=NOW, limit=2)) for _ in range(4)] == [2, 2, 1, 0]
    assert [alert.count for alert, _ in await queue.pending_alerts()] == [5]
    (event,) = admin.show_message(engine, mails[0].message.id).events
    assert (event.what, event.detail) == ("held", "the account gone is gone or excluded")


async def test_next_due_is_the_smallest_of_each_lane(queue: Queue) -> None:
    assert await queue.next_due() == {}
    for account, due in (("b", 5), ("a", 7), ("b", 3), ("", 9)):
        await queue.accept(new_mail(account=account, due=due))
    assert await queue.next_due() == {INBOX: 9, to_account("a"): 7, to_account("b"): 3}
    assert await queue.queued_accounts() == {"a", "b"}


async def test_a_delivery_that_was_settled_is_claimed_again_when_it_is_due(queue: Queue) -> None:
    await queue.accept(new_mail(to=2))
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.settle(settled(claimed, {0: TAKEN, 1: LATER}, DeliveryState.QUEUED, due=NOW + 5))
    assert await claim(queue, now=NOW + 4) == []
    (again,) = await queue.claim(SALES, now=NOW + 5, limit=1, open_now=True)
    assert [r.n for r in again.recipients] == [1]
    assert again.attempts == 1


async def test_sources_take_turns_and_the_newest_may_go_first(queue: Queue) -> None:
    mailing = [new_mail(source="a", due=NOW - 9 + n) for n in range(4)]
    others = [new_mail(source=source, due=NOW) for source in ("b", "c")]
    for mail in (*mailing, *others):
        await queue.accept(mail)
    order, served = [], ""
    for newest in (False, False, False, True, False, False):
        (found,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True, cursor=Cursor(served), newest=newest)
        order.append(found.message.id)
        served = found.message.source
    expected = (mailing[0], others[0], others[1], mailing[3], mailing[1], mailing[2])
    assert order == [mail.message.id for mail in expected]


async def test_a_source_whose_mail_is_not_due_is_passed_over(queue: Queue) -> None:
    later = [new_mail(source=source, due=NOW + 5) for source in "abd"]
    due = new_mail(source="c")
    for mail in (*later, due):
        await queue.accept(mail)
    for served in ("", "a", "c", "d", "zzz"):
        (found,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True, cursor=Cursor(served))
        assert found.message.id == due.message.id
        await queue.requeue(found)
    assert await queue.claim(SALES, now=NOW - 1, limit=1, open_now=True, cursor=Cursor("b")) == []
    assert await queue.next_due() == {SALES: NOW}


def known(delivery_id: str, account: str = "sales", tried: int = 0) -> ClaimedDelivery:
    message = new_mail().message
    return ClaimedDelivery(
        id=delivery_id, destination=to_account(account), version=0, attempts=0, uncertain=0, since=NOW,
        message=message, recipients=(), tried=tried,
    )  # fmt: skip


async def test_one_that_is_known_is_taken_once_and_only_for_its_account(queue: Queue) -> None:
    mails = [new_mail(), new_mail(), new_mail(account="other")]
    for mail in mails:
        await queue.accept(mail)
    first, second, other = (mail.deliveries[0].id for mail in mails)
    wishes = [known(first), known(first), known(other), known(other, "other"), known("unknown")]
    assert [await queue.claim_by_id(wish) is not None for wish in wishes] == [True, False, False, True, False]
    assert await claim(queue) == [mails[1].message.id]
    assert not await queue.claim_by_id(known(second))


async def test_one_that_was_tried_since_it_was_read_is_not_taken(queue: Queue) -> None:
    mail = new_mail(to=2)
    await queue.accept(mail)
    ((before, _),) = await queue.prefetch(SALES, now=NOW, limit=9, cursor=Cursor())
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.settle(settled(claimed, {0: TAKEN, 1: LATER}, DeliveryState.QUEUED))
    assert not await queue.claim_by_id(before)
    ((after, _),) = await queue.prefetch(SALES, now=NOW, limit=9, cursor=Cursor())
    assert [recipient.n for recipient in after.recipients] == [1]
    assert await queue.claim_by_id(after)


async def test_those_that_are_taken_together_share_a_commit(queue: Queue) -> None:
    mails = [new_mail() for _ in range(20)]
    for mail in mails:
        await queue.accept(mail)
    assert all(await asyncio.gather(*(queue.claim_by_id(known(mail.deliveries[0].id)) for mail in mails)))
    assert await claim(queue) == []


async def test_of_two_that_take_the_same_at_once_one_gets_it(queue: Queue) -> None:
    mail = new_mail()
    await queue.accept(mail)
    taken = await asyncio.gather(*(queue.claim_by_id(known(mail.deliveries[0].id)) for _ in range(5)))
    assert [one is not None for one in taken] == [True, False, False, False, False]


async def served_in_turn(queue: Queue, count: int, *, newest: bool = False) -> list[str]:
    """Claim one after the other as a lane does; gives the sources."""
    order: list[str] = []
    cursor = Cursor()
    for _ in range(count):
        claimed = await queue.claim(SALES, now=NOW, limit=1, open_now=True, cursor=cursor, newest=newest)
        order += [one.message.source for one in claimed]
        cursor = cursor.after(order[-1])
    return order


async def test_users_take_turns_first_and_the_kinds_of_each(queue: Queue) -> None:
    for source in ("anna 1", "anna 2", "anna 3", "anna 3", "anna! 7", "bert 1", "bert 1", "relay"):
        await queue.accept(new_mail(source=source))
    assert await served_in_turn(queue, 8) == [
        *("anna 1", "anna! 7", "bert 1", "relay"),
        *("anna 2", "bert 1", "anna 3", "anna 3"),
    ]


async def test_of_a_user_the_newest_of_all_kinds_may_go_first(queue: Queue) -> None:
    for source, age in (("anna 1", 3), ("anna 2", 1), ("anna 3", 2), ("bert 9", 4), ("anna 2", -1)):
        await queue.accept(new_mail(source=source, due=NOW - age))
    assert await served_in_turn(queue, 4, newest=True) == ["anna 2", "bert 9", "anna 3", "anna 1"]


async def test_the_kinds_of_a_user_go_on_from_the_first_again(queue: Queue) -> None:
    for source in ("anna 1", "anna 2", "anna 9"):
        await queue.accept(new_mail(source=source))
    order = []
    for last in ("anna 5", "anna 9", "anna 1"):
        (one,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True, cursor=Cursor().after(last))
        order.append(one.message.source)
    assert order == ["anna 9", "anna 1", "anna 2"]


async def test_a_lane_that_empties_between_two_looks_is_no_error(engine: Engine) -> None:
    class Emptied(Transaction):
        def rows(self, sql: Any, /, *parameters: Any, **named: Any) -> Any:  # noqa: ANN401 - see its base
            return [("sales",)] if sql == claiming._LANES else super().rows(sql, *parameters, **named)

    with transaction(engine, write=False) as tx:
        assert claiming.next_due(Emptied(tx._driver, tx._dialect)) == {}
