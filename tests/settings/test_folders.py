"""The folders that the service writes in: what is wrong with them is told with their paths and the commands."""

import grp
import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from relay.settings import ConfigurationError, load_settings
from relay.settings.folders import make_shared, share_existing
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


OWNER = pwd.getpwnam("nobody")
"""A user that every machine has, who is in no group but his own."""
GROUP = grp.getgrnam("mail")


class Office:
    """A folder with the configuration, and the storage folder of another user in it."""

    def __init__(self, folder: Path) -> None:
        self.storage, self.inboxes = folder / "data", folder / "data" / "inboxes"
        self.storage.mkdir(mode=0o711)
        folder.chmod(0o755)
        os.chown(self.storage, OWNER.pw_uid, OWNER.pw_gid)
        storage = {"folder": str(self.storage), "group": GROUP.gr_name}
        self.config = write_config(folder, accounts=[make_account("sales", 9)], storage=storage)

    def warnings(self) -> list[str]:
        """Give what is said of the group, without what is always said of a user who is no member."""
        place = f"relay.toml: storage.group: {GROUP.gr_name}: "
        lines = [line.removeprefix(place) for line in load_settings(self.config).warnings if line.startswith(place)]
        member = lines.pop()
        name = OWNER.pw_name
        assert member == (
            f"{name}, who runs the service, is not in it and can't deliver into a folder that a mail reader makes: "
            f"usermod --append --groups {GROUP.gr_name} {name}, then restart the service"
        )
        return lines

    def obey(self) -> None:
        """Run the command of the only warning."""
        (line,) = self.warnings()
        subprocess.run(["sh", "-euc", line.partition(": ")[2]], check=True, timeout=20)


@pytest.fixture
def office() -> Generator[Office]:
    require_root("to give files away")
    with tempfile.TemporaryDirectory(prefix="sharing-") as name:
        yield Office(Path(name))


def test_a_missing_folder_and_the_command_that_makes_it(office: Office) -> None:
    (line,) = office.warnings()
    become = f"setpriv --reuid={OWNER.pw_name} --regid=mail --clear-groups"
    command = f"{become} install -d -g mail -m 2770 {office.inboxes}"
    assert line == f"{office.inboxes} is not there, and the service would make it for itself alone: {command}"
    office.obey()
    assert office.warnings() == []
    found = office.inboxes.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (OWNER.pw_uid, GROUP.gr_gid, 0o2770)


def test_a_folder_of_anothers_is_given_to_the_service_and_a_link_leads_root_nowhere(office: Office) -> None:
    office.inboxes.mkdir()
    assert office.warnings()[0].startswith(f"{office.inboxes} is not open to it yet: chown -h {OWNER.pw_name} ")
    office.obey()
    assert office.warnings() == []
    office.inboxes.rmdir()
    elsewhere = office.storage.parent / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    office.inboxes.symlink_to(elsewhere)
    command = make_shared(office.inboxes, OWNER.pw_name, GROUP.gr_name)
    assert subprocess.run(command, shell=True, check=False, capture_output=True, timeout=60).returncode != 0
    found = elsewhere.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (os.geteuid(), 0o755)


def test_in_a_folder_of_roots_root_makes_it(office: Office) -> None:
    place = office.storage.parent / "srv"
    place.mkdir(mode=0o755)
    command = make_shared(place / "inboxes", OWNER.pw_name, GROUP.gr_name)
    assert command == f"install -d -o {OWNER.pw_name} -g mail -m 2770 {place}/inboxes"


def test_inboxes_that_are_there_are_opened_and_no_link_is_followed(office: Office) -> None:
    secret = office.storage / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    for name in ("tmp", "new", "cur"):
        (office.inboxes / "anna" / name).mkdir(parents=True, mode=0o700)
    mail = office.inboxes / "anna/cur/one:2,S"
    mail.write_text("x")
    mail.chmod(0o600)
    (office.inboxes / "anna/new/link").symlink_to(secret)
    (office.inboxes / "bert").symlink_to(office.storage)
    office.obey()
    assert office.warnings() == []
    assert (mail.stat().st_gid, stat.S_IMODE(mail.stat().st_mode)) == (GROUP.gr_gid, 0o660)
    assert stat.S_IMODE((office.inboxes / "anna/cur").stat().st_mode) == 0o2770
    assert (stat.S_IMODE(secret.stat().st_mode), secret.stat().st_gid) == (0o600, 0)
    assert stat.S_IMODE(office.storage.stat().st_mode) == 0o711


def test_a_link_in_place_of_all_inboxes_leads_root_only_where_root_has_made_it(office: Office) -> None:
    elsewhere = office.storage.parent / "elsewhere"
    (elsewhere / "anna").mkdir(parents=True, mode=0o700)
    office.inboxes.symlink_to(elsewhere)
    assert f"find {elsewhere} -type d" in share_existing(office.inboxes, GROUP.gr_name)
    office.obey()
    assert office.inboxes.lstat().st_uid == 0
    assert (elsewhere.stat().st_uid, (elsewhere / "anna").stat().st_gid) == (OWNER.pw_uid, GROUP.gr_gid)
    os.chown(elsewhere / "anna", 0, 0)
    (elsewhere / "anna").chmod(0o700)
    os.chown(office.inboxes, OWNER.pw_uid, OWNER.pw_gid, follow_symlinks=False)
    command = share_existing(office.inboxes, GROUP.gr_name)
    assert subprocess.run(command, shell=True, check=False, timeout=60).returncode == 0
    assert ((elsewhere / "anna").stat().st_gid, stat.S_IMODE((elsewhere / "anna").stat().st_mode)) == (0, 0o700)


@pytest.mark.parametrize("mode", [0o0770, 0o2750, 0o2700])
def test_an_inbox_that_is_shut_is_named(office: Office, mode: int) -> None:
    office.obey()
    (office.inboxes / "anna").mkdir()
    (office.inboxes / "anna").chmod(0o2770)
    assert office.warnings() == []
    (office.inboxes / "anna/cur").mkdir()
    (office.inboxes / "anna/cur").chmod(mode)
    (line,) = office.warnings()
    assert line.startswith(f"{office.inboxes}/anna is not open to it yet: find {office.inboxes} -type d ")
    office.obey()
    assert office.warnings() == []


def test_a_folder_on_the_way_that_lets_nobody_through_is_named(office: Office) -> None:
    office.obey()
    office.storage.chmod(0o700)
    assert office.warnings() == [f"nobody of it gets through {office.storage}: chmod o+x {office.storage}"]
    office.obey()
    assert office.warnings() == []


def test_without_a_group_nothing_is_said(office: Office) -> None:
    office.config.write_text(office.config.read_text().replace('group = "mail"', ""))
    assert load_settings(office.config).warnings == ()
    assert load_settings(office.config).group is None


def test_a_link_that_takes_a_folders_place_has_root_open_nothing_elsewhere(tmp_path: Path) -> None:
    require_root("to give files to a group")
    inboxes, elsewhere, tools = tmp_path / "inboxes", tmp_path / "elsewhere", tmp_path / "tools"
    for folder in (inboxes / "anna", elsewhere, tools):
        folder.mkdir(parents=True)
    for file in (inboxes / "anna" / "shadow", elsewhere / "shadow"):
        file.touch(mode=0o600)
    # Whoever may write into the inboxes is as fast as this one: he acts between find's look and what it runs.
    swap = f"mv {inboxes}/anna {inboxes}/gone 2>/dev/null && ln -s {elsewhere} {inboxes}/anna"
    for name in ("chgrp", "chmod"):
        (tools / name).write_text(f'#!/bin/sh\ncase "$*" in *shadow*) {swap};; esac\nexec /usr/bin/{name} "$@"\n')
        (tools / name).chmod(0o755)
    command = share_existing(inboxes, GROUP.gr_name)
    subprocess.run(command, shell=True, check=False, env={"PATH": f"{tools}:/usr/bin:/bin"}, timeout=60)
    assert (inboxes / "anna").is_symlink()
    found = (elsewhere / "shadow").stat()
    assert (found.st_gid, found.st_mode & 0o777) == (os.getegid(), 0o600)
    assert (inboxes / "gone" / "shadow").stat().st_gid == GROUP.gr_gid
