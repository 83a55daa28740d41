"""The wired service in this process: what start, reload and stop promise."""

import asyncio
import smtplib
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relay.control import ask
from relay.model.errors import RelayError
from relay.settings import load_settings
from relay.storage.admin import list_deliveries
from relay.storage.engine import open_engine
from relay.supervisor import Service
from tests.peers.machine import until
from tests.peers.provider import Provider
from tests.peers.relay_process import make_account, write_config


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


async def test_a_second_service_of_one_folder_is_refused_with_a_clear_text(tmp_path: Path) -> None:
    settings = load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)]))
    first = Service(settings)
    await first.start()
    with pytest.raises(RelayError, match="another"):
        await Service(settings).start()
    await first.stop()


async def test_a_port_that_is_taken_is_named_and_everything_is_released(tmp_path: Path) -> None:
    async with Provider() as provider:
        listener = {"port": provider.port}
        settings = load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)], listener=listener))
        for _ in range(2):
            with pytest.raises(RelayError, match=f"port {provider.port}"):
                await Service(settings).start()


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
            service.reload()
            assert service.settings.directory.account("sales") is not None
            path.write_text(good)
            assert await asyncio.to_thread(ask, tmp_path, "reload") == {"ok": True}
        assert [line["event"] for line in lines].count("configuration_refused") >= 2
        assert "configuration_reloaded" in [line["event"] for line in lines]
        assert not [line for line in lines if "restart" in line.get("warning", "")]
        write_config(tmp_path, accounts=[make_account("sales", provider.port)], listener={"max_message_size": "1 MiB"})
        with capture_logs() as lines:
            service.reload()
        assert [line["warning"].partition(":")[0] for line in lines if "warning" in line] == ["listeners"]
        await asyncio.to_thread(ask, tmp_path, "hurry")
        await asyncio.to_thread(submit, service.ports[0])
        await provider.wait_for("DATA")
        service.end("the test is over")
        assert await running
        assert provider.mails


async def test_history_that_is_old_enough_goes_by_itself(tmp_path: Path) -> None:
    async with Provider() as provider:
        limits = {"keep_history": "1 s"}
        path = write_config(tmp_path, accounts=[make_account("sales", provider.port)], limits=limits)
        service = Service(load_settings(path))
        await service.start()
        await asyncio.to_thread(submit, service.ports[0])
        await service.delivery.run_until_idle()
        with open_engine(service.settings.database).begin() as connection:
            connection.exec_driver_sql("UPDATE message SET received_at = received_at - 5000")
        running = asyncio.create_task(service.run())
        done = ("queued", "active", "held", "done")
        await until(lambda: not list_deliveries(service._engine, states=done))
        service.end("the test is over")
        assert await running


async def test_the_end_of_the_writer_ends_the_service_as_a_failure(tmp_path: Path) -> None:
    service = Service(load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)])))
    await service.start()
    running = asyncio.create_task(service.run())
    await asyncio.sleep(0)
    service._writer.dead.set()
    assert await running is False
