"""Measures `relay poll` beside mpop and getmail6: a mailbox of a real Dovecot into a Maildir, deleted at the provider.

Each round gives every program a mailbox of its own with the same mails, and an empty Maildir.
"""

import contextlib
import os
import pwd
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.processes import Helper
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.machine import require_program
from tests.peers.relay_process import ROOT, python_of, write_config

_OTHER_USER = "nobody"
_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}

Collect = Callable[[int, str, Path], None]
"""Collect a user's mailbox from a POP3 port into a Maildir within a folder; raises if the program fails."""


def collect_by_relay(port: int, user: str, folder: Path, *, checkout: Path = ROOT) -> None:
    """Collect by our relay, or by that of another checkout, as a command without a running service."""
    pop3 = {"host": "127.0.0.1", "port": port, "security": "none", "username": user, "password": PASSWORD}
    account = {"name": "sales", "address": "sales@example.com", "owner": "anna", "pop3": pop3}
    config = write_config(folder, accounts=[account])
    _run([python_of(checkout), "-m", "relay", "poll", "-c", str(config)], folder, checkout=checkout)


def collect_by_mpop(port: int, user: str, folder: Path) -> None:
    """Collect by mpop."""
    maildir = _make_maildir(folder)
    command = [require_program("mpop", package="mpop"), "--host=127.0.0.1", f"--port={port}", f"--user={user}"]
    command += [f"--passwordeval=echo {PASSWORD}", "--tls=off", "--auth=user", "--keep=off", "--quiet"]
    _run([*command, f"--delivery=maildir,{maildir}", f"--uidls-file={folder}/uidls"], folder)


def collect_by_getmail(port: int, user: str, folder: Path) -> None:
    """Collect by getmail6."""
    maildir = _make_maildir(folder)
    (folder / "getmailrc").write_text(
        f"[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {port}\nusername = {user}\n"
        f"password = {PASSWORD}\n[destination]\ntype = Maildir\npath = {maildir}/\n"
        "[options]\ndelete = true\nverbose = 0\n"
    )
    for path in (folder, *folder.rglob("*")):  # it delivers nothing as root
        shutil.chown(path, _OTHER_USER)
    command = [require_program("getmail", package="getmail6"), "--getmaildir", str(folder), "--rcfile", "getmailrc"]
    _run(command, folder, user=_OTHER_USER)


CONTESTANTS: dict[str, Collect] = {
    "relay": collect_by_relay,
    "mpop": collect_by_mpop,
    "getmail6": collect_by_getmail,
}


def measure(
    rounds: int, messages: int, length: int, *, round_trip: int = 0, beside: Path | None = None
) -> Iterator[str]:
    """Run the rounds; gives a line for each, and the figures as Markdown at the end.

    `round_trip`: milliseconds to the server and back. `beside` is the checkout of another version of the relay, which
    is measured in place of the other programs.
    """
    contestants = CONTESTANTS
    if beside is not None:
        contestants = {"relay": collect_by_relay, "before": partial(collect_by_relay, checkout=beside)}
    mail = b"From: x@y.example\nTo: sales@example.com\nSubject: %d\nMessage-ID: <%d@bench.example>\n\n"
    body = (b"y" * 71 + b"\n") * (length // 72)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    with contextlib.ExitStack() as running:
        dovecot = running.enter_context(Dovecot())
        port = dovecot.pop3_port
        if round_trip:
            port = running.enter_context(Helper("delay", port, round_trip)).port
        for number in range(1, rounds + 1):
            for name, collect in contestants.items():
                user = f"{name}{number}"
                dovecot.fill(user, [mail % (n, n) + body for n in range(messages)])
                with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                    began = time.monotonic()
                    collect(port, user, Path(folder))
                    seconds[name].append(time.monotonic() - began)
                    arrived = sum(1 for path in Path(folder).rglob("new/*") if path.is_file())
                if arrived != messages or dovecot.mails(user):
                    raise RuntimeError(f"{name}: {arrived} of {messages} mails arrived")
                yield f"round {number}: {name}: collected in {seconds[name][-1]:.2f} s"
    where = f"with {round_trip} ms of round trip " if round_trip else ""
    yield _describe(seconds, f"{messages:,} mails of {length:,} octets from a Dovecot {where}", messages)


def _describe(seconds: dict[str, list[float]], what: str, messages: int) -> str:
    rates = {name: [messages / one for one in several] for name, several in seconds.items()}
    ours = statistics.median(rates["relay"])
    rows = "".join(
        f"| {name} | {statistics.median(found):,.0f} ({min(found):,.0f} to {max(found):,.0f})"
        f" | {ours / statistics.median(found):.2f} |\n"
        for name, found in rates.items()
    )
    return (
        f"{what}over plain POP3 into a Maildir, the program's start included; median of "
        f"{len(rates['relay'])} rounds in turns (lowest to highest).\n\n"
        f"| | mails/s | relay / it |\n|---|---|---|\n{rows}"
    )


def _make_maildir(folder: Path) -> Path:
    for name in ("tmp", "new", "cur"):
        (folder / "maildir" / name).mkdir(parents=True)
    return folder / "maildir"


def _run(command: list[str], folder: Path, *, user: str | None = None, checkout: Path = ROOT) -> None:
    home = {**_ENVIRONMENT, "HOME": str(folder)}
    rights: dict[str, Any] = {"cwd": checkout}
    if user is not None:
        rights = {"cwd": folder, "user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    done = subprocess.run(command, env=home, capture_output=True, check=False, timeout=300, **rights)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {(done.stdout + done.stderr).decode(errors='replace')[-2000:]}")
