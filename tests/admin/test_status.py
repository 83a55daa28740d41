"""How things stand, as the running service tells it."""

import socket
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Run, serve


def test_the_service_tells_what_the_command_would_find_itself(
    run: Run, config: Path, queued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("queue", "hold", queued[0])
    alone = run("status", "--json").json
    with serve(config), monkeypatch.context() as patch:
        patch.setattr("relay.cli.status.load", None)  # it is not needed
        told, said = run("status", "--json").json, run("status", "-v")
    assert told.pop("running") == "yes"
    assert [one["kind"] for one in told["findings"] if one["kind"] != "disk_low"] == ["held"]
    for name in ("waiting", "active", "held", "oldest", "quarantined", "accounts"):
        assert told[name] == alone[name]
    assert said.status == 2
    assert said.out.startswith("needs you: ")
    assert 'needs you: Account "sales": 1 e-mail stopped' in said.out


def test_a_change_of_the_file_is_found_though_the_service_could_not_read_it(run: Run, config: Path) -> None:
    with serve(config):
        before = run("status", "--json").json
        config.write_text(config.read_text() + "# a comment\n")
        after = run("status", "--json").json
    kinds = [{one["kind"] for one in told["findings"]} for told in (before, after)]
    assert kinds[1] - kinds[0] == {"configuration_changed"}


def test_a_service_that_takes_the_question_but_does_not_answer_is_not_waited_for(run: Run, config: Path) -> None:
    """Its database hangs, perhaps: the command looks itself, and what it finds of the service is its answer."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(config.parent / "relay.sock"))
        listening.listen()
        ended = threading.Event()

        def answer() -> None:
            first, _ = listening.accept()
            with first:
                first.sendall(b'{"ok": true, "is": "", "zone": "UTC"}\n')
                second, _ = listening.accept()
                with second:
                    second.recv(1000)  # what is left unread would make the kernel drop the answer
                    second.sendall(b'{"ok": true, "configuration": ""}\n')
                ended.wait(20)

        thread = threading.Thread(target=answer)
        thread.start()
        said = run("status", "--json")
        ended.set()
        thread.join()
    assert said.json["running"] == "yes"
