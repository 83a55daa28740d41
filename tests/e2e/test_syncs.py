"""Nothing is confirmed before it is on the disk, and many share one sync: by what the kernel was asked for."""

from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.test_collect import mail, mailbox
from tests.peers.dovecot import Dovecot
from tests.peers.programs import submit_many
from tests.peers.relay_process import RelayProcess, make_account, write_config
from tests.peers.sink import Sink
from tests.peers.system_calls import READS, SYNCS, WRITES, SystemCalls

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]


def _is_log(path: str) -> bool:
    return path.endswith("relay.db-wal")


def _submit(relay: RelayProcess, sink: Sink, count: int, *, sessions: int) -> None:
    before = len(relay.find("message_delivered"))
    submission = submit_many(relay.port, messages=count, sessions=sessions, kept=True)
    assert submission.status == 0, submission.transcript
    sink.wait_for(before + count)
    relay.wait_for("message_delivered", count=before + count)


def _are_synced_before_they_are_confirmed(seen: SystemCalls) -> int:
    """Return how many mails were confirmed, each after a sync that began when its last octets had come."""
    confirmed = seen.find(WRITES, "250 2.0.0 queued as ")
    syncs = seen.find(SYNCS, where=_is_log)
    for reply in confirmed:
        read = max(one.ended for one in seen.find(READS) if one.of == reply.of and one.ended < reply.begun)
        assert any(read < sync.begun and sync.ended < reply.begun for sync in syncs), reply
    return len(confirmed)


def test_a_mail_takes_two_syncs_and_one_of_them_comes_before_its_250(tmp_path: Path) -> None:
    with Sink() as sink:
        config = write_config(tmp_path, accounts=[make_account("sales", sink.port)])
        with RelayProcess(config) as relay:
            _submit(relay, sink, 1, sessions=1)  # what comes first makes the log, and opens connections
            with SystemCalls(relay.pid, tmp_path) as seen:
                _submit(relay, sink, 1, sessions=1)
    assert _are_synced_before_they_are_confirmed(seen) == 1
    assert len(seen.find(SYNCS, where=_is_log)) == 2  # it is accepted and claimed; it is delivered
    (confirmed,) = seen.find(WRITES, "250 2.0.0 queued as ")
    (go_ahead,) = seen.find(WRITES, "354 ", where=lambda of: of == confirmed.of)
    assert [go_ahead.ended < one.begun < confirmed.begun for one in seen.find(SYNCS, where=_is_log)] == [True, False]


def test_the_mails_of_a_batch_share_syncs_and_each_has_one_before_its_250(tmp_path: Path) -> None:
    count = 200
    with Sink() as sink:
        config = write_config(tmp_path, accounts=[make_account("sales", sink.port)])
        with RelayProcess(config) as relay:
            _submit(relay, sink, 1, sessions=1)
            with SystemCalls(relay.pid, tmp_path) as seen:
                _submit(relay, sink, count, sessions=20)
    assert _are_synced_before_they_are_confirmed(seen) == count
    assert len(seen.find(SYNCS, where=_is_log)) < 1.5 * count  # alone each takes two


def test_what_is_collected_is_on_the_disk_before_it_is_deleted_at_the_provider(tmp_path: Path) -> None:
    count = 20
    with Dovecot() as provider:
        config = write_config(tmp_path, accounts=[mailbox(provider)])
        with RelayProcess(config) as relay:
            relay.wait_for("poll_finished")
            provider.fill("sales", [mail(n) for n in range(count)])
            with SystemCalls(relay.pid, tmp_path) as seen:
                relay.run("poll", "sales")
    deleted = min(one.begun for one in seen.find(WRITES, "DELE "))
    before = [one for one in seen.find(SYNCS) if one.ended < deleted]
    files = Counter(one.of for one in before if "/inboxes/anna/tmp/" in one.of or "/inboxes/anna/new/" in one.of)
    assert len(files) == count
    assert set(files.values()) == {1}
    folders = [one for one in before if one.of.endswith("/inboxes/anna/new")]
    assert 1 <= len(folders) < count
    assert max(one.ended for one in folders) < max(one.begun for one in before if _is_log(one.of))
