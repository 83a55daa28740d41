from relay.model.mail import DeliveryState
from relay.storage.queue import Queue
from tests.storage.conftest import NOW, SALES, TAKEN, new_mail, settled

DAY = 86_400_000


async def test_history_goes_when_nothing_of_a_mail_waits(queue: Queue) -> None:
    done, waiting = new_mail(), new_mail()
    for mail in (done, waiting):
        await queue.accept(mail)
    (claimed, _) = await queue.claim(SALES, now=NOW, limit=2, open_now=True)
    await queue.settle(settled(claimed, {0: TAKEN}, DeliveryState.DONE))
    await queue.requeue(_)
    assert await queue.purge_history(NOW + DAY, 9) == 1
    assert await queue.oldest_since("sales") == NOW
