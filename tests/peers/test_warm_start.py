import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.relay_process import RelayProcess, make_account, write_config
from tests.peers.warm_start import WarmProcess

pytestmark = pytest.mark.peer

PROGRAM = """
import os, sys, time
is_warm = "relay.supervisor" in sys.modules
print(is_warm, sys.argv[1:], os.getcwd(), os.environ["ASKED"], repr(sys.stdin.read()), flush=True)
print("trouble", file=sys.stderr)
if sys.argv[1] == "wait":
    time.sleep(60)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module `program`."""
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ASKED", "yes")
    return tmp_path


def begin(folder: Path, *arguments: str) -> WarmProcess:
    return WarmProcess("program", arguments, cwd=folder, stdout=folder / "out", stderr=folder / "errors")


@pytest.mark.parametrize("status", [0, 3])
def test_a_program_has_all_that_it_would_have_as_a_process_of_its_own(folder: Path, status: int) -> None:
    process = begin(folder, str(status), "--more")
    assert process.wait(30) == process.poll() == process.returncode == status
    assert (folder / "out").read_text() == f"True ['{status}', '--more'] {folder} yes ''\n"
    assert (folder / "errors").read_text() == "trouble\n"
    begin(folder, "0").wait(30)
    assert len((folder / "out").read_text().splitlines()) == 2, "what it writes is appended"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1])
def test_a_signal_ends_it(folder: Path, by: signal.Signals) -> None:
    process = begin(folder, "wait")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    assert process.poll() is None
    os.kill(process.pid, 0)
    {signal.SIGTERM: process.terminate, signal.SIGKILL: process.kill}.get(by, lambda: process.send_signal(by))()
    assert process.wait(30) == -by
    process.send_signal(signal.SIGKILL)  # of what has ended, nobody is hurt
    process.kill()


def test_the_relay_is_the_same_as_one_that_an_interpreter_starts(tmp_path: Path) -> None:
    config = write_config(tmp_path, accounts=[make_account("sales", 9)])
    refusals = set()
    for fresh in (True, False):
        relay = RelayProcess(config, fresh=fresh)
        with relay:
            assert relay.run("queue", "list", "--json") == "[]\n"
            with pytest.raises(
                AssertionError, match=r"(?s)status 2: Usage: python -m relay .* no command 'nothing'"
            ) as refused:
                relay.run("nothing")
            refusals.add(str(refused.value))
            names = {Path(f"/proc/{relay.pid}/exe").readlink(), Path(sys.executable).resolve()}
            assert len(names) == 1
        assert relay.errors == ""
    assert len(refusals) == 1
    assert [len(relay.find(event)) for event in ("service_started", "service_stopped")] == [2, 2]
