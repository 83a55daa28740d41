"""The first hour on a fresh machine, once for each way to log in: to a mail that was delivered, and one collected."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from tests.install import provider
from tests.install.container import Answer, Container, StepError
from tests.peers.oauth_server import CLIENT, USER

_DATA: Final = "/var/lib/relay"
_CLIENT_SECRET: Final = "the-clients-secret"
_SECRET_FILE: Final = "/etc/relay/secrets/client"
_SERVERS: Final = "--address anna@example.com --smtp-host smtp.provider.example --pop3-host pop.provider.example"
_URLS: Final = " ".join(f"--set oauth.{name}_url={provider.ISSUER}/{name}" for name in ("token", "device", "authorize"))
_SEND: Final = (
    "swaks --silent 1 --server 127.0.0.1 --port 2525 --from anna@example.com --to anna@example.com"
    " --header 'Subject: The first mail' --body hello"
)

Step = Callable[[str], AbstractContextManager[None]]


class FirstHour:
    """Begins anew for each way, on a machine where nothing is left of the way before."""

    def __init__(self, container: Container, package: str, step: Step) -> None:
        """`package`: the folder of the package, inside; `step` tells what is done within it."""
        self._container = container
        self._package = package
        self._step = step

    def play(self) -> None:
        """Try all ways."""
        self._begin("a password")
        with self._step("relay account add"):
            self._add_by_password()
        self._finish("PLAIN")
        for flow in ("device", "browser", "app"):
            self._begin(f'OAuth 2, flow = "{flow}"')
            provider.start_issuer(self._container, _CLIENT_SECRET if flow == "app" else "")
            with self._step("relay account add"):
                self._add_by_oauth(flow)
            if flow != "app":
                with self._step("relay account authorize anna"):
                    self._authorize(flow)
            self._finish("XOAUTH2")
            self._look_at_key()

    def _begin(self, way: str) -> None:
        """Make everything as it is behind the package's installation; only its files need not be copied anew."""
        with self._step(f"a machine as the package leaves it; {way}"):
            again = f"systemctl stop relay; rm -rf {_DATA} /etc/relay /var/log/relay; dpkg-reconfigure lan-mail-relay"
            self._run(
                f"if dpkg --status lan-mail-relay >/dev/null 2>&1\nthen {again}\n"
                f"else apt-get install --yes {self._package}/*.deb\nfi"
            )
            provider.empty_mailboxes(self._container)

    def _add_by_password(self) -> None:
        self._container.converse(
            f"relay account add anna {_SERVERS}",
            [("Password of anna", provider.PASSWORD)],
        )

    def _add_by_oauth(self, flow: str) -> None:
        secret = ""
        if flow == "app":
            self._run(f"install -m 0640 -g relay /dev/null {_SECRET_FILE}\necho {_CLIENT_SECRET} > {_SECRET_FILE}")
            secret = f" --set oauth.client_secret_file={_SECRET_FILE}"
        self._run(
            f"relay account add anna {_SERVERS} --set oauth.provider=custom --set oauth.flow={flow}"
            f" --set oauth.client_id={CLIENT} --set oauth.user={USER} --set 'oauth.scopes=[\"mail\"]' {_URLS}{secret}"
        )

    def _authorize(self, flow: str) -> None:
        answers: dict[str, list[Answer]] = {
            "device": [(r"Open (\S+) on any computer", self._open)],
            "browser": [(rf"\n({provider.ISSUER}/authorize\S+)[\s\S]*paste it here and press Enter", self._look)],
        }
        said = self._container.converse("relay account authorize anna", answers[flow])
        if "relay account test anna" not in said:
            raise StepError(f"it does not say how to go on:\n{said}")

    def _open(self, page: re.Match[str]) -> None:
        """Be the person who types the code in, on another computer."""
        self._run(f"curl --silent --fail '{page[1]}'")

    def _look(self, page: re.Match[str]) -> str:
        """Be the person whose browser ends on a page that it can't open; give the address of that one."""
        return self._run(f"curl --silent --output /dev/null --write-out '%{{redirect_url}}' '{page[1]}'").strip()

    def _look_at_key(self) -> None:
        key = self._run(f"stat --format '%U %G %a' {_DATA}/tokens.key").strip()
        if key != "relay relay 600":
            raise StepError(f"the key of the tokens is {key}")

    def _finish(self, mechanism: str) -> None:
        """Go on with an account that is set up; `mechanism` is by which it must have logged in to send."""
        with self._step("relay account test anna: all is well"):
            self._run("relay account test anna")
        with self._step("the first mail: sent, delivered, collected"):
            self._run("systemctl start relay")
            self._first_mail()
        logins = self._run("grep --only-matching 'sasl_method=[A-Z0-9]*' /var/log/provider-smtp.log").splitlines()
        if logins[-1] != f"sasl_method={mechanism}":
            raise StepError(f"it has logged in by {logins}")

    def _first_mail(self) -> None:
        self._run(_SEND)
        self._container.wait("relay queue list --state delivered | grep -q anna", what="the mail is handed over")
        self._container.wait(
            "grep --recursive --quiet 'Subject: The first mail' /srv/provider/anna", what="the mail is at the provider"
        )
        said = self._run("relay poll anna")
        if not any("Subject: The first mail" in path.read_text() for path in self._inbox()):
            raise StepError(f"the mail is not in the inbox:\n{said}")

    def _inbox(self) -> list[Path]:
        return [*self._container.path(f"{_DATA}/inboxes/anna/new").glob("*")]

    def _run(self, script: str) -> str:
        return self._container.run(script)
