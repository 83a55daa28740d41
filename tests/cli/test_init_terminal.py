"""`relay init` at a real terminal."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from relay.settings import load_settings
from tests.peers.machine import require_program
from tests.peers.relay_process import ROOT

pytestmark = pytest.mark.peer


class Terminal:
    """A terminal with the command in it."""

    def __init__(self, language: str, *words: str) -> None:
        self._master, slave = pty.openpty()
        setsid = require_program("setsid", package="util-linux")  # a key such as Ctrl-C counts at one's own terminal
        heeds = ["env", "--default-signal=INT"]  # whoever runs the tests in the background may ignore it
        command = [*heeds, setsid, "--ctty", sys.executable, "-m", "relay", *words]
        environment = {**os.environ, "LANG": language, "LC_ALL": "", "TERM": "dumb"}
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        self.shown = ""
        self._seen = 0

    def read(self, end: str, *, patience: float = 30) -> str:
        """Wait until something is shown behind what was waited for last; give what came until then.

        `patience`: seconds without anything new.
        """
        while (found := self.shown.find(end, self._seen)) < 0:
            if not select.select([self._master], [], [], patience)[0]:
                raise TimeoutError(f"{end!r} is not shown: {self.shown!r}")
            try:
                piece = os.read(self._master, 4096)
            except OSError:
                piece = b""
            if not piece:
                raise EOFError(f"{end!r} is not shown: {self.shown!r}")
            self.shown += piece.decode()
        came, self._seen = self.shown[self._seen : found + len(end)], found + len(end)
        return came

    def answer(self, question: str, text: str) -> str:
        """Wait for a question, and type the answer."""
        came = self.read(question)
        came += self.read(": ")
        os.write(self._master, f"{text}\n".encode())
        return came

    def press(self, key: bytes, end: str) -> None:
        """Press a key, and wait for what it brings.

        As a person would, press it again where nothing happens: libreadline does not see a signal that comes after it
        has shown the prompt and before it waits.
        """
        for last in (False, False, True):
            os.write(self._master, key)
            with contextlib.nullcontext() if last else contextlib.suppress(TimeoutError):
                self.read(end, patience=10)
                return

    def close(self) -> None:
        """Hang up."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@contextlib.contextmanager
def terminal(config: Path, language: str = "en_GB.UTF-8", words: Sequence[str] = ()) -> Iterator[Terminal]:
    one = Terminal(language, *(words or ("init", "--no-test")), "-c", str(config))
    try:
        yield one
    finally:
        one.close()


def test_a_german_office_is_led_through_it(tmp_path: Path) -> None:
    config = tmp_path / "relay.toml"
    with terminal(config, "de_DE.UTF-8") as person:
        assert "[de]" in person.answer("Sprache", "")
        person.answer("Name dieses Rechners", "mail.buero.lan")
        person.answer("Ein kurzer Name für Sie", "anna")
        person.answer("Die E-Mail-Adresse von anna", "anna@gmx")
        person.answer("Ein kurzer Name für jemanden", "")
        assert "[anna@gmx]" in person.answer("Die Adresse, deren Postfach", "anna@gmx.de")
        came = person.answer("auch abgeholt werden", "j")
        assert "Der Anbieter ist GMX" in came
        assert "Zuerst einschalten: " in came
        assert "14 Tage" in person.answer("das Archiv des Büros", "")
        assert "kann als jeder Benutzer senden" in " ".join(person.answer("Aus welchen Netzen", "<").split())
        person.answer("das Archiv des Büros", "")
        person.answer("Aus welchen Netzen", "Buero")
        assert "Buero: ist kein Netz" in person.answer("Aus welchen Netzen", "-")
        came = person.answer("Passwort von anna@gmx.de (wird nicht angezeigt)", "sehr geheim")
        assert "Welches Passwort: " in came
        said = person.read("Als Nächstes: ")
        assert f"{config} wurde geschrieben; das Passwort steht in" in said
        assert person.process.wait(20) == 0
        assert "sehr geheim" not in person.shown
    settings = load_settings(config)
    (account,) = settings.directory.accounts
    assert (settings.language, settings.hostname, account.preset) == ("de", "mail.buero.lan", "gmx")
    assert (tmp_path / "secrets" / "anna").read_text() == "sehr geheim\n"


@pytest.mark.parametrize("end", [b"\x03", b"\x04"], ids=["ctrl-c", "ctrl-d"])
@pytest.mark.parametrize("hidden", [False, True])
def test_who_ends_it_in_the_midst_finds_nothing_written(tmp_path: Path, end: bytes, hidden: bool) -> None:
    config = tmp_path / "relay.toml"
    with terminal(config) as person:
        person.answer("Language", "en")
        person.answer("This machine's name", "mail.office.lan")
        if hidden:
            person.answer("A short name for you", "anna")
            person.answer("The mail address of anna", "anna@gmx.de")
            person.answer("A short name for somebody else", "")
            person.answer("The address whose mailbox", "")
            person.answer("collected there as well", "n")
            person.answer("the office's archive", "")
            person.answer("From which networks", "-")
            person.read("Password of anna@gmx.de (not shown): ")
        else:
            person.read("A short name for you")
        person.press(end, "Nothing was written.")
        assert person.process.wait(20) == 1
        assert re.search(r"Traceback|Error", person.shown) is None
    assert [*tmp_path.iterdir()] == []


def test_a_signal_in_the_midst_leaves_nothing(tmp_path: Path) -> None:
    config = tmp_path / "relay.toml"
    with terminal(config) as person:
        person.read("Language")
        person.process.send_signal(signal.SIGTERM)
        assert person.process.wait(20) != 0
    assert [*tmp_path.iterdir()] == []
