"""A snapshot of a real database, a real disk and a configuration; an office in one process with a clock of its own."""

import datetime as dt
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import trustme

from relay.certificates.store import Store
from relay.model.account import Account
from relay.model.address import Address
from relay.places import digest_of
from relay.settings import Settings
from relay.storage import admin, backups
from relay.storage.engine import transaction
from relay.storage.standing import QueueState
from relay.watching.asking import Running, Service
from relay.watching.findings import Kind, find
from relay.watching.snapshot import AccountState, Files, Snapshot, look_at_files, take_snapshot
from tests.peers.machine import free_port
from tests.peers.office import MINUTE, START, Office, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import make_account
from tests.watching.disk import statvfs_of

HOUR = 60 * MINUTE
DAY = 24 * HOUR


def look(office: Office, *, free: int = 1 << 40, settings: Settings | None = None) -> Snapshot:
    with mock.patch.object(os, "statvfs", statvfs_of(free)):
        return take_snapshot(
            settings or office.settings,
            office.engine,
            now=office.now,
            service=Service(running=Running.YES),
            files=Files(),
        )


def kinds(office: Office, **more: Any) -> list[Kind]:  # noqa: ANN401 - of `look`
    return [finding.kind for finding in find(look(office, **more), office.now)]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncGenerator[Office]:
    """An office whose provider does not listen."""
    smtp = {"host": "127.0.0.1", "port": free_port(), "security": "none"}
    async with open_office(
        tmp_path, account={"archive": False, "smtp": smtp}, retry={"intervals": ["1 min", "10 min"]}
    ) as one:
        yield one


async def test_an_empty_office_is_fine(office: Office) -> None:
    snapshot = look(office)
    assert find(snapshot, office.now) == ()
    assert (snapshot.waiting, snapshot.active, snapshot.held, snapshot.oldest) == (0, 0, 0, None)
    assert snapshot.disk_free == 1 << 40


async def test_a_provider_out_of_reach_is_named_after_an_hour_and_mail_after_warn_after(office: Office) -> None:
    await office.hand_in()
    await office.send()
    assert kinds(office) == []
    for _ in range(6):
        await office.pass_time(10 * MINUTE)
    (finding,) = find(look(office), office.now)
    assert (finding.kind, finding.subject, finding.since, finding.mails) == (Kind.PROVIDER_SILENT, "sales", START, 1)
    assert "Connection refused" in finding.detail
    for _ in range(18):
        await office.pass_time(10 * MINUTE)
    assert kinds(office) == [Kind.PROVIDER_SILENT, Kind.MAIL_OVERDUE]


async def test_one_answer_ends_the_silence_though_it_is_no_good_one(office: Office) -> None:
    await office.hand_in()
    await office.hand_in()
    await office.send()
    await office.pass_time(HOUR)
    assert kinds(office) == [Kind.PROVIDER_SILENT]
    async with Provider({"RCPT": "450 4.2.0 come again"}) as provider:
        office.configure(port=provider.port, account={"archive": False})
        office.delivery.settings_changed()
        await office.pass_time(10 * MINUTE)
        assert kinds(office) == []


async def test_paused_time_makes_no_mail_overdue(office: Office) -> None:
    await office.hand_in()
    await office.send()
    admin.pause_account(office.engine, "sales", now=office.now)
    office.now += 10 * HOUR
    assert kinds(office) == [Kind.PAUSED]
    admin.resume_account(office.engine, "sales", now=office.now)
    office.now += 5 * HOUR
    assert Kind.MAIL_OVERDUE in kinds(office)


async def test_a_full_disk_is_seen_at_its_limit(office: Office) -> None:
    least = office.settings.limits.free_space
    assert kinds(office, free=least - 1) == [Kind.DISK_LOW]
    assert [str(one.grade) for one in find(look(office, free=least), office.now)] == ["watch"]
    assert kinds(office, free=1 << 30) == []


async def test_what_lies_in_quarantine_is_counted_read_or_not(office: Office) -> None:
    for name in ("new/P1", "cur/P2:2,S", "new/P3", "tmp/1.x"):
        path = office.settings.folder / "quarantine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (5, 5))
    (finding,) = find(look(office), office.now)
    assert (finding.kind, finding.mails, finding.since) == (Kind.QUARANTINE, 3, 5000)


async def test_mail_of_an_account_that_is_gone_is_named_by_it(office: Office) -> None:
    await office.hand_in()
    await office.send()
    office.configure(accounts=[make_account("other", 9)])
    (finding,) = find(look(office), office.now)
    assert (finding.kind, finding.subject, finding.mails) == (Kind.ACCOUNT_GONE, "sales", 1)


async def test_a_certificate_is_read_from_its_file(office: Office, tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("relay.office.example")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    office.configure(account={}, listener={"tls": "starttls", "certificate": "server.pem", "private_key": "server.pem"})
    files = look_at_files(office.settings)
    ((path, ending),) = files.certificates.items()
    assert path == str(tmp_path / "server.pem")
    assert ending.expires > START
    assert [round((ending.expires - at) / DAY) for at in ending.told] == [60, 30, 7]
    assert files.digest == digest_of(office.settings.path) != ""
    (tmp_path / "server.pem").unlink()
    assert look_at_files(office.settings).certificates == {}


async def test_the_offices_own_certificate_is_told_of_only_if_it_was_not_made_anew(office: Office) -> None:
    store = Store(office.settings.folder)
    store.make(["relay.office.example"], "Mail", dt.datetime.fromtimestamp(START / 1000, dt.UTC))
    own = {"tls": "starttls", "certificate": str(store.server), "private_key": str(store.server)}
    office.configure(account={}, listener=own)
    (ending,) = look_at_files(office.settings).certificates.values()
    assert [round((ending.expires - at) / DAY) for at in ending.told] == [29, 7]


async def test_a_configuration_that_is_not_in_force_is_seen(office: Office) -> None:
    def changed(ours: str, theirs: str) -> bool:
        return take_snapshot(
            office.settings,
            None,
            now=office.now,
            service=Service(running=Running.YES, digest=theirs),
            files=Files(digest=ours),
        ).configuration_changed

    assert changed("a", "b")
    assert not changed("a", "a")
    assert not changed("", "a")  # who asks may not read it
    assert not changed("a", "")  # nor the service


async def test_the_backup_is_known_only_where_one_is_wanted(office: Office) -> None:
    with transaction(office.engine, write=True) as tx:
        backups.note_done(tx, START - 40 * HOUR, Path("/backup/1"))
    assert kinds(office) == []
    office.configure(backup={"folder": "backup"})
    (finding,) = find(look(office), office.now)
    assert (finding.kind, finding.since) == (Kind.BACKUP_OLD, START - 40 * HOUR)
    with transaction(office.engine, write=True) as tx:
        backups.note_failed(tx, START, "no room")
    assert kinds(office) == [Kind.BACKUP_FAILED]


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
