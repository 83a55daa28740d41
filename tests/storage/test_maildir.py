from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.model.errors import StorageError
from relay.storage.maildir import MailFile, clear_tmp, deliver, find_mail, list_names, open_maildir


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_mail_stands_in_new_with_line_ends_of_the_disk(tmp_path: Path) -> None:
    path = deliver(tmp_path / "inboxes", "anna", "one", [b"A: b\r", b"\n\r\n", b"x\r\r\n"])
    assert path == tmp_path / "inboxes/anna/new/one"
    assert path.read_bytes() == b"A: b\n\nx\r\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path / "inboxes/anna") == ["cur", "new", "tmp"]
    assert names(tmp_path / "inboxes/anna/tmp") == []
    assert (tmp_path / "inboxes/anna").stat().st_mode & 0o777 == 0o700


def test_a_repetition_adds_nothing_also_where_the_mail_was_read(tmp_path: Path) -> None:
    path = deliver(tmp_path, "anna", "one", [b"first"])
    assert deliver(tmp_path, "anna", "one", [b"second"]).read_bytes() == b"first"
    read = tmp_path / "anna/cur/one:2,S"
    path.rename(read)
    assert deliver(tmp_path, "anna", "one", [b"third"]) == read
    assert deliver(tmp_path, "anna", "on", [b"other"]) != read
    assert list_names(tmp_path / "anna") == {"one", "on"}
    assert find_mail(tmp_path / "anna", "two") is None


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\0b", ".hidden", "-x", "a:b", "x" * 300])
def test_names_that_are_none_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError):
        deliver(tmp_path, name, "one", [b"x"])
    with pytest.raises(StorageError):
        deliver(tmp_path, "anna", name, [b"x"])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_where_the_disk_refuses_nothing_is_visible(tmp_path: Path) -> None:
    maildir = open_maildir(tmp_path, "anna")

    def broken() -> list[bytes]:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        deliver(tmp_path, "anna", "one", (chunk for _ in [0] for chunk in broken()))
    assert names(maildir / "tmp") == names(maildir / "new") == []
    (maildir / "new").rmdir()
    (maildir / "new").write_text("in the way")
    with pytest.raises(StorageError):
        deliver(tmp_path, "anna", "one", [b"x"])


def test_a_full_disk_is_a_storage_error(tmp_path: Path) -> None:
    maildir = open_maildir(tmp_path, "anna")
    with MailFile(maildir) as file:
        file._stream.close()
        file._stream = open("/dev/full", "wb", buffering=0)  # noqa: SIM115, PTH123 - closed by exit
        with pytest.raises(StorageError, match="No space left"):
            file.write(b"x" * 100)


def test_what_dead_writers_left_is_cleared(tmp_path: Path) -> None:
    maildir = open_maildir(tmp_path, "anna")
    (maildir / "tmp" / "old").write_bytes(b"x")
    clear_tmp(maildir, older_than=0)
    assert names(maildir / "tmp") == ["old"]
    clear_tmp(maildir, older_than=1e12)
    assert names(maildir / "tmp") == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.sampled_from([b"\r", b"\n", b"a", b"\r\n", b""]), max_size=12), n=st.integers(0, 10**9))
def test_the_cuts_make_no_difference(tmp_path: Path, chunks: list[bytes], n: int) -> None:
    path = deliver(tmp_path, "anna", f"n{n}", chunks)
    assert path.read_bytes() == b"".join(chunks).replace(b"\r\n", b"\n")
    path.unlink()
