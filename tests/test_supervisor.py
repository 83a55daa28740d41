"""The wired service in this process: what start, reload and stop promise."""

import asyncio
import grp
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
import trustme
from structlog.testing import capture_logs

from relay.admin.requests import Poll, Reload, RunQueue
from relay.admin.wire import write_request
from relay.control.client import ControlError, ask
from relay.logs import LogSink
from relay.model.errors import RelayError
from relay.settings import load_settings
from relay.storage.manifest import find_backups
from relay.supervisor import Service
from tests.peers.deliveries import Selection, list_deliveries
from tests.peers.machine import until
from tests.peers.provider import Provider
from tests.peers.relay_process import ANNA, make_account, write_config


def ehlo(port: int) -> str:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        return smtp.ehlo()[1].decode()


def free_port() -> int:
    with socket.socket(socket.AF_INET6) as one:
        one.bind(("::1", 0))
        return int(one.getsockname()[1])


def submit(port: int, sender: str = "sales@example.com") -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        smtp.sendmail("x@y.example", ["a@example.net"], f"From: {sender}\r\n\r\nhello\r\n")


async def test_it_takes_mail_sends_it_and_stops_in_good_order(tmp_path: Path) -> None:
    async with Provider() as provider:
        service = Service(load_settings(write_config(tmp_path, accounts=[make_account("sales", provider.port)])))
        with capture_logs() as lines:
            await service.start()
            running = asyncio.create_task(service.run())
            await asyncio.to_thread(submit, service.ports[0])
            assert (await asyncio.to_thread(ask, tmp_path, "status") or {})["ports"] == service.ports
            await provider.wait_for("DATA")
            service.end("the test is over")
            assert await running
        events = [line["event"] for line in lines]
        assert events[-1] == "service_stopped"
        assert {"listening", "service_started", "message_accepted", "message_delivered", "service_stopping"} <= {
            *events
        }
        assert len(provider.mails) == 1
        assert ask(tmp_path, "status") is None


def test_what_only_few_offices_need_is_not_loaded_by_all() -> None:
    rare = {"sqlalchemy.dialects.postgresql", "psycopg", "alembic", "argon2"}
    code = "import sys, relay.supervisor\nfrom relay.admin.desk import load_all\nload_all()\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "relay.storage.tables" in loaded
    assert rare & {*loaded} == set()


async def test_a_second_service_of_one_folder_is_refused_with_a_clear_text(tmp_path: Path) -> None:
    settings = load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)]))
    first = Service(settings)
    await first.start()
    with pytest.raises(RelayError, match="another"):
        await Service(settings).start()
    await first.stop()


async def test_a_second_service_of_one_database_is_refused_though_its_folder_is_its_own(tmp_path: Path) -> None:
    accounts = [make_account("sales", 9)]
    (tmp_path / "other").mkdir()
    first = Service(load_settings(write_config(tmp_path, accounts=accounts)))
    shared = {"database": f"sqlite:///{tmp_path}/relay.db"}
    second = Service(load_settings(write_config(tmp_path / "other", accounts=accounts, storage=shared)))
    await first.start()
    with pytest.raises(RelayError, match=rf"relay\.db: another relay is using this database \(process {os.getpid()}\)"):
        await second.start()
    await first.stop()
    await second.start()
    await second.stop()


async def test_a_node_is_named_by_what_only_its_folder_has(tmp_path: Path) -> None:
    service = Service(load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)])))
    names = []
    for _ in range(2):
        await service.start()
        names.append(service.queue.node)
        await service.stop()
        service = Service(service.settings)
    assert names[0] == names[1]  # what it left is its own
    assert names[0].startswith((tmp_path / "relay.lock").read_text().splitlines()[1])


async def test_the_lease_of_the_configuration_is_that_of_claims_and_mailboxes(tmp_path: Path) -> None:
    settings = load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)], storage={"lease": "20 s"}))
    service = Service(settings)
    await service.start()
    assert (service.queue.lease, service.mailboxes.lease) == (20_000, 20_000)
    await service.stop()


async def test_a_port_that_is_taken_is_named_and_everything_is_released(tmp_path: Path) -> None:
    async with Provider() as provider:
        listener = {"port": provider.port}
        settings = load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)], listener=listener))
        for _ in range(2):
            with pytest.raises(RelayError, match=f"port {provider.port}"):
                await Service(settings).start()


@pytest.mark.parametrize("accounts", [5, {"sales": 1}, [5], ["sales", ["sales"]], [{}], True, None])
async def test_a_request_whose_accounts_are_no_names_is_refused_and_does_nothing(
    tmp_path: Path, accounts: object
) -> None:
    service = Service(load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)])))
    await service.start()
    await asyncio.to_thread(submit, service.ports[0])  # makes a lane
    running = asyncio.create_task(service.run())
    with capture_logs() as lines:
        told = {**write_request(Poll()), "value": {"account": accounts}}
        with pytest.raises(ControlError, match="bad request"):
            await asyncio.to_thread(ask, tmp_path, "ask", **told)
        assert await asyncio.to_thread(ask, tmp_path, "status")
    assert "activity_failed" not in [line["event"] for line in lines]
    service.end("the test is over")
    assert await running


async def test_a_reload_takes_the_new_configuration_and_keeps_the_old_one_with_a_mistake(tmp_path: Path) -> None:
    async with Provider() as provider:
        path = write_config(tmp_path, accounts=[make_account("sales", 9)])
        service = Service(load_settings(path))
        await service.start()
        running = asyncio.create_task(service.run())
        with capture_logs() as lines:
            await asyncio.to_thread(submit, service.ports[0])
            await until(lambda: "delivery_deferred" in [line["event"] for line in lines])
        good = write_config(tmp_path, accounts=[make_account("sales", provider.port)]).read_text()
        with capture_logs() as lines:
            path.write_text("[server]\n")
            assert await service.reload()
            assert service.settings.directory.account("sales") is not None
            path.write_text(good)
            answer = await asyncio.to_thread(ask, tmp_path, "ask", **write_request(Reload()))
            assert answer == {
                "ok": True,
                "is": "Note",
                "value": {"text": "The service has read the configuration anew.", "is_fault": False},
            }
        assert [line["event"] for line in lines].count("configuration_refused") >= 2
        assert "configuration_reloaded" in [line["event"] for line in lines]
        assert not [line for line in lines if "restart" in line.get("warning", "")]
        write_config(tmp_path, accounts=[make_account("sales", provider.port)], listener={"max_message_size": "1 MiB"})
        assert await service.reload() == []
        async with asyncio.timeout(5):
            assert "SIZE 1048576" in await asyncio.to_thread(ehlo, service.ports[0])
        await asyncio.to_thread(ask, tmp_path, "ask", **write_request(RunQueue()))
        await asyncio.to_thread(submit, service.ports[0])
        await provider.wait_for("DATA")
        service.end("the test is over")
        assert await running
        assert provider.mails


async def test_a_reload_reads_certificates_and_the_log_file_anew(tmp_path: Path) -> None:
    def issue() -> trustme.CA:
        authority = trustme.CA()
        server = authority.issue_cert("127.0.0.1")
        server.private_key_pem.write_to_path(tmp_path / "key.pem")
        server.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
        return authority

    async def trusts(authority: trustme.CA, port: int) -> bool:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        except ssl.SSLCertVerificationError:
            return False
        writer.close()
        return True

    first = issue()
    listener = {"tls": "implicit", "certificate": "certificate.pem", "private_key": "key.pem"}
    path = write_config(tmp_path, accounts=[make_account("sales", 9)], listener=listener, log={"file": "one.log"})
    sink = LogSink(tmp_path / "one.log")
    service = Service(load_settings(path), sink=sink)
    await service.start()
    try:
        (port,) = service.ports
        assert await trusts(first, port)
        second = issue()
        path.write_text(path.read_text().replace("one.log", "two.log"))
        assert await service.reload() == []
        assert await trusts(second, port)
        assert not await trusts(first, port)
        (tmp_path / "key.pem").write_text("no key")
        assert len(await service.reload()) == 1
        assert await trusts(second, port)
        sink.write("a line")
        assert (tmp_path / "two.log").read_text() == "a line\n"
    finally:
        await service.stop()


async def test_a_log_that_can_not_be_opened_refuses_the_whole_configuration(tmp_path: Path) -> None:
    path = write_config(tmp_path, accounts=[make_account("sales", 9)], log={"file": "one.log"})
    sink = LogSink(tmp_path / "one.log")
    service = Service(load_settings(path), sink=sink)
    await service.start()
    try:
        (tmp_path / "one.log").rename(tmp_path / "one.log.1")
        (tmp_path / "two.log").symlink_to("/nowhere/at/all")
        text = path.read_text().replace("one.log", "two.log").replace("relay.office.example", "other.example")
        path.write_text(text)
        with capture_logs() as lines:
            assert await service.reload() == [f"relay.toml: log.file: {tmp_path}/two.log: No such file or directory"]
        assert [line["event"] for line in lines] == ["configuration_refused"]
        assert service.settings.hostname == "relay.office.example"
        sink.write("a line")
        assert (tmp_path / "one.log").read_text() == "a line\n"  # it was rotated, whatever the configuration says
    finally:
        await service.stop()


async def test_shared_inboxes_are_there_before_a_mail_reader_can_make_them(tmp_path: Path) -> None:
    bert = {"name": "bert", "address": "bert@example.com"}
    accounts, group = [make_account("sales", 9)], grp.getgrgid(os.getgid()).gr_name
    path = write_config(tmp_path, accounts=accounts, storage={"group": group})
    service = Service(load_settings(path))
    await service.start()
    assert (tmp_path / "inboxes/anna/cur").is_dir()
    assert not (tmp_path / "inboxes/bert").exists()
    write_config(tmp_path, accounts=accounts, users=[ANNA, bert], storage={"group": group})
    assert await service.reload() == []
    assert (tmp_path / "inboxes/bert/new").is_dir()
    await service.stop()


async def test_reloads_come_one_after_the_other(tmp_path: Path) -> None:
    path = write_config(tmp_path, accounts=[make_account("sales", 9)])
    service = Service(load_settings(path))
    await service.start()
    other = path.read_text().replace('host = "127.0.0.1"', 'host = "::1"', 1)
    path.write_text(other.replace("port = 0", f"port = {free_port()}", 1))
    assert await asyncio.gather(*(service.reload() for _ in range(5))) == [[]] * 5
    assert len(service.ports) == 1
    await service.stop()


async def test_a_reload_that_runs_ends_before_the_service_does_and_none_begins_then(tmp_path: Path) -> None:
    path = write_config(tmp_path, accounts=[make_account("sales", 9)])
    service = Service(load_settings(path))
    await service.start()
    port = free_port()
    path.write_text(
        path.read_text().replace("[[listener]]", f'[[listener]]\nhost = "::1"\nport = {port}\n\n[[listener]]')
    )
    with capture_logs() as lines:
        early = asyncio.create_task(service.reload())
        await asyncio.sleep(0)
        stopping = asyncio.create_task(service.stop())
        await asyncio.sleep(0)
        with pytest.raises(RelayError, match="stopping"):
            await service.reload()
        assert await early == []
        await stopping
    assert [line["event"] for line in lines][-1] == "service_stopped"
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("::1", port)


async def test_a_signal_to_reload_during_the_start_is_kept_for_afterwards(tmp_path: Path) -> None:
    path = write_config(tmp_path, accounts=[make_account("sales", 9)])
    service = Service(load_settings(path))
    service.handle_signals()
    try:
        starting = asyncio.create_task(service.start())
        await asyncio.sleep(0)
        path.write_text(path.read_text().replace("relay.office.example", "other.example"))
        os.kill(os.getpid(), signal.SIGHUP)
        await starting
        await until(lambda: service.settings.hostname == "other.example")
    finally:
        await service.stop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(number)


async def test_a_reload_lets_an_account_rest_that_its_provider_wants_to_rest(tmp_path: Path) -> None:
    path = write_config(tmp_path, accounts=[make_account("sales", 9)])
    service = Service(load_settings(path))
    await service.start()
    service.delivery.rescan = Mock(wraps=service.delivery.rescan)  # type: ignore[method-assign]
    service.delivery.flush = Mock()  # type: ignore[method-assign]
    assert await service.reload() == []
    service.delivery.rescan.assert_called_once()
    service.delivery.flush.assert_not_called()
    await service.stop()


async def test_history_that_is_old_enough_goes_by_itself(tmp_path: Path) -> None:
    async with Provider() as provider:
        limits = {"keep_history": "1 s"}
        path = write_config(tmp_path, accounts=[make_account("sales", provider.port)], limits=limits)
        service = Service(load_settings(path))
        await service.start()
        await asyncio.to_thread(submit, service.ports[0])
        await service.delivery.run_until_idle()
        received = list_deliveries(service._engine, Selection(states=("done",)))[0].received_at
        await until(lambda: time.time_ns() // 1_000_000 > received + 1_500)  # its attempt is a little younger
        running = asyncio.create_task(service.run())
        done = ("queued", "active", "held", "done")
        await until(lambda: not list_deliveries(service._engine, Selection(states=done)))
        service.end("the test is over")
        assert await running


async def test_the_end_of_the_writer_ends_the_service_as_a_failure(tmp_path: Path) -> None:
    service = Service(load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)])))
    await service.start()
    running = asyncio.create_task(service.run())
    await asyncio.sleep(0)
    service._writer.dead.set()
    assert await running is False


async def test_the_postmaster_is_told_of_what_needs_him(tmp_path: Path) -> None:
    accounts = [make_account("sales", free_port())]
    users = [{"name": "anna", "address": "anna@example.com", "notify": "inbox"}]
    service = Service(load_settings(write_config(tmp_path, accounts=accounts, users=users)))
    with capture_logs() as lines:
        await service.start()
        running = asyncio.create_task(service.run())
        quarantine = tmp_path / "quarantine" / "new"
        quarantine.mkdir(parents=True)
        (quarantine / "P1").write_bytes(b"Subject: lost\n\nhello\n")
        await service.watcher.look()
        await until(lambda: [line for line in lines if line["event"] == "inbox_delivered"])
        service.end("the test is over")
        assert await running
    (raised,) = [line for line in lines if line["event"] == "alert_raised"]
    (file,) = (tmp_path / "inboxes" / "anna" / "new").iterdir()
    assert raised["kind"] == "quarantine"
    assert b"Subject: 1 e-mail in quarantine" in file.read_bytes()


async def test_a_night_that_is_due_is_backed_up_while_it_serves(tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    config = write_config(tmp_path, accounts=[make_account("sales", 9)], backup={"folder": str(tmp_path / "backup")})
    service = Service(load_settings(config))
    await service.start()
    service.backups._started -= 3_600_000  # as if it had run for an hour
    running = asyncio.create_task(service.run())
    await until(lambda: find_backups(tmp_path / "backup"))
    await asyncio.to_thread(submit, service.ports[0])
    service.end("the test is over")
    assert await running
