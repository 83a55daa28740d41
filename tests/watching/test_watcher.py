"""The postmaster is told in his Maildir, by a real queue and a real delivery; the clock is the test's."""

import asyncio
import email
import email.policy
import json
import os
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from structlog.testing import capture_logs

from relay.cli import main
from relay.clock import wall_clock
from relay.collection import Collector
from relay.pop_poller import PopPoller
from relay.rules.answers.connection_rows import explain_cause
from relay.rules.answers.row import Cause
from relay.runtime import Runtime
from relay.storage import admin
from relay.storage.engine import Database, open_engine
from relay.storage.mailboxes import Mailboxes
from relay.storage.quarantine import give, list_held
from relay.watching import watcher as watching
from relay.watching.findings import Finding, Kind
from relay.watching.snapshot import Snapshot
from relay.watching.texts import Description, describe
from relay.watching.watcher import Watcher
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.machine import free_port, until
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import ANNA
from tests.watching.disk import Statvfs, statvfs_of

HOUR = 60 * MINUTE


@pytest.fixture
async def office(tmp_path: Path) -> AsyncGenerator[Office]:
    """An office whose provider does not listen, with a postmaster who reads German."""
    smtp = {"host": "127.0.0.1", "port": free_port(), "security": "none"}
    async with open_office(tmp_path, account={"archive": False, "smtp": smtp}, language="de") as one:
        yield one


class _OnADisk(Watcher):
    """Reads with another `os.statvfs`."""

    statvfs: Statvfs

    def _read(self, now: int) -> "Snapshot":
        with mock.patch.object(os, "statvfs", self.statvfs):
            return super()._read(now)


def watch(
    office: Office,
    *,
    database: "Database | None" = None,
    statvfs: Statvfs | None = None,
    now: Callable[[], int] | None = None,
) -> Watcher:
    watcher = _OnADisk(
        Runtime(settings=lambda: office.settings, queue=office.queue, now=now or (lambda: office.now)),
        database=database or office.engine,
        compose=office.delivery.notifications.composer.plain,
        wake=office.delivery.wake_lanes,
    )
    watcher.statvfs = statvfs or statvfs_of(1 << 40)
    return watcher


async def inbox(office: Office) -> list[EmailMessage]:
    """Deliver what goes into inboxes, and give what stands in the postmaster's, the oldest first."""
    await office.send()
    paths = sorted((office.settings.inboxes / "anna" / "new").glob("*"), key=lambda path: path.name)
    mails = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]
    return [mail for mail in mails if mail["Auto-Submitted"] == "auto-generated"]


async def pass_time(office: Office, watcher: Watcher, minutes: int, step: int = 5) -> None:
    """Let time pass, and look at every fifth minute."""
    for _ in range(minutes // step):
        await office.pass_time(step * MINUTE)
        await watcher.look()


def body_of(mail: EmailMessage) -> str:
    content = mail.get_content()
    assert isinstance(content, str)
    return content


async def test_a_provider_out_of_reach_for_an_hour_is_told_once_and_so_is_its_return(office: Office) -> None:
    watcher = watch(office)
    await office.hand_in()
    with capture_logs() as lines:
        await office.send()
        await pass_time(office, watcher, 55)
        assert await inbox(office) == []
        await pass_time(office, watcher, 100)
        (alert,) = await inbox(office)
        async with Provider() as provider:
            office.configure(port=provider.port, account={"archive": False}, language="de")
            office.delivery.settings_changed()
            await pass_time(office, watcher, 40)
            assert len(provider.mails) == 1
        _, clear = await inbox(office)
    assert alert["Subject"] == "Konto „sales“ kann nicht senden: Der Anbieter ist nicht erreichbar"
    assert alert["To"].addresses[0].addr_spec == "anna@example.com"
    assert alert["Relay-Loop"]
    said = body_of(alert)
    assert said.startswith(f"{alert['Subject']}. Seit mehr als einer Stunde kam")
    assert "Seit: 28.05.2026, 22:26 Uhr" in said
    assert "Betroffen: 1 E-Mail" in said
    assert f"Technische Ursache: 127.0.0.1: {explain_cause(Cause.REFUSED, 'de').what}" in " ".join(said.split())
    assert "Was zu tun ist: Prüfen Sie, ob die Internetverbindung besteht" in said
    assert "relay account test sales" in said
    assert clear["Subject"] == f"Erledigt: {alert['Subject']}"
    assert "Es dauerte von 28.05.2026, 22:26 Uhr bis 29.05.2026, 01:" in body_of(clear)
    raised, cleared = [line for line in lines if line["event"] in {"alert_raised", "alert_cleared"}]
    assert (raised["kind"], raised["subject"], cleared["kind"]) == ("provider_silent", "sales", "provider_silent")
    assert raised["since"] == cleared["since"] == "2026-05-28T20:26:40.000Z"
    for line in (raised, cleared):  # what `relay trace` asks
        detail = admin.show_message(office.engine, line["queue_id"])
        assert detail.notice
        assert detail.deliveries[0].state == "done"


async def test_an_alert_that_leaves_by_mail_stands_in_the_inbox_at_once(tmp_path: Path) -> None:
    smtp = {"host": "127.0.0.1", "port": free_port(), "security": "none"}
    users = [{**ANNA, "notify": "mail"}]
    async with open_office(tmp_path, account={"archive": False, "smtp": smtp}, users=users) as office:
        watcher = watch(office)
        await office.hand_in()
        await office.send()
        await pass_time(office, watcher, 80)
        (alert,) = await inbox(office)
        assert alert["Subject"] == 'Account "sales" cannot send: its provider is out of reach'
        async with Provider() as provider:
            office.configure(port=provider.port, account={"archive": False}, users=users)
            office.delivery.settings_changed()
            await pass_time(office, watcher, 40)
            assert [mail.recipients for mail in provider.mails].count(["anna@example.com"]) == 2  # and the all-clear
        assert len(await inbox(office)) == 2


async def test_a_disk_at_its_limit_is_told_and_so_is_its_room(office: Office) -> None:
    least = office.settings.limits.free_space
    full, empty = watch(office, statvfs=statvfs_of(least - 1)), watch(office, statvfs=statvfs_of(1 << 40))
    await watch(office, statvfs=statvfs_of(least)).look()
    assert await inbox(office) == []
    for _ in range(3):
        await full.look()
    (alert,) = await inbox(office)
    assert alert["Subject"].startswith("Die Festplatte ist voll: 50,0 MB sind frei in ")
    assert [finding.since for finding in await full.look()] == [office.now]
    await pass_time(office, empty, 30)
    _, clear = await inbox(office)
    assert "Die Festplatte hat wieder Platz." in body_of(clear)


async def test_what_lies_in_quarantine_is_told_until_it_is_empty(office: Office) -> None:
    watcher = watch(office)
    mail = office.settings.folder / "quarantine" / "new" / "P1"
    mail.parent.mkdir(parents=True)
    mail.write_bytes(b"x")
    os.utime(mail, (office.now / 1000, office.now / 1000))
    await pass_time(office, watcher, 30)
    (alert,) = await inbox(office)
    assert alert["Subject"] == "1 E-Mail in Quarantäne"
    assert "relay quarantine list" in body_of(alert)
    mail.unlink()
    await pass_time(office, watcher, 30)
    assert (await inbox(office))[1]["Subject"] == "Erledigt: 1 E-Mail in Quarantäne"


async def test_a_crash_neither_repeats_nor_forgets_an_alert(office: Office) -> None:
    full = statvfs_of(1)
    await watch(office, statvfs=full).look()
    await office.restart()
    await watch(office, statvfs=full).look()
    assert len(await inbox(office)) == 1
    await office.restart()
    await pass_time(office, watch(office), 30)
    assert len(await inbox(office)) == 2


@contextmanager
def _unwritable(office: Office) -> Generator[None]:
    """Let the database refuse what is noted of alerts, as a disk without any room does."""
    with office.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER full_disk BEFORE INSERT ON meta WHEN NEW.key LIKE 'watch/%'"
                " BEGIN SELECT RAISE(ABORT, 'no room'); END"
            )
        )
    yield
    with office.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER full_disk"))


async def test_what_can_not_be_told_is_logged_once_and_tried_again(office: Office) -> None:
    watcher = watch(office, statvfs=statvfs_of(1))
    with capture_logs() as lines:
        with _unwritable(office):
            for _ in range(3):
                assert [finding.kind for finding in await watcher.look()] == [Kind.DISK_LOW]
        assert await inbox(office) == []
        await watcher.look()
        assert len(await inbox(office)) == 1
    failed = [line for line in lines if line["event"] == "alert_failed"]
    assert [(line["kind"], line["subject"]) for line in failed] == [("disk_low", str(office.settings.folder))]


async def test_a_fault_in_one_alert_keeps_no_other_one_back(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    (office.settings.folder / "quarantine" / "new").mkdir(parents=True)
    (office.settings.folder / "quarantine" / "new" / "P1").write_bytes(b"x")

    def describe_all_but_one(finding: Finding, language: str, show_time: Callable[[int], str]) -> Description:
        if finding.kind is Kind.DISK_LOW:
            raise ValueError
        return describe(finding, language, show_time)

    monkeypatch.setattr("relay.watching.watcher.describe", describe_all_but_one)
    with capture_logs() as lines:
        found = await watch(office, statvfs=statvfs_of(1)).look()
    assert [finding.kind for finding in found] == [Kind.DISK_LOW, Kind.QUARANTINE]
    assert [mail["Subject"] for mail in await inbox(office)] == ["1 E-Mail in Quarantäne"]
    assert [line["activity"] for line in lines if line["event"] == "activity_failed"] == ["alert"]


async def test_status_finds_what_is_alerted(office: Office) -> None:
    (office.settings.folder / "quarantine" / "new").mkdir(parents=True)
    (office.settings.folder / "quarantine" / "new" / "P1").write_bytes(b"x")
    await office.hand_in()
    await office.send()
    admin.pause_account(office.engine, "sales", now=office.now)
    found = await watch(office, statvfs=os.statvfs, now=wall_clock).look()
    said = CliRunner().invoke(main, ["status", "--json", "-c", str(office.settings.path)])
    kinds = {one["kind"] for one in json.loads(said.stdout)["findings"]}
    assert kinds == {str(finding.kind) for finding in found} | {"service_down"}
    assert {"quarantine", "paused"} <= kinds


@pytest.mark.peer
@pytest.mark.timeout(120)
async def test_a_changed_password_of_a_real_mailbox_is_told_and_so_is_the_right_one(tmp_path: Path) -> None:
    with Dovecot() as dovecot:
        pop3 = {"host": "127.0.0.1", "port": dovecot.pop3_port, "security": "none", "username": "sales"}
        async with open_office(tmp_path, account={"pop3": {**pop3, "password": PASSWORD}}) as office:
            watcher = watch(office)
            mailboxes = Mailboxes(office.engine, office.queue._writer)
            runtime = Runtime(settings=lambda: office.settings, queue=office.queue, now=lambda: office.now)
            poller = PopPoller(runtime, Collector(runtime, mailboxes))

            async def poll(minutes: int) -> None:
                await poller.poll_now(office.settings.directory.accounts, lambda _: lambda _fetched, _total: None)
                await pass_time(office, watcher, minutes)

            await poll(5)
            office.configure(account={"pop3": {**pop3, "password": "of yesterday"}})
            await poll(5)
            assert await inbox(office) == []  # a mailbox may be in use for a moment
            await poll(5)
            (alert,) = await inbox(office)
            title = 'Mailbox of account "sales" cannot be collected: the provider refuses the login'
            assert alert["Subject"] == title
            said = body_of(alert)
            assert "The provider's reply: " in said
            assert "of yesterday" not in said
            assert "relay account test sales" in said
            office.configure(account={"pop3": {**pop3, "password": PASSWORD}})
            await poll(20)
            _, clear = await inbox(office)
            assert 'The mailbox of account "sales" is collected again.' in body_of(clear)
            await poller.drain(1)


@pytest.mark.peer
@pytest.mark.timeout(120)
async def test_mail_that_was_really_put_into_quarantine_is_told(tmp_path: Path) -> None:
    bert = {"name": "bert", "address": "bert@example.com"}
    with Dovecot() as dovecot:
        dovecot.fill("sales", [b"From: x@y.example\nSubject: lost\n\nhello\n"])
        pop3 = {"host": "127.0.0.1", "port": dovecot.pop3_port, "security": "none", "username": "sales",
                "password": PASSWORD}  # fmt: skip
        async with open_office(
            tmp_path, account={"owner": "bert", "pop3": pop3}, users=[{**ANNA, "notify": "inbox"}, bert]
        ) as office:
            office.settings.inboxes.mkdir()
            (office.settings.inboxes / "bert").write_text("no folder")
            mailboxes = Mailboxes(office.engine, office.queue._writer)
            runtime = Runtime(settings=lambda: office.settings, queue=office.queue, now=lambda: office.now)
            collector = Collector(runtime, mailboxes)
            await collector.poll(office.settings.directory.accounts[0], lambda _fetched, _total: None)
            watcher = watch(office)
            await watcher.look()
            (alert,) = await inbox(office)
            assert alert["Subject"] == "1 e-mail in quarantine"
            (held,) = list_held(office.engine, office.settings.folder)
            (office.settings.inboxes / "bert").unlink()
            bert_now = office.settings.directory.users[1]
            give(
                office.engine, held, inboxes=office.settings.inboxes, user=bert_now, shared=False,
                now=office.now, by="root",
            )  # fmt: skip
            await pass_time(office, watcher, 20)
            _, clear = await inbox(office)
            assert clear["Subject"] == "Solved: 1 e-mail in quarantine"


async def test_the_loop_goes_on_after_a_fault_of_the_database(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "EVERY", 0.001)
    monkeypatch.setattr(watching, "LEAST", 0.0)
    watcher = watch(office, database=open_engine(f"sqlite:///{tmp_path}/none.db", create=False))
    with capture_logs() as lines:
        task = asyncio.create_task(watcher.run())
        await until(lambda: len([line for line in lines if line["event"] == "activity_failed"]) >= 3)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert {line["activity"] for line in lines} == {"watching"}


async def test_a_poll_that_ended_hurries_the_next_look(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []

    def statvfs(folder: Path) -> os.statvfs_result:
        looks.append(folder)
        return statvfs_of(1 << 40)(folder)

    monkeypatch.setattr(watching, "EVERY", 0.0)
    monkeypatch.setattr(watching, "LEAST", 0.0)
    watcher = watch(office, statvfs=statvfs)
    task = asyncio.create_task(watcher.run())
    await until(lambda: bool(looks))
    monkeypatch.setattr(watching, "EVERY", 1000.0)  # from now on nothing but `look_soon` makes it look
    await asyncio.sleep(0)
    seen = len(looks)
    watcher.look_soon()
    await until(lambda: len(looks) > seen)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
