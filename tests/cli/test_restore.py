"""Whole backups put back: onto an empty machine, beside what is there, and never where they do harm."""

import asyncio
import hashlib
import json
import os
import shutil
import smtplib
import stat
import subprocess
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.lock import StorageLock
from relay.storage.manifest import MANIFEST, find_backups, read_manifest
from relay.storage.upgrade import prepare_database
from tests.cli.conftest import Said, hand_in
from tests.peers.backups import last_backup
from tests.peers.machine import require_root
from tests.peers.recorder import Recorder
from tests.peers.relay_process import ANNA, RelayProcess, make_account, write_config
from tests.peers.warm_start import run_warm

UID = 54321


class Machine:
    """A folder with a configuration, a database and inboxes."""

    def __init__(self, folder: Path, *, port: int = 9) -> None:
        self.folder = folder
        self.port = port
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "relay.toml"

    def furnish(self, backup: Path, **more: object) -> "Machine":
        """Make what a service would make, with a password in the configuration and one in a file."""
        accounts = [
            make_account("sales", self.port),
            make_account("old", 9, smtp={"username": "u", "password_file": "secrets/old"}),
            make_account("other", 9, smtp={"username": "u", "password": "hunter2"}),
        ]
        backup.mkdir(exist_ok=True)
        write_config(
            self.folder,
            accounts=accounts,
            users=[{**ANNA, "notify": "inbox"}],
            archive=[],
            backup={"folder": str(backup), "inboxes": True, **more},
        )
        (self.folder / "secrets").mkdir(exist_ok=True)
        (self.folder / "secrets" / "old").write_text("hunter3\n")
        (self.folder / "secrets" / "old").chmod(0o600)
        engine = open_engine(load_settings(self.config).database)
        prepare_database(engine)
        engine.dispose()
        return self

    def mail(self, place: str, content: str) -> Path:
        path = self.folder / "inboxes" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (1_700_000_000, 1_700_000_000))
        return path

    def hand_in(self, *subjects: str) -> list[str]:
        return asyncio.run(hand_in(self.config, list(subjects)))

    def run(self, *arguments: str, stdin: str = "") -> Said:
        result = CliRunner().invoke(main, [*arguments, "-c", str(self.config)], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    def inboxes(self) -> dict[str, str]:
        top = self.folder / "inboxes"
        return {str(path.relative_to(top)): path.read_text() for path in sorted(top.rglob("*")) if path.is_file()}

    def rows(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.run("queue", "list", "--json").json
        return found


@pytest.fixture
def old(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "old").furnish(tmp_path / "backup")
    machine.mail("anna/new/1.a.relay", "new\n")
    machine.mail("anna/cur/2.b.relay:2,S", "read\n")
    machine.mail("anna/.Customers/cur/3.c.relay:2,", "filed\n")
    machine.mail("../quarantine/new/4.d", "held\n")
    return machine


@pytest.fixture
def lock() -> Generator[Callable[[Machine], None]]:
    held: list[StorageLock] = []

    def take(machine: Machine) -> None:
        held.append(StorageLock(machine.folder, load_settings(machine.config).database))
        held[0].acquire()

    yield take
    for one in held:
        one.release()


def back_up(machine: Machine) -> Path:
    said = machine.run("backup")
    assert said.status == 0, said
    whole = load_settings(machine.config).backup
    assert whole is not None
    assert ("Passwords and private keys are not in it" in said.out) is not whole.secrets
    return find_backups(machine.folder.parent / "backup")[-1]


@pytest.mark.peer
def test_from_a_backup_alone_an_empty_machine_goes_on(tmp_path: Path) -> None:
    with Recorder() as provider:
        old = Machine(tmp_path / "old", port=provider.port).furnish(tmp_path / "backup", secrets=True)
        old.mail("anna/new/1.a.relay", "new\n")
        old.mail("anna/cur/2.b.relay:2,S", "read\n")
        (queued,) = old.hand_in("one")
        backup = back_up(old)
        shutil.rmtree(old.folder)
        new = Machine(tmp_path / "new")
        said = new.run("restore", "--yes", str(backup))
        assert (said.status, said.err) == (0, "")
        assert "inboxes: 2 mails put back; there already: 0" in said.out
        assert "1 delivery was waiting, and held now" in said.out
        assert "put these in again" not in said.out
        assert "make these again" not in said.out
        assert new.inboxes() == {"anna/new/1.a.relay": "new\n", "anna/cur/2.b.relay:2,S": "read\n"}
        assert (new.folder / "inboxes/anna/new/1.a.relay").stat().st_mtime == 1_700_000_000
        assert (new.folder / "secrets/old").read_text() == "hunter3\n"
        for path in (new.config, new.folder / "secrets/old", new.folder / "relay.db"):
            assert path.stat().st_mode & 0o777 == 0o600, path
        assert new.run("check").status == 0
        with RelayProcess(new.config) as relay:
            assert [(row["queue_id"], row["state"]) for row in new.rows()] == [(queued, "held")]
            relay.run("queue", "release", "--yes", queued)
            relay.wait_for("message_delivered", queue_id=queued)
            with smtplib.SMTP("127.0.0.1", relay.port, timeout=20) as client:
                client.sendmail("sales@example.com", ["c@example.net"], b"From: sales@example.com\r\n\r\nhello\r\n")
            relay.wait_for("message_delivered", count=2)
        assert len(provider.mails) == 2


def test_the_offices_authority_comes_back_and_its_certificate_with_it(tmp_path: Path) -> None:
    old = Machine(tmp_path / "old", port=9).furnish(tmp_path / "backup", secrets=True)
    assert old.run("certificate", "make").status == 0
    before = {one.name: one.read_bytes() for one in (old.folder / "certificates").iterdir()}
    (old.folder / "tokens.key").write_text("sealed\n")
    backup = back_up(old)
    shutil.rmtree(old.folder)
    new = Machine(tmp_path / "new")
    assert new.run("restore", "--yes", str(backup)).status == 0
    folder = new.folder / "certificates"
    assert {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {
        "authority.pem": 0o600, "relay.pem": 0o600,
    }  # fmt: skip
    assert new.run("certificate", "show", "--pem").out.encode() == before["authority.crt"]
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == before
    assert (new.folder / "tokens.key").read_text() == "sealed\n"
    assert new.run("certificate", "make", "--name", "other.lan").status == 0
    assert (folder / "authority.crt").read_bytes() == before["authority.crt"]


def test_without_secrets_it_says_which_must_be_put_in_again(old: Machine, tmp_path: Path) -> None:
    backup = back_up(old)
    assert b"hunter" not in b"".join(path.read_bytes() for path in backup.rglob("*") if path.is_file())
    new = Machine(tmp_path / "new")
    said = new.run("restore", "--yes", str(backup))
    assert said.status == 0
    assert (
        "give these accounts their secrets again, which are not in the backup; the others work before that, too:\n"
        "  relay account edit old --password\n  relay account edit other --password\n" in said.out
    )
    checked = new.run("check")
    assert (checked.status, checked.err) == (0, "")
    alone = "this account alone can't log in until it is there: relay account edit"
    empty = f"account[other].smtp.password: is empty, as after a restore without secrets: {alone} other --password\n"
    assert f"warning: relay.toml: {empty}" in checked.out
    gone = f"secrets/old: there is no such file ({new.folder}/secrets/old): {alone} old --password\n"
    assert f"warning: relay.toml: account[old].smtp.password_file: {gone}" in checked.out
    # It can be put back again all the same: what is there stays.
    again = new.run("restore", "--yes", str(backup))
    assert again.status == 0
    assert "inboxes: 0 mails put back; there already: 4" in again.out
    assert new.run("restore", "--yes").status == 0  # and without an argument, from [backup] folder
    state = last_backup(open_engine(f"sqlite:///{new.folder}/relay.db", create=False))
    assert (state.folder, state.at, state.begun) == (backup, read_manifest(backup).at, None)


def test_after_a_restore_without_secrets_each_command_that_it_names_helps_by_itself(tmp_path: Path) -> None:
    old = Machine(tmp_path / "old", port=9).furnish(tmp_path / "backup")
    assert 'password = "hunter2"' in old.config.read_text(), "one within the configuration, and one in a file"
    assert old.run("certificate", "make").status == 0
    own = old.folder / "certificates" / "relay.pem"
    with_tls = f'[[listener]]\ntls = "starttls"\ncertificate = "{own}"\nprivate_key = "{own}"\n'
    first, rest = old.config.read_text().split("[[listener]]\n", 1)
    old.config.write_text(f"{first}{with_tls}{rest}".replace(f"{old.folder}/", ""))
    assert old.run("check").status == 0
    backup = back_up(old)
    shutil.rmtree(old.folder)
    new = Machine(tmp_path / "new")
    said = new.run("restore", "--yes", str(backup))
    assert said.status == 0
    assert "  relay account edit old --password\n  relay account edit other --password\n" in said.out
    assert "\n  relay certificate make\n" in said.out
    assert "make these again" not in said.out
    assert new.run("certificate", "make").status == 0
    with RelayProcess(new.config):  # the service starts
        changed = new.run("account", "edit", "other", "--password", stdin="again2\n")
        assert (changed.status, changed.err) == (0, "")
        assert "The service has read the configuration anew.\n" in changed.out
    assert "account[old].smtp.password_file" in new.run("check").out
    with_one = new.run("account", "edit", "old", "--password", stdin="again3\n")
    assert (with_one.status, with_one.err) == (0, "")
    assert new.run("check").status == 0


def test_the_variables_are_named_that_are_in_no_backup(
    old: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "hunter2")
    old.config.write_text(old.config.read_text().replace('password = "hunter2"', 'password_env = "MAIL_PASSWORD"'))
    said = Machine(tmp_path / "new").run("restore", "--yes", str(back_up(old)))
    assert said.status == 0
    assert (
        "\nvariables are in no backup: set $MAIL_PASSWORD again, in /etc/relay/environment for the service\n"
        in said.out
    )
    assert "account edit other" not in said.out


def test_after_a_restore_without_secrets_each_user_gets_his_password_by_itself(tmp_path: Path) -> None:
    old = Machine(tmp_path / "old", port=9).furnish(tmp_path / "backup")
    bert = '\n[[user]]\nname = "bert"\naddress = "bert@firma.example"\n'
    text = old.config.read_text().replace("[[listener]]\n", "[[listener]]\nrequire_auth = true\n", 1)
    old.config.write_text(text + bert)
    for name in ("anna", "bert"):
        assert old.run("user", "password", name, stdin=f"{name}1\n").status == 0
    backup = back_up(old)
    shutil.rmtree(old.folder)
    new = Machine(tmp_path / "new")
    said = new.run("restore", "--configuration", "--yes", str(backup))
    assert "before:\n  relay user password anna\n  relay user password bert\n" in said.out
    assert "put these in again" not in said.out
    blank = new.config.read_text()
    refused = new.run("serve")
    assert refused.status == 2
    assert 'user[anna].password_hash: is empty, as after a restore without secrets: "relay user password anna"' in (
        refused.err
    )
    for name in ("anna", "bert"):
        changed = new.run("user", "password", name, stdin=f"{name}2\n")
        assert (changed.status, changed.err) == (0, "")
    # Neither a password of users that is missing nor all of them stop what gives an account its own.
    for text in (blank, blank.replace('password_hash = ""\n', "")):
        new.config.write_text(text)
        changed = new.run("account", "edit", "other", "--password", stdin="again\n")
        assert (changed.status, changed.err) == (0, "")
        assert new.run("user", "password", "anna", stdin="anna2\n").status == 0


def test_what_is_there_stays_and_what_is_missing_comes_back(old: Machine) -> None:
    kept, gone = old.hand_in("one", "two")
    backup = back_up(old)
    old.run("queue", "delete", "--yes", gone)
    (late,) = old.hand_in("late")
    (old.folder / "inboxes/anna/new/1.a.relay").rename(old.folder / "inboxes/anna/cur/1.a.relay:2,RS")
    (old.folder / "inboxes/anna/cur/2.b.relay:2,S").write_text("changed\n")
    (old.folder / "inboxes/anna/.Customers/cur/3.c.relay:2,").unlink()
    old.mail("anna/new/9.z.relay", "later\n")
    before = old.config.read_text().replace('"en"', '"de"')
    old.config.write_text(before)
    said = old.run("restore", "--yes")  # the newest of [backup] folder
    assert (said.status, said.err) == (0, "")
    assert old.inboxes() == {
        "anna/new/9.z.relay": "later\n",
        "anna/cur/1.a.relay:2,RS": "new\n",
        "anna/cur/2.b.relay:2,S": "changed\n",
        "anna/.Customers/cur/3.c.relay:2,": "filed\n",
    }
    assert sorted((row["queue_id"], row["state"]) for row in old.rows()) == [(kept, "held"), (gone, "held")]
    assert f"1 delivery that waited there came in after the backup: {old.folder}/relay.db.before" in said.out
    assert (
        f"{old.config} stays as it is; the backup's is {backup}/relay.toml (--configuration puts it back)" in said.out
    )
    assert old.config.read_text() == before
    assert late


def test_the_configuration_comes_back_where_that_is_asked_and_the_old_one_is_kept(old: Machine) -> None:
    written = old.config.read_text()
    backup = back_up(old)
    old.config.write_text(written.replace('"en"', '"de"'))
    os.utime(old.config, (2_000_000_000, 2_000_000_000))
    asked = old.run("restore", "--configuration", str(backup.parent))
    assert asked.status == 2
    assert f"and replace {old.config}, which is newer than the backup: add --yes" in asked.err
    assert 'language = "de"' in old.config.read_text()
    said = old.run("restore", "--configuration", "--yes", str(backup.parent))
    assert said.status == 0
    assert old.config.read_text() == written.replace("hunter2", "")
    assert f"the configuration that was there before is {old.config}.before-restore-1" in said.out
    assert 'language = "de"' in Path(f"{old.config}.before-restore-1").read_text()


def test_a_running_service_is_not_disturbed(old: Machine, lock: Callable[[Machine], None]) -> None:
    backup = back_up(old)
    lock(old)
    before = (old.folder / "relay.db").stat().st_ino
    said = old.run("restore", "--yes", str(backup))
    assert said.status == 1
    assert "another relay is running here" in said.err
    assert (old.folder / "relay.db").stat().st_ino == before


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda b: (b / "inboxes/anna/new/1.a.relay").write_text("neW\n"), "1.a.relay: is damaged"),
        (lambda b: (b / "inboxes/anna/new/1.a.relay").unlink(), "1.a.relay: No such file or directory"),
        (lambda b: (b / "relay.db").write_bytes((b / "relay.db").read_bytes()[:-1] + b"x"), "relay.db: is damaged"),
        (lambda b: (b / "relay.db").unlink(), "relay.db: No such file"),
        (lambda b: (b / MANIFEST).write_text((b / MANIFEST).read_text()[:-9]), "manifest.json is damaged"),
        (lambda b: (b / MANIFEST).write_text("[]"), "manifest.json is damaged"),
        (lambda b: replace(b, '"format": 1', '"format": 2'), "was made by a newer relay"),
        (lambda b: replace(b, '"schema": ', '"schema": 9'), "this program knows"),
        (lambda b: replace(b, "inboxes/anna/new/", "inboxes/anna/new/../../../"), "names files that no backup has"),
        (lambda b: replace(b, "inboxes/anna/new/", "/etc/"), "names files that no backup has"),
    ],
)
def test_a_backup_that_is_no_good_changes_nothing(
    old: Machine, tmp_path: Path, damage: Callable[[Path], object], reason: str
) -> None:
    backup = back_up(old)
    damage(backup)
    new = Machine(tmp_path / "new")
    said = new.run("restore", "--yes", str(backup))
    assert (said.status, said.out) == (1, "")
    assert reason in said.err
    assert len(said.err.splitlines()) == 1
    assert list(new.folder.iterdir()) == []


def replace(backup: Path, before: str, after: str) -> None:
    content = (backup / MANIFEST).read_text()
    assert before in content
    (backup / MANIFEST).write_text(content.replace(before, after))


def test_a_backup_of_another_installation_takes_no_newer_mails_place_unasked(old: Machine, tmp_path: Path) -> None:
    backup = back_up(old)
    other = Machine(tmp_path / "other").furnish(tmp_path / "elsewhere")
    other.run("backup")
    (mine,) = other.hand_in("mine")
    said = other.run("restore", "--yes", str(backup))
    assert said.status == 1
    assert "is of another installation" in said.err
    assert "add --other-installation" in said.err
    assert [row["queue_id"] for row in other.rows()] == [mine]
    assert other.run("restore", "--yes", "--other-installation", str(backup)).status == 0
    assert other.rows() == []


def test_a_secret_that_is_there_stays_and_one_that_belongs_elsewhere_is_named(old: Machine, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    (away / "old").write_text("hunter3\n")
    (away / "old").chmod(0o600)
    config = old.config.read_text().replace('"secrets/old"', f'"{away}/old"')
    old.config.write_text(f"{config}secrets = true\n")
    backup = back_up(old)
    assert [entry.origin for entry in read_manifest(backup).files if entry.origin] == [f"{away}/old"]
    (away / "old").write_text("newer\n")
    new = Machine(tmp_path / "new")
    said = new.run("restore", "--yes", str(backup))
    assert f"{away}/old is there and stays; another one is {backup}/secrets/0001-old" in said.out
    (away / "old").unlink()
    said = new.run("restore", "--yes", str(backup))
    assert f"put back by hand: {backup}/secrets/0001-old belongs to {away}/old" in said.out
    assert not (away / "old").exists()


@pytest.fixture
def open_folder() -> Generator[Path]:
    require_root("to become somebody else")
    folder = Path(tempfile.mkdtemp(prefix="relay-"))  # the folders of pytest are shut to others
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.peer
def test_roots_restore_gives_each_file_to_whom_it_belongs(open_folder: Path) -> None:
    etc, storage, backups = open_folder / "etc", open_folder / "var", open_folder / "backup"
    for folder in (etc, storage, backups):
        folder.mkdir()
        folder.chmod(0o755)
    for folder in (storage, backups):
        os.chown(folder, UID, UID)
    account = make_account("sales", 9, smtp={"username": "u", "password_file": str(etc / "secrets" / "sales")})
    config = write_config(
        etc,
        accounts=[account],
        users=[ANNA],
        storage={"folder": str(storage)},
        backup={"folder": str(backups), "inboxes": True, "secrets": True},
    )
    os.chown(config, 0, UID)
    config.chmod(0o640)
    (etc / "secrets").mkdir()
    (etc / "secrets").chmod(0o750)
    os.chown(etc / "secrets", 0, UID)
    (etc / "secrets/sales").write_text("hunter3\n")
    os.chown(etc / "secrets/sales", 0, UID)
    (etc / "secrets/sales").chmod(0o640)

    def relay(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return run_warm("relay", *arguments, "-c", str(config))

    with RelayProcess(config):
        pass
    inbox = storage / "inboxes/anna/new"
    inbox.mkdir(parents=True)
    (inbox / "1.a.relay").write_text("new\n")
    for path in (storage / "inboxes", *(storage / "inboxes").rglob("*")):
        os.chown(path, UID, UID)
    said = relay("backup")
    assert said.returncode == 0, said
    assert said.stderr == ""
    (backup,) = find_backups(backups)
    assert {path.stat().st_uid for path in backup.rglob("*")} == {UID}
    shutil.rmtree(etc / "secrets")
    config.unlink()
    for path in storage.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    said = relay("restore", "--yes", str(backup))
    assert said.returncode == 0, said
    assert said.stderr == ""
    assert {path.stat().st_uid for path in storage.rglob("*")} == {UID}
    assert (storage / "inboxes/anna/new/1.a.relay").read_text() == "new\n"
    for path in (config, etc / "secrets/sales"):
        found = path.stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (0, UID, 0o640), path
    assert (etc / "secrets").stat().st_mode & 0o777 == 0o750
    with RelayProcess(config) as started:
        assert started.port
    # Root's own copy, which the service's user can't read.
    for path in (backup, *backup.rglob("*")):
        os.chown(path, 0, 0)
    said = relay("restore", "--yes", str(backup))
    assert said.returncode == 1
    assert f'give it to him ("chown -R {UID} {backup}")' in said.stderr


@pytest.mark.parametrize("way", ["configuration", "place"])
def test_a_backup_of_another_hand_has_root_write_nowhere_else(open_folder: Path, way: str) -> None:
    """Whoever may write backups must not become root by one."""
    backups, system = open_folder / "backup", open_folder / "system"
    system.mkdir()
    old = Machine(open_folder / "old").furnish(backups, secrets=True)
    backup = back_up(old)
    config = (backup / "relay.toml").read_text()
    assert "[storage]" not in config
    evil = f'{config}\n[storage]\nfolder = "{system}"\n'
    entries = json.loads((backup / MANIFEST).read_text())
    entries["configuration"] = str(system / "anywhere" if way == "place" else old.config)
    for entry in entries["files"]:
        if entry["path"] == "relay.toml":
            (backup / "relay.toml").write_text(evil)
            entry |= {"size": len(evil), "sha256": hashlib.sha256(evil.encode()).hexdigest()}
    (backup / MANIFEST).write_text(json.dumps(entries))
    for path in (backups, backup, *backup.rglob("*")):
        os.chown(path, UID, UID)
    more = [] if way == "place" else ["--configuration", "-c", str(old.config)]
    result = CliRunner().invoke(main, ["restore", "--yes", str(backup), *more])
    assert result.exit_code == 1, result.output
    assert "could have written" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(system.iterdir()) == []
