"""What a command does where no service runs, or one that gives no answer; all of tests/cli asks without one as well."""

import os
import pty
import socket
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from relay.control.client import NAME
from tests.cli.conftest import Run


@pytest.fixture
def silent(config: Path) -> Generator[None]:
    """Something holds the socket, and hangs up on whoever asks."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(config.with_name(NAME)))
        listening.listen()

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)

        threading.Thread(target=hang_up, daemon=True).start()
        yield
        listening.shutdown(socket.SHUT_RDWR)


def test_nobody_is_there_to_reload(run: Run) -> None:
    said = run("reload")
    assert said.status == 1
    assert said.err.startswith("The service is not running (")


@pytest.mark.parametrize("arguments", [["queue", "run"], ["poll"], ["account", "test", "sales"]])
def test_a_variable_that_only_the_unit_has_is_no_trouble_of_the_account(
    arguments: list[str], run: Run, config: Path
) -> None:
    text = config.read_text()
    at = text.index("[account.smtp]") + len("[account.smtp]")
    config.write_text(f'{text[:at]}\nusername = "u"\npassword_env = "ONLY_THE_UNIT_HAS_IT"{text[at:]}')
    said = run(*arguments)
    assert said.status == 2
    assert "account[sales].smtp.password_env" in said.err
    assert "the unit reads it from /etc/relay/environment, a command from where it is run" in said.err
    (sales, *_) = run("account", "list", "--json").json
    assert (sales["state"], sales["paused_since"]) == ("not tried yet", None)


def test_who_changed_something_is_logged_on_standard_error_where_the_log_has_no_file(
    run: Run, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("account", "pause", "sales").status == 0
    logged = capfd.readouterr().err
    assert all(word in logged for word in ("admin_action", "action=pause", "account=sales", "by="))
    config.write_text(config.read_text() + f'\n[log]\nfile = "{config.parent}/relay.log"\n')
    assert run("account", "resume", "sales").status == 0
    assert capfd.readouterr().err == ""
    assert '"action":"resume"' in (config.parent / "relay.log").read_text().replace(" ", "")


def test_who_sits_at_a_terminal_reads_no_log_there(run: Run, config: Path) -> None:
    file = config.parent / "relay.log"
    master, terminal = pty.openpty()
    before = os.dup(2)
    os.dup2(terminal, 2)
    try:
        assert run("account", "pause", "sales").status == 0
        config.write_text(config.read_text() + f'\n[log]\nfile = "{file}"\n')
        assert run("account", "resume", "sales").status == 0
        os.write(2, b"end")
    finally:
        os.dup2(before, 2)
    assert os.read(master, 4096) == b"end"
    for descriptor in (master, terminal, before):
        os.close(descriptor)
    assert '"action":"resume"' in file.read_text().replace(" ", "")


@pytest.mark.usefixtures("silent")
def test_what_is_changed_beside_a_silent_service_is_written_and_it_is_told_of_nothing(
    run: Run, queued: list[str]
) -> None:
    said = run("account", "pause", "sales")
    assert said.out == "sales is paused\n"
    assert said.err.endswith("perhaps it is just stopping; it takes this up within a minute\n")
    assert run("queue", "hold", queued[0]).out == "1 mail held\n"
    assert run("queue", "list", "--state", "held", "--json").json[0]["queue_id"] == queued[0]


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("command", [["reload"], ["queue", "run"]])
def test_it_is_not_taken_for_one_that_does_not_run(run: Run, queued: list[str], command: list[str]) -> None:
    said = run(*command)
    assert "the service has given no answer: perhaps it is just stopping" in said.err
    assert "is not running" not in said.err
    assert {one["attempts"] for mail in run("queue", "list", "--json").json for one in mail["deliveries"]} == {0}
    assert len(queued) == 2
