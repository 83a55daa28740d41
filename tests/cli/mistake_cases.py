"""Mistakes that people make: in the configuration, and in the use of commands. What is said of each: docs/mistakes.md.

The configuration of an office is right but for one change; a command is run where something is in its way.
"""

import asyncio
import contextlib
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.upgrade import prepare_database
from tests.cli.conftest import hand_in
from tests.peers.machine import free_port, lack
from tests.peers.relay_process import RelayProcess

OFFICE = """\
[server]
hostname = "relay.office.example"
postmaster = "anna"

[[listener]]
host = "127.0.0.1"
port = 2525

[[user]]
name = "anna"
address = "anna@example.com"

[[user]]
name = "bert"
address = "bert@example.com"

[[account]]
name = "sales"
address = "sales@example.com"
owner = "anna"

[account.smtp]
host = "smtp.provider.example"
port = 587
security = "starttls"
username = "sales@example.com"
password_file = "sales.password"

[account.pop3]
host = "pop.provider.example"
username = "sales@example.com"
password_file = "sales.password"
leave_on_server = true
"""
ID = "{id}"
"""In a command: the id of a mail that waits."""


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A mistake in the configuration: one text of it is another."""

    title: str
    old: str
    new: str
    written: str
    """As the table shows it."""


def wrong(title: str, old: str, new: str, written: str = "") -> Wrong:
    """Make a mistake; `old` must be there."""
    assert old in OFFICE, old
    return Wrong(title=title, old=old, new=new, written=written or new.strip())


CONFIGURATION = [
    wrong("quotes forgotten", 'host = "smtp.provider.example"', "host = smtp.provider.example"),
    wrong("quotes of a word processor", 'host = "smtp.provider.example"', "host = „smtp.provider.example“"),
    wrong("a quote too few", 'owner = "anna"', 'owner = "anna'),
    wrong("a colon in place of =", "port = 587", "port: 587"),
    wrong("[user] and [[user]] mixed", '[[user]]\nname = "bert"', '[user]\nname = "bert"', "[[user]] ... [user]"),
    wrong("a key twice", 'owner = "anna"', 'owner = "anna"\nowner = "bert"', 'owner = "anna" and owner = "bert"'),
    wrong("a key misspelt", 'owner = "anna"', 'onwer = "anna"'),
    wrong(
        "a header forgotten",
        '[account.smtp]\nhost = "smtp.provider.example"\nport = 587\nsecurity = "starttls"\n',
        'port = 587\n[account.smtp]\nhost = "smtp.provider.example"\n',
        "port = 587 above [account.smtp]",
    ),
    wrong("a port that is none", "port = 587", "port = 587465"),
    wrong("a number in quotes", "port = 587", 'port = "587"'),
    wrong("a word that is not known", 'security = "starttls"', 'security = "ssl"'),
    wrong("port and kind of TLS do not fit", "port = 587", "port = 465", 'port = 465 and security = "starttls"'),
    wrong("a server with its port", 'host = "smtp.provider.example"', 'host = "smtp.provider.example:587"'),
    wrong("an owner who is no user", 'owner = "anna"', 'owner = "Anne"'),
    wrong("an address without a domain", 'address = "sales@example.com"', 'address = "sales"'),
    wrong("a password file that is not there", 'password_file = "sales.password"', 'password_file = "sale.password"'),
    wrong("a password file that is empty", 'password_file = "sales.password"', 'password_file = "empty.password"'),
    wrong(
        "the password of the example",
        'password_file = "sales.password"\n\n',
        'password = "change-me"\n\n',
    ),
    wrong("a ca_file that is none", "leave_on_server = true", 'ca_file = "relay.toml"'),
    wrong("a duration without a unit", "leave_on_server = true", "interval = 5"),
    wrong(
        "heard everywhere, and everybody is turned away",
        'host = "127.0.0.1"',
        'host = "0.0.0.0"',
        'host = "0.0.0.0", and no networks',
    ),
    wrong(
        "open to the whole internet", "port = 2525", 'port = 2525\nnetworks = ["0.0.0.0/0"]', 'networks = ["0.0.0.0/0"]'
    ),
    wrong("an address where a network belongs", "port = 2525", 'networks = ["192.168.1.7/24"]'),
    wrong("TLS without a certificate", "port = 2525", 'port = 2525\ntls = "starttls"', 'tls = "starttls"'),
    wrong(
        "opening hours in German",
        "[[listener]]",
        '[schedule]\nactive = "Mo-Fr 8-17"\n\n[[listener]]',
        'active = "Mo-Fr 8-17"',
    ),
    wrong(
        "a database that is no URL",
        "[[listener]]",
        '[storage]\ndatabase = "relay.db"\n\n[[listener]]',
        'database = "relay.db"',
    ),
    wrong(
        "a storage folder that is not there",
        "[[listener]]",
        '[storage]\nfolder = "/nowhere/relay"\n\n[[listener]]',
        'folder = "/nowhere/relay"',
    ),
    wrong(
        "a log in a folder that is not there",
        "[[listener]]",
        '[log]\nfile = "logs/relay.log"\n\n[[listener]]',
        'file = "logs/relay.log"',
    ),
    wrong(
        "a scanner that nobody lets in",
        "[[account]]",
        '[[device]]\nname = "Scanner"\nnetworks = ["192.168.1.40"]\nuser = "anna"\n\n[[account]]',
        '[[device]] networks = ["192.168.1.40"], a [[listener]] without',
    ),
    wrong(
        "two accounts of one name",
        "[account.pop3]",
        '[[account]]\nname = "sales"\naddress = "info@example.com"\nowner = "anna"\n[account.pop3]',
        'name = "sales" twice',
    ),
]


@dataclass(frozen=True, kw_only=True)
class Misuse:
    """A command that can't do what is asked."""

    title: str
    command: str
    prepare: Callable[[Path], AbstractContextManager[object]] = lambda _: nullcontext()
    """Puts something in its way, in the folder of the configuration."""
    config: bool = True
    """Whether `-c` names the office's configuration."""
    stranger: bool = False
    """Whether a user of the machine runs it who is neither root nor the service's."""


def _start_nothing(folder: Path) -> AbstractContextManager[object]:
    (folder / "relay.db").unlink()
    return nullcontext()


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[None]:
    with RelayProcess(folder / "relay.toml"):
        yield


@contextlib.contextmanager
def _port_taken(folder: Path) -> Iterator[None]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        _change(folder, "port = 0", f"port = {other.getsockname()[1]}")
        yield


def _change(folder: Path, old: str, new: str) -> AbstractContextManager[object]:
    path = folder / "relay.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    return nullcontext()


def _sql(statement: str) -> Callable[[Path], AbstractContextManager[object]]:
    def run(folder: Path) -> AbstractContextManager[object]:
        with contextlib.closing(sqlite3.connect(folder / "relay.db")) as connection, connection:
            connection.execute(statement)
        return nullcontext()

    return run


@contextlib.contextmanager
def _full_disk(folder: Path) -> Iterator[None]:
    """Move the folder's content to a small disk of its own, and fill that."""
    content = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "relay-test", folder], check=False
    ).returncode:
        lack("needs to be root, with the right to mount")
    try:
        for name, octets in content.items():
            (folder / name).touch(0o600)
            (folder / name).write_bytes(octets)
        with contextlib.suppress(OSError), (folder / "ballast").open("wb", buffering=0) as ballast:
            while ballast.write(b"x" * 4096):
                pass
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _refusing(folder: Path) -> AbstractContextManager[object]:
    server = f'host = "127.0.0.1"\nport = {free_port()}\nsecurity = "starttls"'
    _change(folder, 'host = "pop.provider.example"', f'host = "127.0.0.1"\nport = {free_port()}')
    return _change(folder, 'host = "smtp.provider.example"\nport = 587\nsecurity = "starttls"', server)


def _postgresql(folder: Path) -> AbstractContextManager[object]:
    url = f"postgresql://relay@127.0.0.1:{free_port()}/relay"
    return _change(folder, "[server]", f'[storage]\ndatabase = "{url}"\n[server]')


COMMANDS = [
    Misuse(title="no configuration anywhere", command="check", config=False),
    Misuse(title="a configuration that is not there", command="check -c rely.toml", config=False),
    Misuse(title="a folder in place of the file", command="check -c .", config=False),
    Misuse(title="a command mistyped", command="chek", config=False),
    Misuse(title="a command of another noun", command="account show sales"),
    Misuse(title="an option mistyped", command="queue list --acount sales"),
    Misuse(title="before the first start", command="queue list", prepare=_start_nothing),
    Misuse(title="an account mistyped", command="account test slaes"),
    Misuse(title="an account in a filter mistyped", command="queue list --account slaes"),
    Misuse(title="no account named", command="account test"),
    Misuse(title="a state of another program", command="queue list --state done"),
    Misuse(title="a time without a unit", command="queue list --older 2"),
    Misuse(title="no id", command="trace"),
    Misuse(title="an id cut off", command="queue show 01m8"),
    Misuse(title="an id that is none", command="queue show 01zzzzzzzzzzzz"),
    Misuse(title="deleting without saying what", command="queue delete"),
    Misuse(title="deleting without being asked (in a script)", command=f"queue delete {ID}"),
    Misuse(
        title="deleting what is being sent",
        command=f"queue delete --yes {ID}",
        prepare=_sql("UPDATE delivery SET state = 'active', token = 'x'"),
    ),
    Misuse(title="releasing what is not held", command=f"queue release {ID}"),
    Misuse(title="resuming what is not paused", command="account resume sales"),
    Misuse(title="moving to an account that is not there", command=f"queue move {ID} --account info"),
    Misuse(title="collecting what has no mailbox", command="poll info"),
    Misuse(title="a mail of the quarantine for nobody", command="quarantine deliver 01zzzzzzzzzzzz --to carl"),
    Misuse(title="reload without a service", command="reload"),
    Misuse(title="a second service", command="serve", prepare=_serving),
    Misuse(title="a port that another program has", command="serve", prepare=_port_taken),
    Misuse(title="taking a copy back while the service runs", command="restore --yes copy.db", prepare=_serving),
    Misuse(title="taking back what is no copy", command="restore --yes relay.toml"),
    Misuse(title="a backup into a folder that is not there", command="backup /nowhere/backup/relay.db"),
    Misuse(title="a backup to nowhere", command="backup"),
    Misuse(
        title="a database of a newer release",
        command="queue list",
        prepare=_sql("UPDATE meta SET value = '99' WHERE key = 'schema'"),
    ),
    Misuse(title="PostgreSQL is not there", command="queue list", prepare=_postgresql),
    Misuse(title="a mail that is not there", command="explain mail.eml"),
    Misuse(title="a user who may not read the configuration", command="queue list", stranger=True),
    Misuse(title="a full disk", command=f"queue hold {ID}", prepare=_full_disk),
    Misuse(title="the provider's server refuses", command="account test sales", prepare=_refusing),
]


def write_office(folder: Path) -> Path:
    """Write the configuration with what it names; gives its path."""
    path = folder / "relay.toml"
    path.write_text(OFFICE)
    path.chmod(0o600)
    for name, content in (("sales.password", "secret\n"), ("empty.password", "")):
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    folder.chmod(0o700)
    return path


def set_up(folder: Path) -> str:
    """Write an office whose service has run, with a mail that waits; gives the mail's id."""
    path = write_office(folder)
    text = OFFICE.replace("port = 2525", "port = 0")
    info = '\n[[account]]\nname = "info"\naddress = "info@example.com"\nowner = "bert"\n'
    path.write_text(text + info)
    engine = open_engine(load_settings(path).database)
    prepare_database(engine)
    engine.dispose()
    (queue_id,) = asyncio.run(hand_in(path, ["Offer"]))
    with contextlib.closing(sqlite3.connect(folder / "relay.db")) as connection:
        connection.execute(f"VACUUM INTO '{folder / 'copy.db'}'")
    return queue_id
