import os
import pwd

import pytest

from relay.cli.who import who_asks


def test_root_is_whoever_called_sudo_and_nobody_else_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "otto\x1b[31m" + "x" * 99)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert who_asks() == ("otto\\u001b[31m" + "x" * 99)[:64]
    monkeypatch.setattr(os, "getuid", lambda: 1)
    assert who_asks() == pwd.getpwuid(1).pw_name
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert who_asks() == "uid 54321"
    monkeypatch.delenv("SUDO_USER")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert who_asks() == "root"
