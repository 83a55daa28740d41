import time
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from relay.model.destination import to_account
from relay.model.errors import StateConflictError
from relay.model.mail import AT_ONCE, DeliveryState, NewMessage
from relay.storage import admin, commands
from relay.storage.commands import Done
from relay.storage.engine import transaction
from relay.storage.queue import Queue
from tests.storage.conftest import INBOX, LATER, NOW, SALES, TAKEN, new_mail, settled

TO = "other@example.com"


def rewrite(header: bytes, user: str | None) -> bytes:
    assert user == "anna"
    return b"X: 1\r\n" + header


async def test_hold_release_retry_and_run(queue: Queue, engine: Engine) -> None:
    mail = new_mail(due=NOW + 99)
    await queue.accept(mail)
    ids = [mail.message.id]
    assert commands.hold(engine, ids, now=NOW).count == 1
    assert await queue.next_due() == {}
    assert commands.release(engine, ids, now=NOW + 5).count == 1
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=False)
    assert (claimed.since, claimed.attempts, claimed.uncertain) == (NOW + 5, 0, 0)
    for command in (commands.hold, commands.release, commands.retry):
        assert command(engine, ids, now=NOW) == Done(count=0, skipped={ids[0]: "is being sent now"})
    await queue.settle(settled(claimed, {0: LATER}, DeliveryState.QUEUED, due=NOW + 99))
    assert commands.retry(engine, ids, now=NOW).count == 1
    assert await queue.next_due() == {SALES: AT_ONCE}
    assert commands.run_queue(engine, ids, now=NOW) == {"sales": {*ids}}


async def test_what_can_not_be_changed_says_why(queue: Queue, engine: Engine) -> None:
    held, waiting, done = new_mail(), new_mail(), new_mail(state=DeliveryState.ACTIVE)
    for mail in (held, waiting, done):
        await queue.accept(mail)
    await queue.settle(settled(done.deliveries[0].id, {0: TAKEN}, DeliveryState.DONE))
    commands.hold(engine, [held.message.id], now=NOW)
    ids = [held.message.id, waiting.message.id, done.message.id, "m-gone"]
    over = {ids[2]: "is done: nothing of it waits", ids[3]: "is not there any more"}
    assert commands.hold(engine, ids[::2], now=NOW).skipped == {ids[0]: "is held already", ids[2]: over[ids[2]]}
    assert commands.release(engine, ids[1:], now=NOW).skipped == {ids[1]: "is not held", **over}
    said = commands.retry(engine, ids, now=NOW)
    assert said.count == 1
    assert said.skipped == {ids[0]: "is held: `relay queue release` lets it go", **over}
    assert commands.delete(engine, ids[2:], now=NOW) == Done(count=0, skipped=over)


async def test_what_is_held_for_an_account_that_does_not_send_is_not_released(queue: Queue, engine: Engine) -> None:
    good, bad, inbox = new_mail(), new_mail(account="old"), new_mail(account="")
    for mail in (good, bad, inbox):
        await queue.accept(mail)
    ids = [good.message.id, bad.message.id, inbox.message.id]
    commands.hold(engine, ids, now=NOW)
    done = commands.release(engine, ids, now=NOW, sends={"sales"})
    assert done.count == 2
    assert "its account old is excluded or gone" in done.skipped[ids[1]]
    assert admin.show_message(engine, ids[1]).deliveries[0].state == "held"


async def test_what_is_deleted_leaves_its_history(queue: Queue, engine: Engine) -> None:
    active, waiting = new_mail(state=DeliveryState.ACTIVE), new_mail(to=2)
    for mail in (active, waiting):
        await queue.accept(mail)
    ids = [active.message.id, waiting.message.id]
    done = commands.delete(engine, ids, now=NOW)
    assert done == Done(count=1, skipped={ids[0]: "is being sent now"})
    assert [chunk async for chunk in queue.chunks(ids[1], 0)] == []
    assert [chunk async for chunk in queue.chunks(ids[0], 0)] != []
    shown = admin.show_message(engine, ids[1])
    assert [delivery.state for delivery in shown.deliveries] == ["done"]
    found = [(r.outcome, r.code, r.reply) for r in shown.deliveries[0].recipients]
    assert found == [("bounced", 0, "deleted by command")] * 2
    assert [(event.what, event.detail) for event in shown.events] == [("deleted", "by command; nobody is told")]
    assert await queue.next_due() == {}
    with transaction(engine, write=True) as tx:
        tx.raw("UPDATE delivery SET state = 'queued', token = 'left over' WHERE id = ?", waiting.deliveries[0].id)
    assert commands.delete(engine, ids[1:], now=NOW).count == 1
    with transaction(engine, write=False) as tx:
        assert tx.raw("SELECT state, token FROM delivery WHERE id = ?", waiting.deliveries[0].id) == [("done", "")]
    await queue.settle(settled(active.deliveries[0].id, {0: TAKEN}, DeliveryState.DONE))
    assert admin.show_message(engine, ids[0]).deliveries[0].recipients[0].outcome == "delivered"


async def test_a_mail_of_which_a_part_is_under_way_is_neither_deleted_nor_moved(queue: Queue, engine: Engine) -> None:
    mail = new_mail(to=2)
    await queue.accept(mail)
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    later = mail.deliveries[0].recipients[1:]
    split = settled(claimed, {0: LATER}, DeliveryState.QUEUED, due=NOW + 99, creates=new_mail(to=2).deliveries)
    object.__setattr__(split.splits[0], "recipients", later)
    await queue.settle(split)
    await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    skipped = {mail.message.id: "is being sent now"}
    assert commands.delete(engine, [mail.message.id], now=NOW).skipped == skipped
    assert commands.move(engine, [mail.message.id], "x", rewrite, reverse_path=TO, now=NOW).skipped == skipped
    assert {row.account for row in admin.show_message(engine, mail.message.id).deliveries} == {"sales"}


async def test_only_what_was_changed_is_noted(queue: Queue, engine: Engine) -> None:
    waiting, done = new_mail(), new_mail(state=DeliveryState.ACTIVE)
    for mail in (waiting, done):
        await queue.accept(mail)
    await queue.settle(settled(done.deliveries[0].id, {0: TAKEN}, DeliveryState.DONE))
    ids = [waiting.message.id, done.message.id]
    assert commands.hold(engine, ids, now=NOW).count == 1
    assert commands.retry(engine, ids, now=NOW).count == 0
    assert commands.release(engine, ids, now=NOW).count == 1
    assert [e.what for e in admin.show_message(engine, ids[0]).events] == ["held", "released"]
    assert admin.show_message(engine, ids[1]).events == ()


async def test_a_run_of_the_queue_is_noted_where_it_changes_something(queue: Queue, engine: Engine) -> None:
    later, at_once = new_mail(due=NOW + 99), new_mail(due=AT_ONCE)
    for mail in (later, at_once):
        await queue.accept(mail)
    ids = [later.message.id, at_once.message.id]
    assert [commands.run_queue(engine, ids, now=NOW + n) for n in range(2)] == [{"sales": {*ids}}] * 2
    events = admin.show_message(engine, later.message.id).events
    assert [(one.at, one.what, one.detail) for one in events] == [(NOW, "retried", "by command, with the queue")]
    assert admin.show_message(engine, at_once.message.id).events == ()


async def test_mail_moves_with_its_sender_and_its_past_stays_true(queue: Queue, engine: Engine) -> None:
    waiting, held, bounce = new_mail(), new_mail(), new_mail(reverse_path="")
    active, inbox = new_mail(state=DeliveryState.ACTIVE), new_mail(account="")
    mails = [waiting, held, bounce, active, inbox]
    for mail in mails:
        await queue.accept(mail)
    commands.hold(engine, [held.message.id], now=NOW)
    ids = [mail.message.id for mail in mails]
    done = commands.move(engine, ids, "other", rewrite, reverse_path=TO, now=NOW)
    assert done.count == 3
    assert done.skipped == {
        ids[3]: "is being sent now",
        ids[4]: "goes into an inbox: no account sends it",
    }
    moved = {
        one.message.id: one.message
        for _ in range(2)
        for one in await queue.claim(to_account("other"), now=NOW, limit=9, open_now=True)
    }
    assert {*moved} == {ids[0], ids[2]}
    assert moved[ids[0]].header.startswith(b"X: 1\r\n")
    assert moved[ids[0]].size == waiting.message.size + 6
    assert (moved[ids[0]].reverse_path, moved[ids[2]].reverse_path) == (TO, "")
    assert moved[ids[0]].account == "sales"  # which took it in
    assert admin.show_message(engine, ids[1]).deliveries[0].state == "held"
    (still,) = await queue.claim(INBOX, now=NOW, limit=9, open_now=True)
    assert not still.message.header.startswith(b"X:")


async def test_a_mail_that_the_rules_refuse_to_move_stays_as_it_is(queue: Queue, engine: Engine) -> None:
    good, bad = new_mail(), new_mail(header=b"Bad: 1\r\n")
    for mail in (good, bad):
        await queue.accept(mail)

    def judge(header: bytes, user: str | None) -> bytes:
        if header.startswith(b"Bad"):
            raise StateConflictError("may not")
        return rewrite(header, user)

    ids = [good.message.id, bad.message.id]
    done = commands.move(engine, ids, "other", judge, reverse_path=TO, now=NOW)
    assert done == Done(count=1, skipped={ids[1]: "may not"})
    assert [admin.show_message(engine, one).deliveries[0].account for one in ids] == ["other", "sales"]


async def test_a_fault_leaves_all_of_a_call_as_it_was(queue: Queue, engine: Engine) -> None:
    mails = [new_mail(), new_mail()]
    for mail in mails:
        await queue.accept(mail)
    n = iter(range(9))

    def break_down(header: bytes, _user: str | None) -> bytes:
        if next(n):
            raise ValueError("a fault of ours")
        return header

    ids = [mail.message.id for mail in mails]
    with pytest.raises(ValueError, match="ours"):
        commands.move(engine, ids, "other", break_down, reverse_path=TO, now=NOW)
    assert [admin.show_message(engine, one).deliveries[0].account for one in ids] == ["sales", "sales"]
    commands.move(engine, ids[:1], "other", lambda header, _user: header, reverse_path=TO, now=NOW)
    assert [admin.show_message(engine, one).deliveries[0].account for one in ids] == ["other", "sales"]


async def test_of_a_mail_that_goes_both_ways_only_what_an_account_sends_moves(queue: Queue, engine: Engine) -> None:
    mail = new_mail(to=2)
    (delivery,) = mail.deliveries
    first, second = delivery.recipients
    parts = (
        replace(delivery, recipients=(first,)),
        replace(delivery, id=f"{delivery.id}x", destination=INBOX, recipients=(second,)),
    )
    await queue.accept(replace(mail, deliveries=parts))
    assert commands.move(engine, [mail.message.id], "other", rewrite, reverse_path=TO, now=NOW).count == 1
    assert [one.account for one in admin.show_message(engine, mail.message.id).deliveries] == ["other", ""]


async def _accept(queue: Queue, count: int) -> list[NewMessage]:
    mails = [new_mail() for _ in range(count)]
    for mail in mails:
        await queue.accept(mail)
    return mails


async def test_a_step_says_of_each_mail_why_it_stays(queue: Queue, engine: Engine) -> None:
    ids = [mail.message.id for mail in await _accept(queue, 5)]
    with commands.one_step(engine, [*ids, ids[0], "none"]) as step:
        assert len(step.mails) == 6
        step.skip_unchanged(lambda _mail: "stays")
    assert step.done == commands.Done(count=0, skipped={**dict.fromkeys(ids, "stays"), "none": "is not there any more"})


async def test_many_are_changed_in_steps_and_the_service_writes_between_them(
    queue: Queue, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "STEP", 3)
    ids = [mail.message.id for mail in await _accept(queue, 10)]
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    told = [commands.hold(engine, part, now=NOW).count for part in commands.parts([ids])]
    assert told == [3, 3, 3, 1]
    assert len(pauses) == 3
    assert min(pauses) >= 0.02
    assert [len(part) for part in commands.parts([ids[:4], ids[4:]])] == [3, 1, 3, 3]
    assert len(pauses) == 6  # also from page to page
    assert commands.release(engine, ids, now=NOW).count == 10
    runs = [commands.run_queue(engine, part, now=NOW) for part in commands.parts([ids])]
    assert [len(run["sales"]) for run in runs] == [3, 3, 3, 1]
    assert len(pauses) == 9
