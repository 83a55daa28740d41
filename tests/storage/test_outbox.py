from dataclasses import replace

from sqlalchemy import Engine

from relay.model.destination import to_account
from relay.model.mail import Pause, RecipientKind
from relay.model.reply import Reply
from relay.rules.notice_texts import Alert
from relay.storage.engine import transaction
from relay.storage.outbox import Watch, WatchStep, read_watches
from relay.storage.queue import Queue
from tests.storage.conftest import INBOX, NOW, SALES, new_mail

REFUSED = Reply(code=535, enhanced="5.7.8", text="no \N{LATIN SMALL LETTER U WITH DIAERESIS}")
PAUSE = Pause(account="sales", since=NOW, until=None, reason="no", refusal=REFUSED)


async def test_an_alert_is_owed_until_its_notices_are_queued(queue: Queue) -> None:
    await queue.pause(PAUSE)
    ((alert, delivery),) = await queue.pending_alerts()
    assert (alert.kind, alert.account, alert.reply, delivery) == (Alert.ACCOUNT_PAUSED, "sales", REFUSED, None)
    assert await queue.pending_alerts() == [(alert, None)]  # asking pays nothing
    notice = new_mail(notice=True, account="other")
    assert await queue.mark_sent(alert, (notice,))
    assert await queue.pending_alerts() == []
    assert await queue.next_due() == {to_account("other"): NOW}


async def test_an_alert_is_told_once_though_two_want_to(queue: Queue) -> None:
    await queue.pause(PAUSE)
    ((alert, _),) = await queue.pending_alerts()
    told = [await queue.mark_sent(alert, (new_mail(account=name),)) for name in "ab"]
    assert told == [True, False]
    assert await queue.next_due() == {to_account("a"): NOW}


async def test_a_pause_that_lasts_already_owes_nothing_more(queue: Queue) -> None:
    await queue.pause(PAUSE)
    ((alert, _),) = await queue.pending_alerts()
    await queue.mark_sent(alert, ())
    await queue.pause(PAUSE)
    assert await queue.pending_alerts() == []
    await queue.resume("sales", NOW + 5)
    await queue.pause(PAUSE)
    assert len(await queue.pending_alerts()) == 1


async def test_held_mails_are_counted_until_it_is_told(queue: Queue) -> None:
    for _ in range(2):
        await queue.accept(new_mail(account="gone"))
    await queue.hold_accounts(["gone"], now=NOW)
    ((before, _),) = await queue.pending_alerts()
    await queue.accept(new_mail(account="gone"))
    await queue.hold_accounts(["gone"], now=NOW)
    assert not await queue.mark_sent(before, (new_mail(account="other"),))
    ((alert, _),) = await queue.pending_alerts()
    assert (alert.kind, alert.count) == (Alert.ACCOUNT_GONE, 3)


async def test_a_notice_is_moved_while_it_waits(queue: Queue) -> None:
    mail, notice = new_mail(), new_mail(notice=True)
    for one in (mail, notice):
        await queue.accept(one)
    assert await queue.queued_notices("sales", NOW - 1, 9) == []
    (found,) = await queue.queued_notices("sales", NOW, 9)
    assert found.message.id == notice.message.id
    assert await queue.move_notice(found, INBOX, "anna", b"A: longer\r\n", at=NOW + 5)
    assert await queue.next_due() == {INBOX: NOW + 5, SALES: NOW}
    (moved,) = await queue.claim(INBOX, now=NOW + 5, limit=9, open_now=True)
    assert (moved.header, moved.message.size) == (b"A: longer\r\n", notice.message.size + 5)
    assert [(r.address, r.kind) for r in moved.recipients] == [("anna", RecipientKind.INBOX)]
    assert not await queue.move_notice(found, INBOX, "anna", b"A: longer\r\n", at=NOW + 5)  # it is being written


async def test_a_notice_is_moved_once_though_two_want_to(queue: Queue) -> None:
    await queue.accept(new_mail(notice=True))
    (found,) = await queue.queued_notices("sales", NOW, 9)
    for account, moves in (("other", True), ("", False)):
        assert await queue.move_notice(found, to_account(account), "anna", b"A: b\r\n", at=NOW) is moves
    assert await queue.next_due() == {to_account("other"): NOW}


KNOWN = Watch(key="disk_low/", since=NOW, told=NOW, is_open=True)


def known(engine: Engine) -> dict[str, Watch]:
    with transaction(engine, write=False) as tx:
        return read_watches(tx)


async def test_a_watch_is_kept_changed_and_forgotten(queue: Queue, engine: Engine) -> None:
    assert await queue.take_watch_step(WatchStep(before=None, after=KNOWN))
    assert known(engine) == {"disk_low/": KNOWN}
    healed = replace(KNOWN, well=NOW + 5)
    assert await queue.take_watch_step(WatchStep(before=KNOWN, after=healed))
    assert known(engine) == {"disk_low/": healed}
    assert await queue.take_watch_step(WatchStep(before=healed, after=None))
    assert known(engine) == {}
    assert not await queue.take_watch_step(WatchStep(before=None, after=None))


async def test_a_notice_is_queued_once_though_two_nodes_want_to(queue: Queue, engine: Engine) -> None:
    nodes = [Queue(engine, queue._writer, node=node) for node in "ab"]
    steps = [WatchStep(before=None, after=KNOWN, notice=new_mail(account=account)) for account in "ab"]
    assert [await node.take_watch_step(step) for node, step in zip(nodes, steps, strict=True)] == [True, False]
    assert await queue.next_due() == {to_account("a"): NOW}
    over = replace(KNOWN, is_open=False)
    steps = [WatchStep(before=KNOWN, after=over, notice=new_mail(account=account)) for account in "cd"]
    assert [await node.take_watch_step(step) for node, step in zip(nodes, steps, strict=True)] == [True, False]
    assert await queue.next_due() == {to_account("a"): NOW, to_account("c"): NOW}
    assert known(engine) == {"disk_low/": over}


async def test_any_name_can_be_kept(queue: Queue, engine: Engine) -> None:
    odd = replace(KNOWN, key="mailbox/ü/\N{SNOWMAN} '\" %")
    assert await queue.take_watch_step(WatchStep(before=None, after=odd))
    assert [*known(engine)] == [odd.key]
