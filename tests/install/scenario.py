"""What an administrator does with the package on a bare Debian, from its installation to its end."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.install import provider
from tests.install.container import Container, StepError
from tests.install.first_hour import WIZARD, FirstHour
from tests.install.hand_written import BY_HAND, SALES
from tests.install.recipes import blocks, command_for, comment_steps, read_readme, section

FIVE_MINUTES: Final = 300.0
RELEASED: Final = Path(__file__).parents[1] / "storage" / "released"
_OFFICE_PASSWORD: Final = "office-secret"
_DATA: Final = "/var/lib/relay"
_HERE: Final = "/root/packages"
_LOWER: Final = "/root/lower"
_KEPT: Final = (f"{_DATA}/relay.db", f"{_DATA}/inboxes/anna")
_OURS: Final = ("/etc/relay/relay.toml", "/etc/relay/secrets/anna")

Say = Callable[[str], None]


class Scenario:
    """The steps, in their order, in one container."""

    def __init__(self, container: Container, version: str, say: Say) -> None:
        self._container = container
        self._version = version
        self._say = say
        self._readme = read_readme()
        self._sent = 0

    def play(self, *, first_hour_alone: bool = False) -> None:
        """Do all of it, or only the first hour by each way to log in."""
        with self._step("boot, and the provider starts"):
            self._container.start()
            provider.start_provider(self._container)
        if not first_hour_alone:
            self._live()
        FirstHour(self._container, _HERE, self._step).play()

    def _live(self) -> None:
        begun = time.monotonic()
        self._follow_readme(_HERE)
        seconds = time.monotonic() - begun
        self._say(f"         from the bare system to a mail that was sent and collected: {seconds:.0f} s")
        if seconds > FIVE_MINUTES:
            raise StepError(f"that took longer than {FIVE_MINUTES:.0f} s")
        with self._step("a mail by swaks reaches the customer"):
            self._send()
        self._share()
        self._reboot()
        self._remove()
        self._purge()
        self._upgrade()
        self._old_database()

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self._say(f"{time.monotonic() - begun:6.1f} s {what}")

    def _run(self, script: str, *, given: str = "", folder: str = "/root", fails: bool = False) -> str:
        return self._container.run(script, given=given, folder=folder, fails=fails)

    def _follow_readme(self, folder: str) -> None:
        """Run each block of the README's package way as it stands there; what is asked for is typed."""
        commands = blocks(section(self._readme, "## Install it", "### The package"))
        if len(commands) < 4:
            raise StepError(f"the README's package way has only {len(commands)} blocks of commands")
        said = ""
        for block in commands:
            with self._step(f"README: {_first_line(block)}"):
                if block.startswith("relay init"):
                    self._container.converse(block, WIZARD, folder=folder)
                    continue
                if block == commands[-1]:
                    handed_over = "relay queue list --state delivered --json | grep --quiet 'The first mail'"
                    self._container.wait(handed_over, what="the mail is handed over")
                said = self._run(block, given="y\n", folder=folder)
        mails = self._inbox()
        if not mails or mails[-1].name not in said:
            raise StepError(f"the README's last block shows no mail in the inbox:\n{said}")
        warnings = [line for line in self._run("relay check").splitlines() if line.startswith("warning")]
        self._say(f"         relay check: {len(warnings)} warnings {warnings or ''}")

    def _inbox(self) -> list[Path]:
        folder = self._container.path(f"{_DATA}/inboxes/anna")
        return sorted(path for sub in ("new", "cur") for path in (folder / sub).glob("*"))

    def _send(self, *, arrives: bool = True) -> None:
        """Hand in a mail to a customer, and see it at the provider, unless it is to wait."""
        self._sent += 1
        subject = f"mail {self._sent}"
        self._run(
            "swaks --silent 1 --server 127.0.0.1 --port 2525 --from anna@example.com --to customer@example.net"
            f" --header 'Subject: {subject}' --body hello"
        )
        if arrives:
            self._await_customer(subject)

    def _await_customer(self, subject: str, *, count: int = 1, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if sum(mail["Subject"] == subject for mail in provider.mailbox(self._container, "customer")) >= count:
                return
            time.sleep(0.1)
        raise StepError(f"{subject!r} does not reach the provider:\n{self._run('relay queue list || true')}")

    def _share(self) -> None:
        """Read the inbox over IMAP, with the recipe that `relay dovecot-config` prints, word for word."""
        with self._step("relay user password, into the user's table"):
            line = self._run("relay user password", given=f"{_OFFICE_PASSWORD}\n").strip().splitlines()[-1]
            self._edit('address = "anna@example.com"\n', f'address = "anna@example.com"\n{line}\n')
        with self._step("relay dovecot-config: each of its steps"):
            steps = comment_steps(self._run("relay dovecot-config"))
            for step in steps:
                if step.startswith("group = "):
                    self._edit("[storage]\n", f"[storage]\n{step}\n")
                else:
                    self._run(step)
            if len(steps) < 6:
                raise StepError(f"the recipe has only {steps}")
        with self._step("relay check has nothing against the group"):
            said = self._run("relay check")
            if "storage.group" in said:
                raise StepError(said)
        with self._step("IMAP: read, flag, copy, delete as another user than the service"):
            self._read_over_imap()

    def _read_over_imap(self) -> None:
        imap = f"curl --silent --show-error --insecure --user anna:{_OFFICE_PASSWORD} imaps://127.0.0.1"
        self._container.wait(f"{imap}/", what="Dovecot answers")
        mail = self._run(f"{imap}'/INBOX;MAILINDEX=1'")
        if "Subject: The first mail" not in mail:
            raise StepError(f"the mail over IMAP is not the one that was collected:\n{mail}")
        self._run(f"{imap}/ --request 'CREATE Kept'")
        self._run(f"{imap}/INBOX --request 'STORE 1 +FLAGS (\\Flagged)'")
        self._run(f"{imap}/INBOX --request 'COPY 1 Kept'")
        self._container.write("root/draft", "From: anna@example.com\r\nSubject: x\r\n\r\nx\r\n")
        self._run(f"{imap}/Kept --upload-file /root/draft")
        self._run(f"{imap}/INBOX --request 'STORE 1 +FLAGS (\\Deleted)'")
        self._run(f"{imap}/INBOX --request EXPUNGE")
        if self._inbox():
            raise StepError(f"the mail is still there: {self._inbox()}")
        by_address = imap.replace("anna:", "ANNA@example.com:")
        if "Kept" not in self._run(f"{by_address}/"):
            raise StepError("by the address there is another inbox")
        self._run(f"{imap.replace(_OFFICE_PASSWORD, 'wrong')}/", fails=True)
        self._collect("The second mail")
        self._run("relay account list")
        if "The second mail" not in self._run(f"{imap}'/INBOX;MAILINDEX=1'"):
            raise StepError("what is collected now can't be read over IMAP")
        owners = self._run(f"stat -c '%U %G %a %n' {_DATA}/inboxes {_DATA}/inboxes/anna {_DATA}/inboxes/anna/*/P*")
        for found in owners.splitlines():
            user, group, mode, name = found.split()
            if (user, group) != ("relay", "vmail") or mode != ("660" if "/P" in name else "2770"):
                raise StepError(f"not as it is meant:\n{owners}")
        secret = self._run(f"stat -c '%a %n' {_DATA}/relay.db*")
        if any(not line.startswith(("600 ", "700 ")) for line in secret.splitlines()):
            raise StepError(f"others can read the queue:\n{secret}")
        self._run("setpriv --reuid=vmail --regid=vmail --clear-groups cat /var/lib/relay/relay.db", fails=True)

    def _collect(self, subject: str) -> None:
        """Send a mail to ourselves and collect it."""
        before = len(self._inbox())
        self._run(
            "swaks --silent 1 --server 127.0.0.1 --port 2525 --from anna@example.com --to anna@example.com"
            f" --header 'Subject: {subject}' --body hello"
        )
        deadline = time.monotonic() + 30
        while not any(mail["Subject"] == subject for mail in provider.mailbox(self._container, "anna")):
            if time.monotonic() > deadline:
                raise StepError(f"{subject!r} does not come into the provider's mailbox")
            time.sleep(0.1)
        said = self._run("relay poll anna")
        if len(self._inbox()) != before + 1:
            raise StepError(f"{subject!r} was not collected:\n{said}")

    def _reboot(self) -> None:
        with self._step("reboot: the service comes back by itself"):
            self._container.stop()
            self._container.start()
            provider.wait_for_provider(self._container)
            self._container.wait("systemctl is-active --quiet relay", what="the service runs again")
        with self._step("and mail goes on, both ways"):
            self._send()
            self._collect("The third mail")

    def _remove(self) -> None:
        with self._step("apt remove: keeps configuration, secrets, queue and inboxes"):
            self._run(self._told("apt remove"), given="y\n")
            self._there(*_OURS, *_KEPT)
            self._run("systemctl is-active --quiet relay", fails=True)
            self._run("command -v relay", fails=True)
        with self._step("installed again it goes on with them"):
            self._run(blocks(section(self._readme, "## Install it", "### The package"))[0], given="y\n", folder=_HERE)
            self._container.wait("systemctl is-active --quiet relay", what="the service runs again")
            self._send()

    def _purge(self) -> None:
        with self._step("apt purge: queue and inboxes stay and are named, all else goes"):
            said = self._run(self._told("apt purge"), given="y\n")
            self._there(*_KEPT)
            if _DATA not in said:
                raise StepError(f"what stays is not named:\n{said}")
            left = self._run(
                "ls -d /etc/relay /var/log/relay /usr/lib/systemd/system/relay.service"
                " /etc/systemd/system/*/relay.service /etc/logrotate.d/relay* 2>/dev/null || true"
            )
            if left:
                raise StepError(f"left behind:\n{left}")

    def _upgrade(self) -> None:
        with self._step("a lower version, set up by hand"):
            self._run(f"rm -r {_DATA}/relay.db* {_DATA}/inboxes\napt-get install --yes {_LOWER}/*.deb")
            self._container.path(_OURS[0]).write_text(BY_HAND)
            self._run(
                f"install -m 0640 -g relay /dev/null {_OURS[1]}\necho '{provider.PASSWORD}' > {_OURS[1]}\n"
                "relay check\nsystemctl start relay\nrelay poll anna"
            )
            self._send()
            self._collect("From before")
            lower = self._run("relay --version").strip()
        with self._step("the provider is away: a mail waits"):
            provider.stop_submission(self._container)
            self._send(arrives=False)
            waiting = f"mail {self._sent}"
            if waiting not in self._run("relay queue list --json"):
                raise StepError("the mail does not wait in the queue")
        with self._step("upgrade: the service starts again with its queue"):
            command = self._told("apt install")
            given = command.split()[-1]
            (package,) = self._container.path(_HERE).glob("*.deb")
            self._run(command.replace(given, f"./{package.name}"), given="y\n", folder=_HERE)
            self._container.wait("systemctl is-active --quiet relay", what="the service runs")
            if waiting not in self._run("relay queue list --json"):
                raise StepError("the mail is gone")
            self._there(*_OURS)
            if self._container.path(_OURS[0]).read_text() != BY_HAND:
                raise StepError("the configuration is another one")
            if "From before" not in self._run("relay queue list --state delivered --json"):
                raise StepError("what was delivered before is forgotten")
        self._say(f"         {lower}, package {self._packaged(_LOWER)} -> {self._packaged(_HERE)}")
        with self._step("the provider is back: the mail that waited leaves"):
            provider.start_submission(self._container)
            self._run("relay queue run")
            self._await_customer(waiting)

    def _old_database(self) -> None:
        for script in sorted(RELEASED.glob("*.sqlite.sql")):
            schema = script.name.partition(".")[0]
            with self._step(f"a queue of schema {schema}, as a release left it: what waited in it leaves"):
                before = sum(mail["Subject"] == "one" for mail in provider.mailbox(self._container, "customer"))
                self._run(f"systemctl stop relay\nrm -rf {_DATA}/relay.db*")
                old = self._container.path(f"{_DATA}/relay.db")
                connection = sqlite3.connect(old)
                connection.executescript(script.read_text())
                connection.close()
                self._run(f"chown relay:relay {_DATA}/relay.db\nchmod 0600 {_DATA}/relay.db")
                if "sales@" not in self._container.path(_OURS[0]).read_text():
                    self._edit(None, SALES)
                self._run("systemctl start relay\nrelay account resume sales || true\nrelay queue run")
                self._await_customer("one", count=before + 2)
                self._send()

    def _told(self, beginning: str) -> str:
        """Give the command that the README tells for daily life."""
        return command_for(section(self._readme, "## Live with it"), beginning)

    def _there(self, *paths: str) -> None:
        self._run("\n".join(f"test -e {path}" for path in paths))

    def _packaged(self, folder: str) -> str:
        return self._run(f"dpkg-deb --field {folder}/*.deb Version").strip()

    def _edit(self, old: str | None, new: str) -> None:
        """Change the configuration as an editor does; at its end where nothing is to be replaced."""
        path = self._container.path(_OURS[0])
        text = path.read_text()
        if old is None:
            path.write_text(text + new)
            return
        if old not in text:
            raise StepError(f"{_OURS[0]} has no {old!r}:\n{text}")
        path.write_text(text.replace(old, new, 1))


def _first_line(block: str) -> str:
    line = block.strip().splitlines()[0]
    return line if len(line) <= 70 else line[:69] + "…"
