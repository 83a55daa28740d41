"""The first hour on a fresh machine, once for each way to log in: to a mail that was delivered, and one collected.

It goes by the README: its first command has installed the package, `relay init` sets the account up, the service is
started, and a mail is sent; that are four commands. What lies in the mailbox by then is collected by itself.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from tests.install import provider
from tests.install.container import Answer, Container, StepError
from tests.install.recipes import blocks, command_for, read_readme, section
from tests.peers.oauth_server import CLIENT

WIZARD: Final[list[Answer]] = [
    (r"Language", "en"),
    (r"This machine's name", "relay.office.example"),
    (r"A short name for you", "anna"),
    (r"The mail address of anna", "anna@example.com"),
    (r"somebody else", ""),
    (r"The address whose mailbox", ""),
    (r"Thunderbird's database", ""),
    (r"server for sending", "smtp.provider.example"),
    (r"Its port", ""),
    (r"The user name there", ""),
    (r"collected there as well", ""),
    (r"server for collecting", "pop.provider.example"),
    (r"Its port", ""),
    (r"The user name there", ""),
    (r"archive", ""),
    (r"From which networks", "-"),
    (r"Password of anna@example.com \(not shown\)", provider.PASSWORD),
    (r"anna works", None),
]
"""What is asked at a terminal of somebody whose provider nobody knows, and what she answers."""
_SIGNED_IN: Final[list[Answer]] = [
    (r"archive", ""),
    (r"From which networks", "-"),
    (r"client secret", ""),
]
"""What is still asked where the other answers are options."""
_DATA: Final = "/var/lib/relay"
_CLIENT_SECRET: Final = "the-clients-secret"
_WAITED: Final = "Subject: It lay in the mailbox"
_URLS: Final = " ".join(f"--{name}-url {provider.ISSUER}/{name}" for name in ("token", "device", "authorize"))

Step = Callable[[str], AbstractContextManager[None]]


class FirstHour:
    """Begins anew for each way, on a machine where nothing is left of the way before."""

    def __init__(self, container: Container, package: str, step: Step) -> None:
        """`package`: the folder of the package, inside; `step` tells what is done within it."""
        self._container = container
        self._package = package
        self._step = step
        told = section(read_readme(), "## Install it", "### The package")
        self._install, _, self._start, self._send = blocks(told)[:4]
        self._init = command_for(told, "relay init --")
        """Its call without questions."""

    def play(self) -> None:
        """Try all ways."""
        self._begin("a password")
        with self._step("relay init, with options"):
            self._run(self._init, given=f"{provider.PASSWORD}\n")
        self._finish("PLAIN")
        self._begin("a password, at a terminal")
        with self._step("relay init, with its questions"):
            self._container.converse("relay init", WIZARD)
        self._finish("PLAIN")
        for flow in ("device", "browser", "app"):
            self._begin(f'OAuth 2, flow = "{flow}"')
            provider.start_issuer(self._container, _CLIENT_SECRET if flow == "app" else "")
            with self._step("relay init" if flow == "app" else "relay init, and somebody signs in"):
                self._sign_in(flow)
            self._finish("XOAUTH2")
            self._look_at_key()
        with self._step("relay report: the events of the journal, and no address"):
            self._run("relay report report.json")
            report = self._container.path("root/report.json").read_text()
            if "message_delivered" not in report or "anna@" in report or _CLIENT_SECRET in report:
                raise StepError(f"the report is not as it is meant:\n{report[:4000]}")
        with self._step("apt purge: the login goes, the office's authority stays and is named"):
            self._run("relay certificate make")
            said = self._run("apt-get purge --yes lan-mail-relay")
            if "certificates stay in" not in said:
                raise StepError(f"it is not said what stays:\n{said}")
            self._run(f"test -e {_DATA}/relay.db && test -e {_DATA}/certificates/authority.pem")
            self._run(f"! test -e {_DATA}/tokens.key")

    def _begin(self, way: str) -> None:
        """Make everything as it is behind the package's installation; only its files need not be copied anew."""
        with self._step(f"a machine as the package leaves it; {way}"):
            again = f"systemctl stop relay; rm -rf {_DATA} /etc/relay /var/log/relay; dpkg-reconfigure lan-mail-relay"
            self._run(
                f"if dpkg --status lan-mail-relay >/dev/null 2>&1\nthen {again}\n"
                f"else cd {self._package}\n{self._install}fi",
                given="y\n",
            )
            provider.empty_mailboxes(self._container)
            provider.put_mail(self._container, "anna", f"{_WAITED}\n\nhello\n")

    def _sign_in(self, flow: str) -> None:
        call = f"{self._init} --oauth custom --flow {flow} --client-id {CLIENT} --scope mail {_URLS}"
        asks: dict[str, Answer] = {
            "device": (r"Open (\S+) on any computer", self._type_code),
            "browser": (rf"\n({provider.ISSUER}/authorize\S+)[\s\S]*paste it here and press Enter", self._follow),
        }
        if flow in asks:
            said = self._container.converse(call, [*_SIGNED_IN, asks[flow]])
        else:
            said = self._run(call, given=f"{_CLIENT_SECRET}\n")
        if "anna works" not in said:
            raise StepError(f"the account does not work:\n{said}")

    def _type_code(self, page: re.Match[str]) -> None:
        """Be the person who types the code in, on another computer."""
        self._run(f"curl --silent --fail '{page[1]}'")

    def _follow(self, page: re.Match[str]) -> str:
        """Be the person whose browser ends on a page that it can't open; give the address of that one."""
        return self._run(f"curl --silent --output /dev/null --write-out '%{{redirect_url}}' '{page[1]}'").strip()

    def _look_at_key(self) -> None:
        key = self._run(f"stat --format '%U %G %a' {_DATA}/tokens.key").strip()
        if key != "relay relay 600":
            raise StepError(f"the key of the tokens is {key}")

    def _finish(self, mechanism: str) -> None:
        """Go on with an account that is set up; `mechanism` is by which it must have logged in to send."""
        with self._step("started; the first mail is sent and delivered, and one is collected"):
            self._run(self._start)
            self._run(self._send)
            self._container.wait(
                "relay queue list --state delivered --json | grep --quiet 'The first mail'",
                what="the mail is handed over",
            )
            self._container.wait(
                "grep --recursive --quiet 'Subject: The first mail' /srv/provider/anna", what="it is at the provider"
            )
            self._container.wait(
                f"grep --recursive --quiet '{_WAITED}' {_DATA}/inboxes/anna/new", what="the mail is collected"
            )
        with self._step("relay account test anna, while it runs; what was sent is collected as well"):
            self._run("relay account test anna\nrelay poll anna")
            if not any("Subject: The first mail" in path.read_text() for path in self._inbox()):
                raise StepError("the mail that was sent is not in the inbox")
        logins = self._run("grep --only-matching 'sasl_method=[A-Z0-9]*' /var/log/provider-smtp.log").splitlines()
        if logins[-1] != f"sasl_method={mechanism}":
            raise StepError(f"it has logged in by {logins}")

    def _inbox(self) -> list[Path]:
        return [*self._container.path(f"{_DATA}/inboxes/anna/new").glob("*")]

    def _run(self, script: str, *, given: str = "") -> str:
        return self._container.run(script, given=given)
