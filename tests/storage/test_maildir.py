import os
import stat
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.model.errors import StorageError
from relay.storage.maildir import ABANDONED, FOLDERS, SHARING_UMASK, Maildir, MailFile, deliver, make_inboxes
from tests.peers.machine import require_program, require_root


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
    with Maildir(tmp_path, "anna") as maildir:
        assert maildir.names() == {"one", "on"}
        assert maildir.find("two") is None


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\0b", ".hidden", "a:b", "x" * 300])
def test_names_that_are_none_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError):
        deliver(tmp_path, name, "one", [b"x"])
    with pytest.raises(StorageError):
        deliver(tmp_path, "anna", name, [b"x"])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_where_the_disk_refuses_nothing_is_visible(tmp_path: Path) -> None:
    with Maildir(tmp_path, "anna") as opened:
        maildir = opened.path

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
    with Maildir(tmp_path, "anna") as maildir, MailFile(maildir) as file:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, file._descriptor)
        os.close(full)
        with pytest.raises(StorageError, match="No space left"):
            file.write(b"x" * 100)


def test_what_the_system_takes_only_in_parts_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    assert deliver(tmp_path, "anna", "one", [b"A: b\r", b"\n\r\n0123456789"]).read_bytes() == b"A: b\n\n0123456789"


def test_what_dead_writers_of_ours_left_is_cleared_when_its_time_is_over(tmp_path: Path) -> None:
    with Maildir(tmp_path, "anna") as maildir:
        tmp = maildir.path / "tmp"
        ours, other = "4711.0123456789abcdef", "1780000000.M1P2.host"
        for name in (ours, other):
            (tmp / name).write_bytes(b"x")
        (tmp / "1.0000000000000000").symlink_to(tmp / other)
        written = (tmp / ours).stat().st_mtime
        assert maildir.clear_tmp(now=written + ABANDONED) == 0
        assert maildir.clear_tmp(now=written + ABANDONED + 1) == 1
        assert names(tmp) == ["1.0000000000000000", other]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of what was made durable."""
    paths: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        fsync(descriptor)
        paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    monkeypatch.setattr(os, "fsync", note)
    return paths


@pytest.mark.parametrize("read", [False, True])
def test_what_a_dead_process_has_linked_is_made_durable_too(tmp_path: Path, synced: list[str], read: bool) -> None:
    with Maildir(tmp_path, "anna") as maildir, MailFile(maildir) as file:
        path = file.publish("one")
    if read:
        path.rename(tmp_path / "anna/cur/one:2,S")
    synced.clear()
    deliver(tmp_path, "anna", "one", [b"x"])
    assert {str(tmp_path / "anna" / name) for name in ("new", "cur")} <= {*synced}


def test_folders_that_a_dead_process_has_made_are_made_durable_too(tmp_path: Path, synced: list[str]) -> None:
    inboxes = tmp_path / "deep" / "inboxes"
    for name in FOLDERS:
        (inboxes / "anna" / name).mkdir(parents=True)
    deliver(inboxes, "anna", "one", [b"x"])
    assert synced[:2] == [str(inboxes / "anna"), str(inboxes)]
    synced.clear()
    deliver(tmp_path / "new", "anna", "one", [b"x"])
    assert synced[:3] == [str(tmp_path), str(tmp_path / "new/anna"), str(tmp_path / "new")]


@pytest.mark.parametrize("link", ["anna", "anna/tmp", "anna/new", "anna/cur"])
def test_no_link_is_followed_below_the_inboxes(tmp_path: Path, link: str) -> None:
    elsewhere, inboxes = tmp_path / "elsewhere", tmp_path / "inboxes"
    for name in FOLDERS:
        (elsewhere / name).mkdir(parents=True)
    (inboxes / link).parent.mkdir(parents=True)
    (inboxes / link).symlink_to(elsewhere)
    with pytest.raises(StorageError, match=f"{inboxes / link}: it is a link"):
        deliver(inboxes, "anna", "one", [b"x"])
    assert [path for path in elsewhere.rglob("*") if path.is_file()] == []


def test_the_folder_of_all_inboxes_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "inboxes").symlink_to(tmp_path / "disk")
    deliver(tmp_path / "inboxes", "anna", "one", [b"x"])
    assert (tmp_path / "disk/anna/new/one").read_bytes() == b"x"


def test_a_file_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    deliver(tmp_path, "anna", "zero", [b"x"])
    (tmp_path / "anna/new/one").symlink_to(tmp_path / "target")
    assert deliver(tmp_path, "anna", "one", [b"x"]) == tmp_path / "anna/new/one"
    assert not (tmp_path / "target").exists()


def test_a_name_that_begins_with_a_dash_is_a_name(tmp_path: Path) -> None:
    assert deliver(tmp_path, "-x", "-y", [b"x"]).read_bytes() == b"x"


def test_nothing_stays_open(tmp_path: Path) -> None:
    deliver(tmp_path, "anna", "one", [b"x"])
    before = len(list(Path("/proc/self/fd").iterdir()))
    deliver(tmp_path, "anna", "two", [b"x"])
    (tmp_path / "bert").symlink_to(tmp_path / "anna")
    with pytest.raises(StorageError):
        deliver(tmp_path, "bert", "one", [b"x"])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.sampled_from([b"\r", b"\n", b"a", b"\r\n", b""]), max_size=12), n=st.integers(0, 10**9))
def test_the_cuts_make_no_difference(tmp_path: Path, chunks: list[bytes], n: int) -> None:
    path = deliver(tmp_path, "anna", f"n{n}", chunks)
    assert path.read_bytes() == b"".join(chunks).replace(b"\r\n", b"\n")
    path.unlink()


UID, READER, GID = 54321, 54322, 54320
"""The service's user, a mail reader's and the group of both, none of which this machine knows."""


@pytest.fixture
def shared() -> Generator[Path]:
    """The folder of all inboxes as root makes it for a group, on a way that everybody may go."""
    require_root("to give a folder to a group")
    before = os.umask(SHARING_UMASK)
    with tempfile.TemporaryDirectory(prefix="shared-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101 - a text
        inboxes = Path(name) / "inboxes"
        inboxes.mkdir()
        os.chown(inboxes, UID, GID)
        inboxes.chmod(0o2770)
        yield inboxes
    os.umask(before)


def run_as(uid: int, script: str, folder: Path) -> str:
    """Run a program as another user whose only group is that of the inboxes."""
    command = [require_program("setpriv", package="util-linux"), f"--reuid={uid}", f"--regid={GID}", "--clear-groups"]
    command += ["sh", "-euc", f"umask 007; {script}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


def deliver_as_service(inboxes: Path, user: str, name: str) -> None:
    """Deliver in a process that has become the service's user, who may not be able to read where our Python lies."""
    process = os.fork()
    if process == 0:
        try:
            os.setgroups([GID])
            os.setresgid(UID, UID, UID)
            os.setresuid(UID, UID, UID)
            deliver(inboxes, user, name, [b"A: b"], shared=True)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(process, 0)[1] == 0


def test_what_is_shared_is_open_to_the_group_and_to_nobody_else(shared: Path) -> None:
    path = deliver(shared, "anna", "one", [b"A: b\n\nx"], shared=True)
    assert (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (GID, 0o660)
    for folder in ("anna", "anna/tmp", "anna/new", "anna/cur"):
        found = (shared / folder).stat()
        assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (GID, 0o2770), folder


def test_a_member_reads_flags_moves_and_deletes(shared: Path) -> None:
    for name in ("one", "two"):
        deliver(shared, "anna", name, [b"A: b\n"], shared=True)
    moves = "cat new/one; mv new/one cur/one:2,S; mv cur/one:2,S cur/one:2,FS; echo C: d >> cur/one:2,FS; rm new/two"
    assert run_as(READER, moves, shared / "anna") == "A: b\n"
    assert names(shared / "anna/cur") == ["one:2,FS"]
    assert names(shared / "anna/new") == []
    # Folders of his own, with hard links to what the service wrote, as IMAP's COPY makes them.
    run_as(READER, "mkdir -p .Sent/cur; ln cur/one:2,FS .Sent/cur/one:2,S", shared / "anna")
    assert deliver(shared, "anna", "one", [b"again"], shared=True) == shared / "anna/cur/one:2,FS"


def test_the_service_delivers_into_what_a_member_made(shared: Path) -> None:
    """A mail reader that is asked for an inbox before any mail has come makes it itself."""
    run_as(READER, "mkdir -p anna/tmp anna/new anna/cur", shared)
    deliver_as_service(shared, "anna", "one")
    found = (shared / "anna/new/one").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (UID, GID, 0o660)
    assert run_as(READER, "cat anna/new/one; rm anna/new/one", shared) == "A: b"


@pytest.mark.parametrize("link", ["anna", "anna/tmp", "anna/new", "anna/cur"])
def test_a_members_link_is_not_followed(shared: Path, link: str) -> None:
    elsewhere = shared.parent / "elsewhere"
    for name in FOLDERS:
        (elsewhere / name).mkdir(parents=True)
    run_as(READER, f"mkdir -p $(dirname {link}); ln -s {elsewhere} {link}", shared)
    with pytest.raises(StorageError, match="it is a link"):
        deliver(shared, "anna", "one", [b"x"], shared=True)
    assert [path for path in elsewhere.rglob("*") if path.is_file()] == []


def test_a_member_in_whose_way_the_service_is_leads_it_nowhere(shared: Path) -> None:
    """He exchanges the file in tmp/ for a link before it is published: only the link itself gets another name."""
    secret = shared.parent / "secret"
    secret.write_text("theirs")
    secret.chmod(0o600)
    with Maildir(shared, "anna", shared=True) as maildir:
        with MailFile(maildir) as file:
            file.write(b"x")
            run_as(READER, f"for f in tmp/*; do rm $f; ln -s {secret} $f; done", shared / "anna")
            file.publish("one")
        assert (shared / "anna/new/one").is_symlink()
        assert maildir.names() == {"one"}
        assert maildir.clear_tmp() == 0
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("theirs", 0o600)


def test_all_inboxes_are_made_but_those_that_can_not_be(tmp_path: Path) -> None:
    (tmp_path / "anna").symlink_to(tmp_path)
    assert make_inboxes(tmp_path, ["anna", "bert"]) == [
        f"inbox {tmp_path / 'anna'}: it is a link, and mail is written through none"
    ]
    assert names(tmp_path / "bert") == ["cur", "new", "tmp"]
