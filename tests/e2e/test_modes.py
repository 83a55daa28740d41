"""Whatever the service makes has a mode that it asks for: the unit's umask (0007) shares nothing with its group."""

import asyncio
import os
import stat
from pathlib import Path

import structlog

from relay import logs
from relay.settings import load_settings
from relay.supervisor import Service
from tests.peers.machine import until
from tests.peers.provider import Provider
from tests.peers.relay_process import ANNA, make_account, write_config
from tests.test_supervisor import submit


async def test_each_file_and_folder_is_the_owners_alone_but_the_log(tmp_path: Path) -> None:
    folder = tmp_path / "relay"
    folder.mkdir(mode=0o711)
    before = os.umask(0)
    try:
        async with Provider({"RCPT": "550 5.1.1 no such user"}) as provider:
            config = write_config(
                tmp_path,
                accounts=[make_account("sales", provider.port)],
                users=[{**ANNA, "notify": "inbox"}],
                storage={"folder": str(folder), "inboxes": str(folder / "inboxes")},
                log={"file": "relay.log"},
            )
            settings = load_settings(config)
            sink = logs.configure(form="json", level="info", file=settings.log.file)
            service = Service(settings, sink=sink)
            await service.start()
            running = asyncio.create_task(service.run())
            await asyncio.to_thread(submit, service.ports[0])
            await until(lambda: [*folder.glob("inboxes/anna/new/*")])
            modes = {path.relative_to(folder): path.lstat().st_mode for path in folder.rglob("*")}
            service.end("the test is over")
            await running
    finally:
        os.umask(before)
        structlog.reset_defaults()
    names = {str(path) for path in modes}
    assert {"relay.db", "relay.db-wal", "relay.db-shm", "relay.lock", "relay.sock", "relay.log", "inboxes"} <= names
    open_to_others = {
        str(path): oct(mode) for path, mode in modes.items() if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & 0o077
    }
    assert open_to_others == {"relay.log": oct(stat.S_IFREG | 0o640)}
