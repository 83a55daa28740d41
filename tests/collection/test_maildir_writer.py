"""The way into the inboxes: what is written at the same time, what is cut off, and what is durable when."""

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from relay.collection.maildir_writer import Arriving, MaildirWriter, make_name
from relay.model.address import Address
from relay.model.errors import StorageError
from relay.model.maildrop import Listed, MessageKey
from relay.rules.distribution import Distribution, Share
from relay.rules.summary import Summary
from relay.settings import load_settings
from tests.peers.relay_process import write_config


def arrived(n: int, *users: str, body: bytes = b"x\r\n") -> Arriving:
    shares = tuple(
        Share(user=user, address=Address(local=user, domain="example.com"), why=()) for user in users or ("anna",)
    )
    made = Arriving(Listed(n=n, key=MessageKey(f"k{n}"), size=len(body)))
    made.plan, made.summary = Distribution(shares=shares, steps=()), Summary("", "", "")
    made.add(body)
    return made


def inboxes_in(folder: Path) -> MaildirWriter:
    return MaildirWriter("sales", load_settings(write_config(folder, accounts=[])))


def mails(folder: Path, user: str = "anna") -> int:
    return len(list((folder / "inboxes" / user / "new").iterdir()))


def test_a_name_depends_on_account_key_and_user() -> None:
    keys = [
        MessageKey(*parts) for parts in (("k",), ("l",), ("k", "f"), ("k", "", "f"), ("k", "f", "1"), ("k", "f", "2"))
    ]
    names = {make_name(account, key, user) for account in "ab" for key in keys for user in "uv"}
    assert len(names) == 24
    assert make_name("a", MessageKey("k\udc80"), "u") == make_name("a", MessageKey("k\udc80"), "u")


def test_the_names_of_mail_from_pop3_are_those_of_earlier_releases() -> None:
    """Else an upgrade between link and commit would make a duplicate."""
    assert make_name("sales", MessageKey("0000042a5b1c"), "anna") == "P0b58214554d341ecbf4ffed63f44c73931ff005a"


async def test_whatever_is_asked_for_at_the_same_time_happens_in_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()
    fsync = os.fsync

    def note(descriptor: int) -> None:
        threads.add(threading.get_ident())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    inboxes = inboxes_in(tmp_path)
    await asyncio.gather(*(inboxes.write([arrived(n), arrived(n, "bert")]) for n in range(20)))
    large = arrived(99)
    await inboxes.add(large)
    large.add(b"more\r\n")
    await asyncio.gather(inboxes.add(large), inboxes.write([large]))
    await inboxes.close()
    assert len(threads) == 1
    assert threads != {threading.get_ident()}
    assert (mails(tmp_path), mails(tmp_path, "bert")) == (21, 20)


async def test_the_files_of_a_batch_are_synced_side_by_side_and_all_before_one_is_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, fsync, link = threading.Barrier(4, timeout=20), os.fsync, os.link
    steps: list[str] = []

    def note(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink()
        if name.parent.name == "tmp" and name.parent.parent.name == "anna":
            together.wait()
            fsync(descriptor)
            steps.append("synced")
        else:
            fsync(descriptor)

    def note_link(source: str, name: str, *, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool) -> None:
        steps.append("linked")
        link(source, name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "link", note_link)
    inboxes = inboxes_in(tmp_path)
    await inboxes.write([arrived(n) for n in range(16)])
    await inboxes.close()
    assert steps == ["synced"] * 16 + ["linked"] * 16
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("syncs")]


async def test_a_batch_that_the_disk_does_not_take_fails_when_all_its_threads_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, refused = os.fsync, threading.Event()

    def refuse(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().parent.name != "tmp":
            fsync(descriptor)
        elif threading.current_thread().name.startswith("syncs"):
            refused.wait(20)
            fsync(descriptor)  # it is open still
        else:
            refused.set()
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    inboxes = inboxes_in(tmp_path)
    with pytest.raises(StorageError, match="Input/output error"):
        await inboxes.write([arrived(n) for n in range(16)])
    await inboxes.close()
    assert (mails(tmp_path), list((tmp_path / "inboxes/anna/tmp").iterdir())) == (0, [])


async def test_the_same_message_again_adds_nothing_and_is_made_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = inboxes_in(tmp_path)
    await first.write([arrived(1)])
    await first.close()
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    again = inboxes_in(tmp_path)
    await again.write([arrived(1), arrived(1)])
    await again.close()
    assert mails(tmp_path) == 1
    assert {str(tmp_path / "inboxes/anna" / name) for name in ("new", "cur")} <= {*synced}


async def test_what_was_not_finished_goes_and_nothing_stays_open(tmp_path: Path) -> None:
    before = _open_files()
    inboxes = inboxes_in(tmp_path)
    await inboxes.add(arrived(1, "anna", "bert"))
    await inboxes.close()
    assert [list((tmp_path / "inboxes" / user / "tmp").iterdir()) for user in ("anna", "bert")] == [[], []]
    assert (mails(tmp_path), mails(tmp_path, "bert")) == (0, 0)
    assert _open_files() == before


async def test_what_is_spoilt_in_one_inbox_costs_only_the_mails_that_go_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def spoil(source: str, name: str, *, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool) -> None:
        for path in (tmp_path / "inboxes/bert/tmp").iterdir():
            path.unlink()
        shut = tmp_path / "inboxes/cora/cur"
        if shut.is_dir():
            shut.rmdir()
            shut.write_text("in the way")
        link(source, name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "link", spoil)
    inboxes, batch = inboxes_in(tmp_path), [arrived(1, "anna", "bert"), arrived(2), arrived(3, "cora"), arrived(4)]
    await inboxes.write(batch)
    bert = f"inbox {tmp_path}/inboxes/bert/tmp: the file of a mail was removed while it was written"
    assert [one.fault for one in batch] == [bert, "", f"inbox {tmp_path}/inboxes/cora: Not a directory", ""]
    monkeypatch.undo()
    again = arrived(1, "anna", "bert")
    await inboxes.write([again])
    await inboxes.close()
    assert (again.fault, [copy.repeated for copy in again.copies]) == ("", [True, False])
    assert (mails(tmp_path), mails(tmp_path, "bert")) == (3, 1)


async def test_what_writers_left_for_longer_than_a_day_and_a_half_goes_with_the_next_poll(tmp_path: Path) -> None:
    first = inboxes_in(tmp_path)
    await first.write([arrived(1)])
    await first.close()
    left = tmp_path / "inboxes/anna/tmp/4711.0123456789abcdef"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    again = inboxes_in(tmp_path)
    await again.write([arrived(2)])
    await again.close()
    assert not left.exists()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
