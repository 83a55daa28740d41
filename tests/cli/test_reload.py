import asyncio
import os
from pathlib import Path

import pytest

from relay.admin.desk import name_user
from relay.settings import load_settings
from relay.supervisor import Service
from tests.cli.conftest import Run, serve


def test_a_running_service_answers(run: Run, config: Path) -> None:
    elsewhere = config.read_text().replace('host = "127.0.0.1"', 'host = "192.0.2.1"', 1)

    async def beside() -> None:
        service = Service(load_settings(config))
        await service.start()
        try:
            assert (await asyncio.to_thread(run, "reload")).status == 0
            await asyncio.to_thread(config.write_text, elsewhere)
            said = await asyncio.to_thread(run, "reload")
            assert said.status == 2
            assert "192.0.2.1" in said.err
        finally:
            await service.stop()

    asyncio.run(beside())


def test_the_log_says_who_asked(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    with serve(config) as lines:
        assert run("reload").status == 0
    (reloaded,) = [line for line in lines if line["event"] == "configuration_reloaded"]
    assert reloaded["by"] == name_user(os.getuid(), "")


def test_a_service_that_is_stopping_is_no_success(run: Run, config: Path) -> None:
    async def beside() -> None:
        service = Service(load_settings(config))
        await service.start()
        service._stopping = True
        said = await asyncio.to_thread(run, "reload")
        assert (said.status, said.err) == (1, "the service is stopping\n")
        await service.stop()

    asyncio.run(beside())


def test_what_only_the_service_reads_is_a_mistake_of_the_reload(run: Run, config: Path) -> None:
    """A password file that is gone: the command itself logs in nowhere, and does not need it."""

    async def beside() -> None:
        service = Service(load_settings(config))
        await service.start()
        try:
            before = await asyncio.to_thread(config.read_text)
            login = 'security = "none"\nusername = "u"\npassword_file = "gone"'
            await asyncio.to_thread(config.write_text, before.replace('security = "none"', login, 1))
            said = await asyncio.to_thread(run, "reload")
            assert said.status == 2
            assert "account[sales].smtp.password_file: gone: can't be read: No such file" in said.err
            assert said.err.endswith("Nothing was changed: the service goes on with what it had.\n")
        finally:
            await service.stop()

    asyncio.run(beside())
