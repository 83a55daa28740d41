"""The folders that the service writes in: what is wrong with them is told with their paths and the commands."""

import os
from pathlib import Path

import pytest

from relay.settings import ConfigurationError, load_settings
from tests.peers.machine import require_root
from tests.peers.relay_process import ANNA, make_account, write_config

UID = 54321


def configure(folder: Path, **sections: object) -> Path:
    return write_config(folder, accounts=[make_account("sales", 9)], users=[ANNA], **sections)  # type: ignore[arg-type]


def warnings(folder: Path, **sections: object) -> list[str]:
    found = load_settings(configure(folder, **sections)).warnings
    return [line.removeprefix("relay.toml: storage.") for line in found if ": storage." in line]


def error(folder: Path, **sections: object) -> str:
    with pytest.raises(ConfigurationError) as error:
        load_settings(configure(folder, **sections))
    (line,) = error.value.errors
    return line.removeprefix("relay.toml: ")


def test_a_folder_that_is_not_there_is_made_by_a_command(tmp_path: Path) -> None:
    path = tmp_path / "data"
    how = f"install -d -o relay -g relay -m 0711 {path} (relay: who runs the service)"
    reason = "No such file or directory: the service can't start without it. Make it: "
    assert warnings(tmp_path, storage={"folder": str(path)}) == [f"folder: {path}: {reason}{how}"]
    assert warnings(tmp_path, storage={"folder": "data"}) == [f"folder: data: {reason}{how} ({path})"]
    (tmp_path / "file").touch()
    assert error(tmp_path, storage={"folder": "file"}) == f"storage.folder: file: is no folder ({tmp_path}/file)"


def test_modes_that_hurt_are_named_with_what_mends_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "inboxes").mkdir(parents=True)
    for mode, reason in (
        (0o777, "everybody on this machine can delete and exchange what is in it: chmod o-w"),
        (0o1777, "everybody on this machine can delete and exchange what is in it: chmod o-w"),
    ):
        data.chmod(mode)
        assert warnings(tmp_path, storage={"folder": str(data)}) == [f"folder: {data}: {reason} {data}"]
    data.chmod(0o700)
    (data / "inboxes").chmod(0o777)
    (line,) = warnings(tmp_path, storage={"folder": str(data)})
    assert line == (
        "inboxes: everybody on this machine can delete and exchange what is in it: chmod o-w " + f"{data}/inboxes"
    )
    (data / "inboxes").chmod(0o2770)
    for mode in (0o711, 0o750, 0o700):
        data.chmod(mode)
        assert warnings(tmp_path, storage={"folder": str(data)}) == []


def test_a_folder_in_which_its_owner_can_not_write_is_named(tmp_path: Path) -> None:
    require_root("to give a folder away")
    data = tmp_path / "data"
    data.mkdir(0o500)
    os.chown(data, UID, UID)
    (line,) = warnings(tmp_path, storage={"folder": str(data)})
    assert line == f"folder: {data}: its owner {UID}, who runs the service, can't write in it: chmod u+rwx {data}"


def test_a_database_without_a_folder_is_named_and_nothing_of_a_url_is_shown(tmp_path: Path) -> None:
    (line,) = warnings(tmp_path, storage={"database": "sqlite:///data/relay.db"})
    assert line == (
        f"database: the database can't be made: {tmp_path}/data: No such file or directory."
        f" Make it: install -d -o relay -g relay -m 0711 {tmp_path}/data (relay: who runs the service)"
    )
    (tmp_path / "file").touch()
    (line,) = warnings(tmp_path, storage={"database": "sqlite:///file/relay.db"})
    assert f"{tmp_path}/file: is no folder" in line
    (tmp_path / "folder").mkdir()
    assert error(tmp_path, storage={"database": "sqlite:///folder"}) == (
        f"storage.database: is a folder, and must name a file in it ({tmp_path}/folder)"
    )
    assert warnings(tmp_path, storage={"database": "postgresql://relay:hunter2@db/relay"}) == []


def test_a_log_that_can_not_be_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert error(tmp_path, log={"file": "logs/relay.log"}) == (
        f"log.file: logs/relay.log: nothing can be logged there: {tmp_path}/logs: No such file or directory."
        f" Make it: install -d -o relay -g relay -m 0711 {tmp_path}/logs (relay: who runs the service)"
    )
    assert error(tmp_path, log={"file": "folder"}) == (
        f"log.file: folder: is a folder, and must name a file in it ({tmp_path}/folder)"
    )
    assert error(tmp_path, log={"file": "file/relay.log"}).endswith(f"{tmp_path}/file is no folder")


def test_inboxes_that_are_no_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "inboxes").touch()
    assert error(tmp_path) == f"storage.inboxes: is no folder ({tmp_path}/inboxes)"
