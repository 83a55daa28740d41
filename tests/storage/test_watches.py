"""What people were told of a finding is kept with the notice that tells it."""

from dataclasses import replace

from sqlalchemy import Engine

from relay.model.destination import to_account
from relay.storage.engine import transaction
from relay.storage.queue import Queue
from relay.storage.watches import Watch, WatchStep, read_watches
from tests.storage.conftest import NOW, new_mail

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
