import sys
import time
from pathlib import Path

import pytest

from relay.model.errors import CredentialError, RelayError
from relay.model.secret import Secret
from relay.settings import secrets
from relay.settings.secrets import read_secret


def test_each_source_gives_its_first_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "p"
    file.write_bytes("pässword\r\nsecond\n".encode())
    monkeypatch.setenv("MAIL_PASSWORD", "from the environment")
    command = (sys.executable, "-c", "print('from a command'); print('more')")
    found = [
        read_secret(s)
        for s in (
            Secret(value=" as it is "),
            Secret(file=str(file)),
            Secret(env="MAIL_PASSWORD"),
            Secret(command=command),
        )
    ]
    assert found == [" as it is ", "pässword", "from the environment", "from a command"]


def test_the_mark_that_some_editors_put_first_is_no_part_of_a_password(tmp_path: Path) -> None:
    file = tmp_path / "p"
    file.write_bytes(b"\xef\xbb\xbfsecret\r\n")
    assert read_secret(Secret(file=str(file))) == "secret"


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (Secret(), "is empty in the configuration"),
        (Secret(value=""), "password: is empty in the configuration"),
        (Secret(command=()), "password_command: is empty in the configuration"),
        (Secret(env="NO_SUCH_VARIABLE"), "is not set"),
        (Secret(file="/nowhere/p"), "No such file"),
        (Secret(command=("/nowhere/p",)), "can't be run"),
        (Secret(command=(sys.executable, "-c", "print('hunter2'); exit(3)")), "status 3"),
        (Secret(command=(sys.executable, "-c", "")), "is empty"),
        (Secret(command=(sys.executable, "-c", "import os; os.write(1, b'\\xff')")), "not UTF-8"),
    ],
)
def test_why_there_is_none_is_told_and_nothing_of_its_content(secret: Secret, reason: str) -> None:
    with pytest.raises(RelayError, match=reason) as error:
        read_secret(secret)
    assert "hunter2" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


def test_a_file_that_is_gone_comes_back_by_a_person_alone(tmp_path: Path) -> None:
    with pytest.raises(CredentialError) as gone:
        read_secret(Secret(file=str(tmp_path / "gone")))
    with pytest.raises(CredentialError) as other:
        read_secret(Secret(file=str(tmp_path)))
    assert (gone.value.permanent, other.value.permanent) == (True, False)


def test_a_command_that_does_not_end_is_ended_with_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_PATIENCE", 0.2)
    began = time.monotonic()
    with pytest.raises(RelayError, match="did not end"):
        read_secret(Secret(command=("/bin/sh", "-c", "sleep 60 & sleep 60")))
    assert time.monotonic() - began < 5


def test_a_command_that_says_too_much_is_read_no_further() -> None:
    command = (sys.executable, "-c", "print('x'); import sys; sys.stdout.write('y' * 1_000_000)")
    assert read_secret(Secret(command=command)) == "x"
