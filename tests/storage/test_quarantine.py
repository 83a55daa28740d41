"""The way out of the quarantine: whatever the process dies of, the mail is in one place at least, and twice in none."""

import os
import subprocess
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from relay.model.account import User
from relay.model.address import Address
from relay.model.errors import StorageError
from relay.model.maildrop import Arrival, MessageKey, Place
from relay.storage import arrivals, quarantine
from relay.storage.engine import transaction
from relay.storage.mailboxes import Mailboxes
from relay.storage.maildir import Maildir, MailFile
from relay.storage.quarantine import Held, delete, find_held, find_trouble, give, list_held, list_times
from relay.storage.statement import Statement
from relay.storage.tables import arrival
from relay.storage.writer import Writer
from tests.peers.machine import require_root
from tests.storage.conftest import NOW, new_copies

BERT = Address(local="bert", domain="example.com")
ANNA = Address(local="anna", domain="example.com")
MAIL = b"Delivered-To: anna@example.com\nFrom: x@y.example\nSubject: hello\nMessage-ID: <1@y.example>\n\nbody\r\n\r\r\n"


@dataclass
class House:
    folder: Path
    engine: Engine
    mailboxes: Mailboxes

    async def put(self, uidl: str, user: str = "anna", content: bytes = MAIL) -> Arrival:
        """Let a poll put a mail into the quarantine."""
        (copy,) = new_copies(uidl, user, place=Place.QUARANTINE, reason="inbox /x: Permission denied")
        self.lay(copy.file, content)
        await self.mailboxes.record("sales", "t", [MessageKey(uidl)], now=NOW, arrivals=[copy])
        return copy

    def lay(self, name: str, content: bytes = MAIL) -> Path:
        with Maildir(self.folder, "quarantine") as maildir, MailFile(maildir) as file:
            file.write_as_is(content)
            path = file.publish("x")
        return path.rename(path.with_name(name))

    @property
    def held(self) -> list[Held]:
        held = list_held(self.engine, self.folder)
        assert len(list_times(self.engine, self.folder)) == len(held)
        return held

    @property
    def row(self) -> Arrival:
        with transaction(self.engine, write=False) as tx:
            (row,) = tx.records(Statement(select(arrival)))
        return arrivals.read_arrival(row)

    def give(self, held: Held, user: str = "anna", address: Address = ANNA) -> Path:
        return give(
            self.engine, held, inboxes=self.folder / "inboxes", user=User(name=user, address=address), shared=False,
            now=NOW + 5, by="root",
        )  # fmt: skip

    def inbox(self, user: str = "anna") -> list[bytes]:
        return [path.read_bytes() for path in (self.folder / "inboxes" / user).glob("[nc]*/*")]


@pytest.fixture
async def house(engine: Engine, tmp_path: Path) -> AsyncGenerator[House]:
    writer = Writer(engine)
    mailboxes = Mailboxes(engine, writer)
    assert await mailboxes.acquire("sales", "t")
    yield House(tmp_path, engine, mailboxes)
    await writer.close()


async def test_an_empty_quarantine(house: House) -> None:
    assert house.held == []
    (house.folder / "quarantine").write_text("no folder")
    assert house.held == []


async def test_what_is_there_is_counted_without_a_look_into_it(house: House) -> None:
    assert list_times(house.engine, house.folder) == []
    copy = await house.put("a")
    assert list_times(house.engine, house.folder) == [copy.at]
    house.lay("old")
    path = house.folder / "quarantine/new/old"
    os.utime(path, (5, 5))
    assert sorted(list_times(house.engine, house.folder)) == [5_000, copy.at]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrivals, "find_by_file", None)  # it would read all rows
        patch.setattr(quarantine, "read_header", None)
        assert len(list_times(house.engine, house.folder)) == 2


async def test_a_quarantine_that_can_not_be_read_is_counted_by_its_rows(house: House) -> None:
    copy = await house.put("a")
    new = house.folder / "quarantine/new"
    new.rename(house.folder / "aside")
    new.symlink_to("new")
    with pytest.raises(StorageError, match="Too many levels of symbolic links"):
        list_held(house.engine, house.folder)
    assert list_times(house.engine, house.folder) == [copy.at]


async def test_a_mail_goes_to_whom_it_was_meant_for_as_it_is(house: House) -> None:
    copy = await house.put("a")
    (held,) = house.held
    assert (held.arrival, held.has_row, held.is_left_over) == (copy, True, False)
    path = house.give(held)
    assert path == house.folder / "inboxes/anna/new" / copy.file
    assert house.inbox() == [MAIL]
    assert house.held == []
    assert list((house.folder / "quarantine/new").iterdir()) == []
    left = house.row
    assert (left.place, left.given_to, left.left_at, left.left_by) == (Place.INBOX, "anna", NOW + 5, "root")


async def test_another_user_finds_his_address_on_top(house: House) -> None:
    await house.put("a")
    house.give(house.held[0], "bert", BERT)
    assert house.inbox("bert") == [b"Delivered-To: bert@example.com\n" + MAIL]
    assert house.row.holder == "bert"


STEPS = ["publish", "sync", "note_left", "_remove"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("user", ["anna", "bert"])
async def test_whatever_it_dies_at_the_same_command_ends_it(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str, user: str, *, after: bool
) -> None:
    await house.put("a")
    owner: object = {"publish": MailFile, "sync": Maildir, "note_left": arrivals, "_remove": quarantine}[step]
    real = getattr(owner, step)

    def die(*arguments: object, **more: object) -> None:
        if after:
            real(*arguments, **more)
        raise KeyboardInterrupt

    address = ANNA if user == "anna" else BERT
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, die)
        with pytest.raises(KeyboardInterrupt):
            house.give(house.held[0], user, address)
    assert house.held or house.inbox(user)
    for held in house.held:
        assert held.is_left_over == (step == "_remove" or (step == "note_left" and after))
        house.give(held, user, address)
    top = b"" if user == "anna" else b"Delivered-To: bert@example.com\n"
    assert house.inbox(user) == [top + MAIL]
    assert (house.held, house.row.place, house.row.given_to) == ([], Place.INBOX, user)


async def test_a_mail_that_its_reader_has_opened_meanwhile_is_not_written_again(house: House) -> None:
    copy = await house.put("a")
    (held,) = house.held
    path = house.give(held)
    path.rename(house.folder / "inboxes/anna/cur" / f"{copy.file}:2,S")
    house.lay(copy.file)
    house.give(house.held[0])
    assert len(house.inbox()) == 1


async def test_the_name_of_another_mail_is_not_taken_for_this_one(house: House) -> None:
    copy = await house.put("a", content=b"Subject: second\n\n2\n")
    with Maildir(house.folder / "inboxes", "anna") as inbox, MailFile(inbox) as file:
        file.write_as_is(b"Subject: first\n\n1\n")
        file.publish(copy.file)
    os.mkfifo(house.folder / "inboxes/anna/cur/pipe")
    house.give(house.held[0])
    assert sorted(path.read_bytes() for path in (house.folder / "inboxes/anna/new").iterdir()) == [
        b"Subject: first\n\n1\n",
        b"Subject: second\n\n2\n",
    ]


@pytest.mark.parametrize("name", ["Pold", "1700000000.M1P2.host:2,S", "a b", "-x", "ü"])
async def test_files_without_a_row_are_there_too_and_get_one_when_they_leave(house: House, name: str) -> None:
    path = house.lay(name)
    os.utime(path, (NOW / 1000, NOW / 1000))
    (held,) = house.held
    assert (held.has_row, held.arrival.address, held.arrival.user) == (False, "anna@example.com", "")
    assert (held.arrival.at, held.arrival.subject, held.arrival.header_message_id) == (NOW, "hello", "<1@y.example>")
    assert house.held == [held]
    house.give(held)
    assert house.inbox() == [b"Delivered-To: anna@example.com\n" + MAIL]
    assert (house.held, house.row.id, house.row.given_to) == ([], held.arrival.id, "anna")


async def test_a_row_whose_file_is_gone_is_there_until_it_is_deleted(house: House) -> None:
    copy = await house.put("a")
    (house.folder / "quarantine/new" / copy.file).unlink()
    (held,) = house.held
    assert held.path is None
    delete(house.engine, held, now=NOW + 5, by="root")
    assert (house.held, house.row.place, house.row.left_by) == ([], Place.DELETED, "root")


async def test_a_mail_is_deleted_for_good(house: House) -> None:
    await house.put("a")
    house.lay("Pother")
    for held in house.held:
        delete(house.engine, held, now=NOW, by="")
    assert house.held == []
    assert list((house.folder / "quarantine/new").iterdir()) == []
    with transaction(house.engine, write=False) as tx:
        assert [row[0] for row in tx.raw("SELECT place FROM arrival")] == ["deleted"] * 2


async def test_what_was_quarantined_twice_under_one_name_is_listed_twice(house: House) -> None:
    first, second = await house.put("a"), await house.put("a")
    paths = {one.arrival.id: one.path for one in house.held}
    assert paths == {first.id: None, second.id: house.folder / "quarantine/new" / first.file}


async def test_an_inbox_that_still_can_not_be_used_leaves_the_mail_where_it_is(house: House) -> None:
    await house.put("a")
    (house.folder / "inboxes").mkdir()
    (house.folder / "inboxes/anna").write_text("in the way")
    with pytest.raises(StorageError, match="inboxes/anna: Not a directory"):
        house.give(house.held[0])
    assert house.row.place is Place.QUARANTINE
    assert len(list((house.folder / "quarantine/new").iterdir())) == 1


async def test_links_and_pipes_in_the_quarantine_are_left_alone(house: House) -> None:
    house.lay("Pold")
    new = house.folder / "quarantine/new"
    (new / "link").symlink_to("/etc/passwd")
    os.mkfifo(new / "pipe")
    assert [held.arrival.file for held in house.held] == ["Pold"]


def test_mails_are_found_by_what_the_list_shows() -> None:
    several = new_copies("a", "anna", "bert", place=Place.QUARANTINE)
    held = [Held(arrival=one, path=None, has_row=True) for one in several]
    assert find_held(held, f" {several[1].id.upper()} ") == [held[1]]
    assert find_held(held, several[0].id[:20]) == held
    assert find_held(held, several[0].file) == [held[0]]
    assert find_held(held, "nothing") == []


@given(content=st.binary(max_size=3000))
def test_any_file_can_be_described(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("quarantine")
    (folder / "Pfile").write_bytes(content)
    (one,) = quarantine._read(folder / "Pfile")
    assert (one.size, one.file) == (len(content), "Pfile")
    assert replace(one, place=Place.INBOX).holder == ""


def trouble(folder: Path) -> str:
    return find_trouble(folder / "inboxes", "anna", folder)


def test_what_is_there_or_can_be_made_is_no_trouble(tmp_path: Path) -> None:
    assert trouble(tmp_path) == ""
    with Maildir(tmp_path / "inboxes", "anna"):
        assert trouble(tmp_path) == ""


def test_what_is_in_the_way_is_named_with_what_mends_it(tmp_path: Path) -> None:
    inbox = tmp_path / "inboxes/anna"
    inbox.parent.mkdir()
    inbox.write_text("")
    assert trouble(tmp_path) == f"{inbox}: it is no folder. Put it aside: mv {inbox} {inbox}.aside"
    inbox.unlink()
    inbox.symlink_to(tmp_path)
    assert trouble(tmp_path) == f"{inbox}: it is a link, and mail is written through none. Remove the link: rm {inbox}"
    inbox.unlink()
    with Maildir(tmp_path / "inboxes", "anna"):
        (inbox / "cur").rmdir()
        (inbox / "cur").symlink_to(tmp_path)
    assert "anna/cur: it is a link" in trouble(tmp_path)


@pytest.mark.parametrize("name", ["", "new"])
def test_rights_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with Maildir(tmp_path / "inboxes", "anna") as inbox:
        shut = inbox.path / name
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, *more, **how: path != shut and access(path, *more, **how))
    assert f"{shut}: it is of " in trouble(tmp_path)
    assert f"chmod u+rwx {shut}" in trouble(tmp_path)
    if os.geteuid() == 0:
        os.chown(tmp_path, 54321, 54321)
        cure = f"find {tmp_path}/inboxes '(' -path {shut} -o -path '{shut}/*' ')' -execdir chown -h 54321 {{}} +"
        assert cure in trouble(tmp_path)


def test_the_command_gives_away_an_inbox_and_nothing_that_a_link_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_root("to give files away")
    elsewhere, inboxes = tmp_path / "elsewhere", tmp_path / "in[box]*es"
    (elsewhere / "new").mkdir(parents=True)
    (elsewhere / "new/secret").write_text("")
    for user in ("anna", "anna2"):
        with Maildir(inboxes, user) as inbox:
            (inbox.path / "new/mail").write_text("")
    os.chown(tmp_path, 54321, 54321)
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, *more, **how: path != inboxes / "anna/new" and access(path, *more, **how)
    )
    command = find_trouble(inboxes, "anna", tmp_path).partition("runs the service: ")[2]
    assert command
    (inboxes / "anna").rename(tmp_path / "aside")
    (inboxes / "anna").symlink_to(elsewhere)
    subprocess.run(["sh", "-euc", command], check=True, timeout=20)
    assert [path.stat().st_uid for path in (elsewhere, *elsewhere.rglob("*"))] == [0, 0, 0]
    (inboxes / "anna").unlink()
    (tmp_path / "aside").rename(inboxes / "anna")
    subprocess.run(["sh", "-euc", command], check=True, timeout=20)
    given = {path for path in inboxes.rglob("*") if path.stat().st_uid == 54321}
    assert given == {inboxes / "anna/new", inboxes / "anna/new/mail"}
