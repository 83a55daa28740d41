import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.accounts.sealing import Sealer
from relay.model.errors import CredentialError
from relay.model.oauth import KEY_FILE


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.binary(max_size=200))
def test_what_is_sealed_is_opened_and_not_to_be_seen(tmp_path: Path, content: bytes) -> None:
    sealed = Sealer(tmp_path).seal(content)
    assert Sealer(tmp_path).open(sealed) == content
    assert len(content) < 4 or content not in sealed.encode()


def test_the_key_is_one_however_many_begin_at_once_and_nobody_elses(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        sealed = [*threads.map(lambda n: Sealer(tmp_path).seal(b"%d" % n), range(16))]
    assert [Sealer(tmp_path).open(one) for one in sealed] == [b"%d" % n for n in range(16)]
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_an_older_key_in_a_further_line_still_opens(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    sealed = sealer.seal(b"sesame")
    sealer.file.write_bytes(Fernet.generate_key() + b"\n" + sealer.file.read_bytes())
    assert sealer.open(sealed) == b"sesame"
    assert sealer.open(sealer.seal(b"new")) == b"new"


def test_what_is_wrong_with_the_key_is_said_with_its_file(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    sealed = sealer.seal(b"sesame")
    key = sealer.file.read_bytes()
    for content, says in ((Fernet.generate_key(), "another key"), (b"", "holds no key"), (b"\xff\n", "holds no key")):
        sealer.file.write_bytes(content)
        with pytest.raises(CredentialError, match=says) as error:
            sealer.open(sealed)
        assert error.value.permanent
        assert str(sealer.file) in str(error.value)
        assert key.decode().strip() not in str(error.value)
    sealer.file.unlink()
    with pytest.raises(CredentialError, match="is gone"):
        sealer.open(sealed)
    assert not sealer.file.exists()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_key_that_others_can_read_is_shut_to_them(tmp_path: Path, mode: int) -> None:
    sealer = Sealer(tmp_path)
    sealed = sealer.seal(b"sesame")
    sealer.file.chmod(mode)
    assert sealer.open(sealed) == b"sesame"
    assert stat.S_IMODE(sealer.file.stat().st_mode) == 0o600


def test_a_link_in_the_place_of_the_key_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    sealer, elsewhere = Sealer(tmp_path), tmp_path / "elsewhere"
    elsewhere.write_bytes(Fernet.generate_key())
    for target in (elsewhere, tmp_path / "none"):
        sealer.file.unlink(missing_ok=True)
        sealer.file.symlink_to(target)
        with pytest.raises(CredentialError, match="it is a link; put the file itself there") as error:
            sealer.seal(b"sesame")
        assert not error.value.permanent
    assert sealer.file.is_symlink()
    assert not (tmp_path / "none").exists()


def test_what_a_killed_process_has_left_of_a_key_goes(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        left = tmp_path / f".{KEY_FILE}.{gone.pid}.partial"
    left.write_bytes(b"half")
    Sealer(tmp_path).seal(b"sesame")
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]


def test_a_folder_that_is_not_there_is_no_end_of_the_login(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match=os.strerror(2)) as error:
        Sealer(tmp_path / "gone").seal(b"sesame")
    assert not error.value.permanent
