import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers import machine


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "IN_CI", False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program, from the package some-package"):
        machine.require_program("no-such-program", package="some-package")
    monkeypatch.setattr(machine, "IN_CI", True)
    with pytest.raises(pytest.fail.Exception, match="some-package"):
        machine.require_program("no-such-program", package="some-package")


def test_what_never_comes_is_named() -> None:
    with pytest.raises(TimeoutError, match="the moon"):
        machine.wait_until(lambda: None, what="the moon", timeout=0.01)


def test_a_program_that_ends_instead_of_listening_is_told_with_its_errors(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with errors.open("wb") as stream:
        process = subprocess.Popen([sys.executable, "-c", "raise SystemExit('no way')"], stderr=stream)
    with pytest.raises(RuntimeError, match="no way"):
        machine.wait_for_port(machine.free_port(), process, errors=errors)


def test_a_group_ends_with_its_children() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True)
    machine.end_group(process, at_once=True)
    assert process.returncode == -9
    assert process.stdin
    process.stdin.close()
