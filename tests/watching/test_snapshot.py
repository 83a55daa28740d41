from relay.model.account import Account
from relay.model.address import Address
from relay.storage.standing import QueueState
from relay.watching.snapshot import AccountState, Snapshot

ONE = Account(name="a", address=Address(local="a", domain="example.com"), owner="anna")


def test_what_waits_is_that_of_all_accounts_and_the_notices() -> None:
    snapshot = Snapshot(
        accounts=(
            AccountState(account=ONE, queue=QueueState(waiting=1, active=2, held=3, oldest=20)),
            AccountState(account=ONE, queue=QueueState(waiting=10)),
        ),
        strangers={"gone": QueueState(waiting=100, held=30, oldest=10)},
        notices=1000,
        disks={"/a": 5, "/b": 3},
    )
    assert (snapshot.waiting, snapshot.active, snapshot.held) == (1111, 2, 33)
    assert (snapshot.oldest, snapshot.disk_free) == (10, 3)


def test_of_nothing_there_is_no_oldest_and_no_fullest() -> None:
    assert (Snapshot().waiting, Snapshot().oldest, Snapshot().disk_free) == (0, None, None)
