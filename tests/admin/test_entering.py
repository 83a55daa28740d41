"""Commands that root runs in a storage folder of somebody else's: as real processes, since there is no way back."""

import asyncio
import datetime as dt
import json
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import trustme

from relay.certificates.store import Store
from relay.cli import main
from relay.demo.provider import PASSWORD
from relay.settings import load_settings
from relay.storage.backup import copy_database
from relay.storage.engine import open_engine
from relay.storage.upgrade import prepare_database
from tests.cli.conftest import hand_in, serve_mailbox
from tests.peers.machine import require_root
from tests.peers.oauth_server import OAuthServer
from tests.peers.relay_process import ANNA, ROOT, RelayProcess, make_account, write_config

UID = 54321
"""Of nobody on this machine."""
SECRET = b"root's own\n"
PATIENT = "from relay.cli import main, status; status.LONGEST = 40; main()"
"""The program, whose `relay status` does not give up soon."""


@dataclass(frozen=True)
class Office:
    """A folder of root's, with the configuration and what is root's alone, and the storage folder of another in it."""

    folder: Path

    @property
    def storage(self) -> Path:
        return self.folder / "data"

    @property
    def config(self) -> Path:
        return self.folder / "relay.toml"

    @property
    def secret(self) -> Path:
        return self.folder / "secret"

    @property
    def shut(self) -> Path:
        return self.folder / "shut"

    def run(self, *arguments: str, source: Path = ROOT, given: str = "") -> "subprocess.CompletedProcess[str]":
        # What monitoring waits for is tried elsewhere: beside other tests the program's start may take all that time.
        start = ["-c", PATIENT] if arguments[0] == "status" else ["-m", "relay"]
        command = [sys.executable, *start, *arguments, "-c", str(self.config)]
        return subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=50, input=given)

    def plant(self, name: str, target: Path) -> None:
        """Put a link into the storage folder, as who owns it would."""
        path = self.storage / name
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        os.chown(path, UID, UID, follow_symlinks=False)

    def give(self) -> None:
        """Give all that is in the storage folder to who owns it."""
        for path in (self.storage, *self.storage.rglob("*")):
            os.chown(path, UID, UID, follow_symlinks=False)

    def check(self) -> None:
        """Check that what is root's is as it was, and that all in the storage folder is its owner's."""
        found = self.secret.stat()
        assert (self.secret.read_bytes(), found.st_uid, stat.S_IMODE(found.st_mode)) == (SECRET, 0, 0o600)
        assert [path.name for path in self.shut.iterdir()] == ["copy.db"]
        assert {path.lstat().st_uid for path in (self.storage, *self.storage.rglob("*"))} == {UID}


@pytest.fixture
def office() -> Generator[Office]:
    """With one mail in the queue, a copy of the database that only root can read, and a provider that is not there."""
    require_root("to become somebody else")
    folder = Path(tempfile.mkdtemp(prefix="relay-"))  # the folders of pytest are shut to others
    try:
        folder.chmod(0o755)
        made = Office(folder)
        made.secret.touch(0o600)
        made.secret.write_bytes(SECRET)
        made.storage.mkdir(0o700)
        made.shut.mkdir(0o700)
        with socket.socket() as nobody:  # bound, but nobody listens there
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
            login = {"host": "127.0.0.1", "port": port, "security": "none", "username": "u", "password": "p"}
            write_config(
                folder,
                accounts=[make_account("sales", port, pop3=login)],
                users=[{**ANNA, "notify": "inbox"}],
                storage={"folder": str(made.storage)},
                log={"file": "relay.log"},
            )
            engine = open_engine(load_settings(made.config).database)
            prepare_database(engine)
            engine.dispose()
            asyncio.run(hand_in(made.config, ["one"]))
            copy_database(made.storage / "relay.db", made.shut / "copy.db")
            made.give()
            yield made
    finally:
        shutil.rmtree(folder)


def leaves(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the names of all commands."""
    if isinstance(group, click.Group):
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            assert command is not None
            yield from leaves(command, (*path, name))
    else:
        yield path


ARGUMENTS: dict[tuple[str, ...], Callable[[Office], list[str]]] = {
    ("serve",): lambda _: [],
    ("status",): lambda _: ["-v"],
    ("reload",): lambda _: [],
    ("check",): lambda _: [],
    ("init",): lambda _: [],
    ("queue", "list"): lambda _: [],
    ("queue", "show"): lambda _: ["abcdef"],
    ("queue", "run"): lambda _: [],
    ("queue", "retry"): lambda _: ["--all", "--yes"],
    ("queue", "hold"): lambda _: ["--all", "--yes"],
    ("queue", "release"): lambda _: ["--all", "--yes"],
    ("queue", "move"): lambda _: ["--all", "--yes", "--account", "sales"],
    ("queue", "delete"): lambda _: ["--all", "--yes"],
    ("poll",): lambda _: [],
    ("trace",): lambda _: ["abcdef"],
    ("quarantine", "list"): lambda _: [],
    ("quarantine", "show"): lambda _: ["abcdef"],
    ("quarantine", "deliver"): lambda _: ["abcdef", "--to", "anna"],
    ("quarantine", "delete"): lambda _: ["abcdef", "--yes"],
    ("account", "list"): lambda _: [],
    ("account", "test"): lambda _: ["sales"],
    ("account", "authorize"): lambda _: ["sales"],
    ("account", "pause"): lambda _: ["sales"],
    ("account", "resume"): lambda _: ["sales"],
    ("account", "add"): lambda _: ["new", "--address", "n@example.com", "--smtp-host", "h.example", "--no-login"],
    ("account", "edit"): lambda _: ["sales", "--set", "excluded=true"],
    ("account", "remove"): lambda _: ["sales", "--yes"],
    ("user", "list"): lambda _: [],
    ("device", "list"): lambda _: [],
    ("user", "add"): lambda _: ["bert", "--address", "bert@example.com"],
    ("user", "remove"): lambda _: ["anna"],
    ("device", "add"): lambda _: ["scanner", "--network", "192.0.2.1", "--user", "anna"],
    ("device", "remove"): lambda _: ["scanner"],
    ("certificate", "make"): lambda _: [],
    ("certificate", "show"): lambda _: [],
    ("report",): lambda office: [str(office.folder / "report.json")],
    ("backup",): lambda office: [str(office.shut / "copy.db")],
    ("restore",): lambda office: ["--yes", str(office.shut / "copy.db")],
}
WORKING = [
    ("status",), ("reload",), ("queue", "list"), ("queue", "run"), ("queue", "retry"), ("queue", "hold"), ("poll",),
    ("trace",), ("account", "list"), ("account", "test"), ("account", "pause"), ("backup",), ("restore",),
    ("certificate", "make"),
]  # fmt: skip
"""Those that differ in what they need."""
APART = {("demo",), ("dovecot-config",), ("explain",), ("user", "password")}
"""They open nothing in the storage folder."""


def test_each_command_is_tried_below() -> None:
    assert set(leaves(main)) == set(ARGUMENTS) | APART


@pytest.mark.peer
@pytest.mark.parametrize("command", ARGUMENTS, ids=" ".join)
def test_no_link_in_the_folder_leads_root_to_what_is_its_own(office: Office, command: tuple[str, ...]) -> None:
    for name in ("relay.lock", "relay.db-lock", "relay.log", "relay.sock"):
        office.plant(name, office.secret)
    for name in ("inboxes", "quarantine", "certificates"):
        office.plant(name, office.shut)
    said = office.run(*command, *ARGUMENTS[command](office))
    assert "Traceback" not in said.stderr
    office.check()


@pytest.mark.peer
@pytest.mark.parametrize("command", [("queue", "run"), ("poll",), ("backup",), ("restore",)], ids=" ".join)
def test_no_link_beside_the_database_leads_root_to_what_is_its_own(office: Office, command: tuple[str, ...]) -> None:
    for name in ("relay.db-wal", "relay.db-journal", "relay.db.restoring"):
        office.plant(name, office.secret)
    office.plant("relay.db-shm", office.shut / "shm")
    said = office.run(*command, *ARGUMENTS[command](office))
    assert "Traceback" not in said.stderr
    office.check()


@pytest.mark.peer
def test_a_lock_that_is_a_link_is_named(office: Office) -> None:
    for name in ("relay.lock", "relay.db-lock"):
        office.plant(name, office.secret)
        said = office.run("queue", "run")
        assert said.returncode == 1
        assert f"{office.storage / name}: is a link" in said.stderr
        (office.storage / name).unlink()


@pytest.mark.peer
@pytest.mark.parametrize("command", WORKING, ids=" ".join)
def test_what_a_command_makes_is_the_owners_and_the_command_does_its_work(
    office: Office, command: tuple[str, ...]
) -> None:
    said = office.run(*command, *ARGUMENTS[command](office))
    office.check()
    assert "Permission denied" not in said.stdout + said.stderr
    assert "Traceback" not in said.stderr
    outcome = {
        ("status",): (2, "The mail service is not running"),
        ("queue", "list"): (0, "customer@example.net"),
        ("queue", "run"): (1, "1 mail to try"),
        ("poll",): (1, "sales: failed"),
        ("account", "pause"): (0, "sales is paused"),
        ("backup",): (0, "copy.db: "),
        ("restore",): (0, "is the copy now"),
    }.get(command)
    if outcome is not None:
        assert said.returncode == outcome[0], said.stderr
        assert outcome[1] in said.stdout
    if command in {("queue", "run"), ("poll",), ("restore",)}:
        assert (office.storage / "relay.lock").stat().st_uid == UID


@pytest.mark.peer
@pytest.mark.parametrize("command", ["authorize", "test"])
def test_the_database_that_root_makes_before_the_first_start_is_the_owners(office: Office, command: str) -> None:
    """Whose program root's Python is shut to; and the service goes on with what is there then."""
    shutil.copytree(ROOT / "relay", office.folder / "source" / "relay")
    (office.folder / "source").chmod(0o700)
    for path in (*filter(Path.is_file, office.storage.glob("relay.*")), *office.storage.glob("inboxes")):
        path.unlink()
    with OAuthServer() as server:
        server.signed_in.set()
        server.secret = "" if command == "authorize" else "the-clients-secret"
        oauth = server.settings("device" if command == "authorize" else "app")
        account = make_account("sales", 9, oauth=oauth)
        write_config(office.folder, accounts=[account], users=[ANNA], storage={"folder": str(office.storage)})
        said = office.run("account", command, "sales", source=office.folder / "source")
    assert "Traceback" not in said.stderr
    assert "Permission denied" not in said.stdout + said.stderr
    if command == "authorize":
        assert said.returncode == 0, said.stderr
    office.check()
    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in office.storage.iterdir()}
    assert made["relay.db"] == 0o600
    with RelayProcess(office.config):
        assert office.run("queue", "list").returncode == 0
    office.check()


@pytest.mark.peer
@pytest.mark.parametrize("name", ["relay.db", "relay.lock", "relay.db-lock", "relay.db-wal", "tokens.key"])
def test_no_link_leads_root_elsewhere_while_it_makes_the_database(office: Office, name: str) -> None:
    for path in filter(Path.is_file, office.storage.glob("relay.*")):
        path.unlink()
    for target in (office.secret, office.shut / "new"):
        office.plant(name, target)
        with OAuthServer() as server:
            server.signed_in.set()
            account = make_account("sales", 9, oauth=server.settings("device"))
            write_config(office.folder, accounts=[account], users=[ANNA], storage={"folder": str(office.storage)})
            said = office.run("account", "authorize", "sales")
        assert "Traceback" not in said.stderr
        office.check()


def begin(office: Office, *options: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    """Run `relay init` on a configuration as the package brings it: of root and the owner's group, without accounts."""
    office.config.write_text(f'[storage]\nfolder = "{office.storage}"\n')
    os.chown(office.config, 0, UID)
    office.config.chmod(0o640)
    options = (
        "--hostname", "mail.office.lan", "--user", "anna=anna@example.com", "--address", "anna@example.com",
        "--smtp-host", "127.0.0.1", "--smtp-port", "9", "--network", "127.0.0.0/8", *options,
    )  # fmt: skip
    command = [sys.executable, "-m", "relay", "init", "-c", str(office.config), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50, input=given)


@pytest.mark.peer
def test_what_root_makes_at_the_first_steps_is_the_owners_or_can_be_read_by_him(office: Office) -> None:
    for path in filter(Path.is_file, office.storage.glob("relay.*")):
        path.unlink()
    said = begin(office, "--listener-certificate", "make", given="hush\n")
    assert said.returncode == 1  # nobody listens at that port
    assert "Traceback" not in said.stderr
    assert "FAILED connect" in said.stdout
    for path in (office.config, office.folder / "secrets" / "anna"):
        found = path.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, UID, 0o640)
    assert (office.storage / "certificates" / "relay.pem").stat().st_uid == UID
    office.check()
    assert office.run("check").returncode == 0


@pytest.mark.peer
def test_a_sign_in_at_the_first_steps_is_the_owners(office: Office) -> None:
    for path in filter(Path.is_file, office.storage.glob("relay.*")):
        path.unlink()
    with OAuthServer() as server:
        server.signed_in.set()
        table = server.settings("device")
        urls = [part for one in ("token", "device", "authorize") for part in (f"--{one}-url", table[f"{one}_url"])]
        oauth = ["--oauth", "custom", "--flow", "device", "--client-id", table["client_id"], "--scope", "mail"]
        said = begin(office, *oauth, *urls)
    assert "anna is signed in as anna@example.com" in said.stdout
    assert "Traceback" not in said.stderr
    assert {path.name for path in office.storage.iterdir()} >= {"relay.db", "tokens.key"}
    office.check()


@pytest.mark.peer
def test_at_the_first_steps_no_link_leads_root_elsewhere(office: Office) -> None:
    office.plant("certificates", office.shut)
    said = begin(office, "--listener-certificate", "make", given="hush\n")
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    office.check()
    assert "account" not in office.config.read_text()
    assert not (office.folder / "secrets").exists()


@pytest.mark.peer
@pytest.mark.parametrize("links", [{"secrets/anna": "secret"}, {"secrets": "shut"}])
def test_no_link_leads_a_new_password_into_a_file_of_roots(office: Office, links: dict[str, str]) -> None:
    """The configuration is root's, and names a file of the storage folder, as its owner's own."""
    text = office.config.read_text().replace('password = "p"', 'password_file = "secrets/anna"')
    office.config.write_text(text)
    os.chown(office.config, 0, UID)
    office.config.chmod(0o640)
    secret = office.storage / "secrets" / "anna"
    secret.parent.mkdir(0o700)
    secret.write_text("old\n")
    secret.chmod(0o600)
    office.give()
    said = office.run("account", "edit", "sales", "--pop3-password", given="new\n")
    assert (said.returncode, secret.read_text()) == (0, "new\n"), said.stderr
    office.check()
    secret.unlink()
    if "secrets" in links:
        secret.parent.rmdir()
        (office.shut / "copy.db").rename(office.shut / "anna")
    for name, target in links.items():
        office.plant(name, office.folder / target)
    said = office.run("account", "edit", "sales", "--pop3-password", given="newer\n")
    assert said.returncode == 1
    assert f"{links and next(iter(links))} is of uid {UID}, who could lead root to another file" in said.stderr
    if "secrets" in links:
        (office.shut / "anna").rename(office.shut / "copy.db")
    office.check()


@pytest.mark.peer
@pytest.mark.parametrize("name", [(), ("-c", "relay.toml")], ids=["found", "named"])
@pytest.mark.parametrize(
    "command",
    [
        ("account", "add", "new", "--address", "n@example.com", "--smtp-host", "h.example"),
        ("account", "edit", "sales", "--pop3-password"),
        ("user", "password", "anna"),
    ],
    ids=" ".join,
)
def test_a_strangers_configuration_leads_root_to_write_nothing_elsewhere(
    office: Office, command: tuple[str, ...], name: tuple[str, ...]
) -> None:
    """Found where root stands it is refused before a password is asked for; named it is changed, but only it."""
    stranger = office.folder / "strangers"
    stranger.mkdir()
    config = stranger / "relay.toml"
    config.write_bytes(office.config.read_bytes())
    (stranger / "secrets").symlink_to(office.shut)
    for path in (stranger, config, stranger / "secrets"):
        os.chown(path, UID + 1, UID + 1, follow_symlinks=False)
    before = config.read_bytes()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("RELAY_CONFIG", None)
    call = [sys.executable, "-m", "relay", *command, *name]
    given = "new\n" if name else ""
    said = subprocess.run(
        call, cwd=stranger, env=environment, capture_output=True, text=True, check=False, timeout=50, input=given
    )
    assert "Traceback" not in said.stderr
    if not name:
        assert said.returncode == 2
        assert f"is of uid {UID + 1}, who could have written it for root to run" in said.stderr
    elif command[0] == "account":
        assert "secrets: is a link, or no folder" in said.stderr
    else:
        assert said.returncode == 0, said.stderr
    assert (config.read_bytes() == before) == (not name or command[0] == "account")
    assert config.stat().st_uid == UID + 1
    assert {path.name for path in stranger.iterdir()} == {"relay.toml", "secrets"}
    office.check()


@pytest.mark.peer
def test_the_first_steps_in_a_strangers_folder_are_refused_before_a_question(office: Office) -> None:
    stranger = office.folder / "strangers"
    stranger.mkdir()
    config = stranger / "relay.toml"
    config.write_text(f'[storage]\nfolder = "{office.storage}"\n')
    for path in (stranger, config):
        os.chown(path, UID + 1, UID + 1)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("RELAY_CONFIG", None)
    call = [sys.executable, "-m", "relay", "init"]
    said = subprocess.run(
        call, cwd=stranger, env=environment, capture_output=True, text=True, check=False, timeout=50, input=""
    )
    assert (said.returncode, said.stdout) == (2, "")
    assert f"is of uid {UID + 1}, who could have written it for root to run" in said.stderr
    assert [*stranger.iterdir()] == [config]
    office.check()


@pytest.mark.peer
def test_an_inbox_that_roots_poll_makes_is_the_owners(office: Office) -> None:
    """Else the service could not use it, and would put what comes next into the quarantine."""
    with serve_mailbox() as mailbox:
        mailbox.mails = [b"Subject: one\r\n\r\nhello\r\n"]
        login = {"host": "127.0.0.1", "port": mailbox.port, "security": "none", "username": "u", "password": PASSWORD}
        account = {"name": "sales", "address": "sales@example.com", "owner": "anna", "pop3": login}
        write_config(office.folder, accounts=[account], users=[ANNA], storage={"folder": str(office.storage)})
        assert office.run("poll").stdout.startswith("sales: 1 fetched")
    (mail,) = (office.storage / "inboxes" / "anna" / "new").iterdir()
    assert {path.stat().st_uid for path in (mail, *mail.parents[:3])} == {UID}
    office.check()


@pytest.mark.peer
def test_what_root_takes_out_of_the_quarantine_is_the_owners(office: Office) -> None:
    inbox = office.storage / "inboxes" / "anna"
    inbox.mkdir(parents=True)
    office.give()
    os.chown(inbox, 0, 0)
    inbox.chmod(0o700)
    with serve_mailbox() as mailbox:
        mailbox.mails = [b"Subject: one\r\n\r\nhello\r\n"]
        login = {"host": "127.0.0.1", "port": mailbox.port, "security": "none", "username": "u", "password": PASSWORD}
        account = {"name": "sales", "address": "sales@example.com", "owner": "anna", "pop3": login}
        write_config(office.folder, accounts=[account], users=[ANNA], storage={"folder": str(office.storage)})
        assert f"The inbox of anna can't be used: {inbox}: Permission denied" in office.run("poll").stdout
    (held,) = json.loads(office.run("quarantine", "list", "--json").stdout)
    find = f"find {inbox.parent} '(' -path {inbox} -o -path '{inbox}/*' ')'"
    cure = f"Give it to the user who runs the service: {find} -execdir chown -h {UID} {{}} +"
    assert held["inbox_trouble"] == f"{inbox}: it is of root, and can't be written into. {cure}"
    said = office.run("quarantine", "deliver", held["queue_id"], "--to", "anna")
    assert (said.returncode, said.stdout) == (1, "")
    assert cure in said.stderr
    os.chown(inbox, UID, UID)
    assert office.run("quarantine", "deliver", held["queue_id"], "--to", "anna").returncode == 0
    assert len(list((inbox / "new").iterdir())) == 1
    office.check()


@pytest.mark.peer
def test_a_copy_for_root_is_roots_and_whole_or_not_there(office: Office) -> None:
    copy = office.shut / "copy.db"
    before = copy.stat().st_ino
    assert office.run("backup", str(copy)).returncode == 0
    found = copy.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o600)
    assert found.st_ino != before
    with sqlite3.connect(f"{copy.as_uri()}?mode=ro", uri=True) as connection:
        assert connection.execute("SELECT count(*) FROM delivery").fetchone() == (1,)
    connection.close()
    (office.storage / "relay.db").unlink()
    said = office.run("backup", str(copy))
    assert (said.returncode, said.stdout) == (1, "")
    assert copy.stat().st_ino == found.st_ino
    office.check()


@pytest.mark.peer
def test_a_file_in_the_owners_hands_is_opened_with_his_rights(office: Office) -> None:
    """What he may not read, root does not read for him, though he leads it there."""
    office.plant("copy.db", office.shut / "copy.db")
    said = office.run("restore", "--yes", str(office.storage / "copy.db"))
    assert said.returncode == 1
    assert "copy.db" in said.stderr
    said = office.run("backup", str(office.storage / "copy.db"))
    assert said.returncode == 1
    (office.storage / "copy.db").unlink()
    assert office.run("backup", str(office.storage / "copy.db")).returncode == 0
    assert office.run("restore", "--yes", str(office.storage / "copy.db")).returncode == 0
    office.check()


@pytest.mark.peer
@pytest.mark.parametrize("command", [("backup",), ("restore", "--yes")], ids=" ".join)
def test_a_link_of_the_owners_to_what_is_shut_to_him_is_named(office: Office, command: tuple[str, ...]) -> None:
    office.plant("copy.db", office.shut / "copy.db")
    said = office.run(*command, str(office.storage / "copy.db"))
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        f"{office.storage / 'copy.db'}: can't be followed to a file (Permission denied): name the file itself\n"
    )
    office.check()


@pytest.mark.peer
def test_what_is_no_copy_is_not_shown_to_the_owner(office: Office) -> None:
    said = office.run("restore", "--yes", str(office.secret))
    assert (said.returncode, said.stderr) == (
        1,
        f"{office.secret}: no copy of a relay's database: name what `relay backup` has made\n",
    )
    office.check()


@pytest.mark.peer
def test_the_service_is_the_owner_in_all_its_ids_and_keeps_one_right(office: Office) -> None:
    low = {"host": f"127.{os.getpid() % 250 + 1}.77.1", "port": 25, "default_user": "anna"}
    config = office.config.read_text()
    office.config.write_text(config + "\n[[listener]]\n" + "".join(f"{k} = {v!r}\n" for k, v in low.items()))
    for text, capabilities in ((office.config.read_text(), 1 << 10), (config, 0)):
        office.config.write_text(text.replace('\n[log]\nfile = "relay.log"\n', ""))
        with RelayProcess(office.config) as relay:
            lines = Path(f"/proc/{relay.pid}/status").read_text().splitlines()
            status = dict(line.split(":", 1) for line in lines if ":" in line)
            assert {*status["Uid"].split(), *status["Gid"].split(), *status["Groups"].split()} == {str(UID)}
            assert int(status["Umask"], 8) == 0o007  # what is made asks for its own mode
            modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in office.storage.rglob("*") if path.is_file()}
            assert {path: mode for path, mode in modes.items() if mode & 0o077} == {}
            for name in ("CapPrm", "CapEff"):
                assert int(status[name], 16) == capabilities
            assert office.run("reload").returncode == 2  # root's configuration: the service can't read it any more
            assert office.run("queue", "run").returncode == 0
        office.check()


@pytest.mark.peer
def test_the_owner_makes_a_certificate_anew_though_he_may_not_read_roots_python(office: Office) -> None:
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=370)
    Store(office.storage).make(["relay.example"], "Mail", long_ago)
    office.give()
    office.config.write_text(office.config.read_text().replace('\n[log]\nfile = "relay.log"\n', ""))
    with RelayProcess(office.config) as relay:
        relay.wait_for("certificate_renewed")
        assert relay.find("activity_failed") == []
    office.check()


@pytest.mark.peer
def test_a_folder_that_others_could_exchange_is_refused(office: Office) -> None:
    """Its own link, to a folder of root's: root would go on as root in what the other has chosen."""
    office.plant("elsewhere", office.shut)
    office.config.write_text(office.config.read_text().replace('/data"', '/data/elsewhere"'))
    said = office.run("poll")
    assert said.returncode == 1
    assert f"uid {UID} could put another folder there" in said.stderr
    office.check()


@pytest.mark.peer
@pytest.mark.parametrize("command", [("queue", "list"), ("queue", "run")], ids=" ".join)
def test_a_database_that_cant_be_written_is_named_with_what_mends_it_and_leaves_nothing(
    office: Office, command: tuple[str, ...]
) -> None:
    """SQLite made relay.db-shm with the mode of the database, and that outlived the database's."""
    database = office.storage / "relay.db"
    database.chmod(0o400)
    said = office.run(*command)
    assert said.returncode == 1
    reason = f"can't be written: it is of uid {UID}, with mode 0400: chmod 0600"
    assert said.stderr == f"{database}: {reason} {database}\n"
    assert not (office.storage / "relay.db-shm").exists()
    database.chmod(0o600)
    assert office.run("queue", "list").returncode == 0


@pytest.mark.peer
@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_a_file_beside_the_database_that_cant_be_written_is_named(office: Office, ending: str) -> None:
    """To the service as well, which is told by what it logs or says at its start."""
    database, other = office.storage / "relay.db", office.storage / f"relay.db{ending}"
    with sqlite3.connect(database) as connection:  # kept open, else SQLite removes what it does not need
        connection.execute("UPDATE delivery SET warned = warned")
        connection.commit()
        office.give()
        other.chmod(0o400)
        for command in (("queue", "list"), ("serve",)):
            said = office.run(*command)
            assert said.returncode == 1
            log = office.storage / "relay.log"
            told = said.stderr + (log.read_text() if log.exists() else "")
            assert f"{other}: can't be written: it is of uid {UID}, with mode 0400: chmod 0600 {other}" in told
    connection.close()


@pytest.mark.peer
def test_what_root_left_in_the_folder_is_named(office: Office) -> None:
    os.chown(office.storage / "relay.db", 0, 0)
    said = office.run("queue", "list")
    assert said.returncode == 1
    assert f"{office.storage}/relay.db is of" in said.stderr


@pytest.mark.peer
def test_a_folder_that_its_owner_cant_reach_is_named(office: Office) -> None:
    office.folder.chmod(0o700)
    said = office.run("queue", "list")
    assert said.returncode == 1
    assert "a folder on the way to it is shut to him" in said.stderr


@pytest.mark.peer
def test_what_the_owner_cant_read_later_is_named_at_the_start(office: Office) -> None:
    password = office.shut / "password"
    password.write_text("p\n")
    text = office.config.read_text().replace('password = "p"', f'password_file = "{password}"')
    assert str(password) in text
    office.config.write_text(text.replace('\n[log]\nfile = "relay.log"\n', ""))
    office.config.chmod(0o600)
    with RelayProcess(office.config) as relay:
        warnings = [line["warning"] for line in relay.find("configuration_warning")]
    for path, words in ((office.config, "a reload will fail."), (password, "sales can't log in.")):
        (line,) = [line for line in warnings if f": {path}: uid {UID}" in line]
        assert f"uid {UID}, whom the service becomes, can't read it: {words} Let him read it: " in line
        assert f"chgrp {UID} {path} && chmod 0640 {path}" in line
    password.unlink()  # else it would be something of root's that is new


@pytest.mark.peer
def test_what_keeps_the_owners_service_from_its_start_is_a_mistake(office: Office) -> None:
    """It runs as the owner from its beginning (systemd, User=relay): what root can read is nothing to it."""
    password, log = office.folder / "password", office.shut / "relay.log"
    password.write_text("p\n")
    password.chmod(0o600)
    text = office.config.read_text().replace('password = "p"', f'password_file = "{password}"')
    office.config.write_text(text.replace('file = "relay.log"', f'file = "{log}"'))
    office.config.chmod(0o600)
    for options in ((), ("--json",)):
        said = office.run("check", *options)
        assert (said.returncode, said.stdout) == (2, "")
        lines = said.stderr.splitlines()
        assert len(lines) == 3
        for path in (office.config, password):
            assert (
                f"relay.toml: {path}: uid {UID}, who owns the storage folder and runs the service, can't read it: the"
                f" service will not start. Let him read it: chgrp {UID} {path} && chmod 0640 {path}"
            ) in lines
        assert lines[2].startswith(f"relay.toml: {log}: uid {UID}, who owns")
        assert f"can't write it: the service will not start. Let him write it: chmod o+x {office.shut}" in lines[2]
        only = "the unit config/relay.service lets the service write in its storage folder and /var/log/relay only"
        assert only in lines[2]
    for path in (office.config, password):
        os.chown(path, 0, UID)
        path.chmod(0o640)
    office.config.write_text(office.config.read_text().replace(str(log), "relay.log"))
    said = office.run("check")
    assert (said.returncode, said.stderr) == (0, "")
    assert "storage folder" not in said.stdout


@pytest.mark.peer
def test_a_log_that_the_owner_cant_make_or_write_is_a_mistake_and_one_outside_a_warning(office: Office) -> None:
    log = office.folder / "logs" / "relay.log"
    log.parent.mkdir()
    office.config.chmod(0o644)
    office.config.write_text(office.config.read_text().replace('file = "relay.log"', f'file = "{log}"'))
    said = office.run("check")
    assert said.returncode == 2
    assert f"Let him write it: install -o {UID} -m 0640 /dev/null {log}. Besides, the unit" in said.stderr
    log.touch(0o640)
    said = office.run("check")
    assert said.returncode == 2
    assert f"Let him write it: chown {UID} {log}. Besides, the unit" in said.stderr
    os.chown(log, UID, UID)
    said = office.run("check")
    assert (said.returncode, said.stderr) == (0, "")
    assert f"warning: relay.toml: log.file: {log}: the unit config/relay.service lets the service write" in said.stdout
    assert f"ReadWritePaths=-{log.parent}" in said.stdout


@pytest.mark.peer
def test_a_file_behind_a_folder_that_is_shut_to_the_owner_is_told_with_the_folder(office: Office) -> None:
    """And a certificate, which is no secret, is opened to everybody."""
    authority = office.shut / "ca.pem"
    trustme.CA().cert_pem.write_to_path(authority)
    authority.chmod(0o600)
    office.config.write_text(
        office.config.read_text().replace('password = "p"', f'password = "p"\nca_file = "{authority}"', 1)
    )
    said = office.run("check")
    assert said.returncode == 2
    assert f"{authority}: uid {UID}, who owns" in said.stderr
    assert f"Let him read it: chmod o+x {office.shut} && chmod o+r {authority}\n" in said.stderr
    authority.chmod(0o644)
    assert f"Let him read it: chmod o+x {office.shut}\n" in office.run("check").stderr
    authority.unlink()


@pytest.mark.peer
def test_there_is_no_warning_where_the_owner_can_read_all(office: Office) -> None:
    office.config.chmod(0o644)
    said = office.run("check")
    assert said.returncode == 0
    assert "whom the service becomes" not in said.stdout
    os.chown(office.config, UID, UID)
    office.config.chmod(0o600)
    assert "whom the service becomes" not in office.run("check").stdout


@pytest.mark.peer
@pytest.mark.parametrize("command", [("serve",), *(one for one in WORKING if one != ("reload",))], ids=" ".join)
def test_a_database_that_is_a_link_out_of_the_folder_is_refused(office: Office, command: tuple[str, ...]) -> None:
    elsewhere = office.folder / "elsewhere"
    elsewhere.mkdir()
    os.chown(elsewhere, UID, UID)
    (office.storage / "relay.db").rename(elsewhere / "relay.db")
    office.plant("relay.db", elsewhere / "relay.db")
    said = office.run(*command, *ARGUMENTS[command](office))
    # What monitoring reads is said on standard output, with its own exit status.
    status, text = (3, said.stdout) if command == ("status",) else (1, said.stderr)
    assert said.returncode == status
    assert "relay.db is a link of" in text
    assert "leads out of the storage folder" in text
    assert str(elsewhere) not in said.stdout + said.stderr
    office.check()


@pytest.mark.peer
def test_a_database_that_is_a_link_within_the_folder_is_used(office: Office) -> None:
    (office.storage / "relay.db").rename(office.storage / "real.db")
    office.plant("relay.db", office.storage / "real.db")
    assert office.run("queue", "list").returncode == 0
    office.check()


def test_a_mail_that_is_a_link_of_the_owners_is_read_with_his_rights(office: Office) -> None:
    mail = office.storage / "mail.eml"
    office.plant(mail.name, office.secret)
    for more in ((), ("--incoming", "--account", "sales")):
        said = office.run("explain", str(mail), *more)
        assert said.returncode == 2
        assert "mail.eml: Permission denied" in said.stderr
        assert SECRET.decode() not in said.stdout + said.stderr
    office.check()


@pytest.mark.parametrize(
    "command",
    [
        ("queue", "list"), ("queue", "run"), ("queue", "hold", "--all", "--yes"), ("trace", "01abcdefghijk"),
        ("queue", "move", "--all", "--yes", "--account", "sales"), ("account", "pause", "sales"),
        ("account", "test", "sales"),
        ("account", "list"), ("backup", "{folder}/new.db"), ("poll",), ("explain", "{data}/mail.eml"),
        ("trace", "Pold"), ("quarantine", "list"), ("quarantine", "show", "Pold"),
        ("quarantine", "deliver", "Pold", "--to", "anna"), ("quarantine", "delete", "Pold", "--yes"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_the_owner_need_not_be_able_to_read_the_program(office: Office, command: tuple[str, ...]) -> None:
    shutil.copytree(ROOT / "relay", office.folder / "source" / "relay")
    (office.folder / "source").chmod(0o700)
    (office.storage / "mail.eml").write_bytes(b"From: a@example.com\r\n\r\nhello\r\n")
    (office.storage / "quarantine/new").mkdir(parents=True)
    (office.storage / "quarantine/new/Pold").write_bytes(b"Subject: =?iso-8859-2?q?old?=\n\nhello\n")
    office.run("queue", "run")
    office.give()
    said = office.run(
        *(part.format(folder=office.folder, data=office.storage) for part in command), source=office.folder / "source"
    )
    assert "Traceback" not in said.stderr, said.stderr
    assert said.returncode in (0, 1)


def test_a_database_that_root_has_copied_there_is_given_back_and_not_removed(office: Office) -> None:
    database = office.storage / "relay.db"
    os.chown(database, 0, 0)
    database.chmod(0o600)
    said = office.run("status").stdout
    assert said.startswith(f"can't be told: {database} is of root, its folder of ")
    assert f"give it to uid {UID} if it is the service's own" in said
    assert "remove" not in said
