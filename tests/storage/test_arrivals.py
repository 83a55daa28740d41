from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from relay.model.maildrop import Arrival, MessageKey, Place, Seen
from relay.rules.summary import summarise
from relay.storage import arrivals
from relay.storage.engine import open_engine, transaction
from relay.storage.mailboxes import Mailboxes, find_seen
from relay.storage.queue import Queue
from relay.storage.statement import Statement
from relay.storage.tables import arrival
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from tests.storage.conftest import NOW, new_copies

A, B, X = (MessageKey(uid) for uid in ("a", "b", "x"))


@pytest.fixture
async def mailboxes(engine: Engine) -> AsyncGenerator[Mailboxes]:
    writer = Writer(engine)
    mailboxes = Mailboxes(engine, writer, node="n")
    assert await mailboxes.acquire("sales", "t")
    yield mailboxes
    await writer.close()


def rows(engine: Engine) -> list[Arrival]:
    with transaction(engine, write=False) as tx:
        return [arrivals.read_arrival(row) for row in tx.records(Statement(select(arrival).order_by(arrival.c.id)))]


async def test_each_copy_has_a_row_beside_the_unique_id(engine: Engine, mailboxes: Mailboxes) -> None:
    copies = new_copies("a", "anna", "bert")
    assert await mailboxes.record("sales", "t", [A], now=NOW, arrivals=copies) == {}
    assert rows(engine) == copies
    assert len({one.mail for one in copies}) == 1
    # A write that is run again changes nothing.
    assert await mailboxes.record("sales", "t", [A], now=NOW, arrivals=copies) == {}
    assert len(rows(engine)) == 2


async def test_what_stood_there_and_is_known_is_not_written_twice(engine: Engine, mailboxes: Mailboxes) -> None:
    first, again, unknown = new_copies("a"), new_copies("a"), new_copies("b")
    await mailboxes.record("sales", "t", [A], now=NOW, arrivals=first)
    repeated = frozenset(one.id for one in (*again, *unknown))
    known = await mailboxes.record("sales", "t", [A, B], now=NOW, arrivals=[*again, *unknown], repeated=repeated)
    assert known == {again[0].id: first[0].id}
    assert [one.id for one in rows(engine)] == sorted([first[0].id, unknown[0].id])
    # A copy that was written anew counts, though the one of before is known: its reader had moved it away.
    await mailboxes.record("sales", "t", [A], now=NOW, arrivals=again)
    assert len(rows(engine)) == 3


async def test_who_has_lost_the_mailbox_leaves_no_row(
    engine: Engine, mailboxes: Mailboxes, count: Callable[[str], int]
) -> None:
    await mailboxes.release("sales", "t")
    assert await mailboxes.acquire("sales", "other")
    with pytest.raises(Exception, match="another node"):
        await mailboxes.record("sales", "t", [A], now=NOW, arrivals=new_copies("a"))
    assert (count("arrival"), count("seen")) == (0, 0)
    assert rows(engine) == []


async def test_history_goes_in_steps_and_the_quarantine_stays(engine: Engine, mailboxes: Mailboxes) -> None:
    old = [new_copies(f"k{n}", at=NOW - 9)[0] for n in range(3)]
    kept = [*new_copies("q", at=NOW - 9, place=Place.QUARANTINE, reason="why"), *new_copies("new", at=NOW)]
    await mailboxes.record("sales", "t", [X], now=NOW, arrivals=[*old, *kept])
    writer = Writer(engine)
    queue = Queue(engine, writer)
    assert [await queue.purge_arrivals(NOW, 2) for _ in range(3)] == [2, 1, 0]
    assert {one.uidl for one in rows(engine)} == {"q", "new"}
    await queue.close()


async def test_mails_are_found_with_all_their_copies(engine: Engine, mailboxes: Mailboxes) -> None:
    copies, other = new_copies("one uid", "anna", "bert"), new_copies("2", at=NOW + 86_400_000)
    (twin,) = new_copies("3", at=NOW + 1, header_message_id=copies[0].header_message_id, account="bert")
    await mailboxes.record("sales", "t", [X], now=NOW, arrivals=[*copies, *other, twin])

    def find(text: str) -> list[Arrival]:
        return arrivals.find_arrivals(engine, text)

    for copy in copies:
        assert find(copy.id) == find(f" {copy.id.upper()} ") == find(copy.mail) == copies
    assert find("<one uid@x.example>") == find("one uid@x.example") == [*copies, twin]
    assert (find("one uid"), find("2"), find("3")) == (copies, other, [twin])
    assert find(other[0].id[:10]) == other
    for nothing in ("", " ", "<>", "nothing", "01abcd", "0", "\x00", "\ud800", "<one uid@x.exampl>", "x" * 900):
        assert find(nothing) == []


async def test_a_long_message_id_is_found_as_it_came(engine: Engine, mailboxes: Mailboxes) -> None:
    long = f"<{'x' * 900}@x.example>"
    kept = summarise(f"Message-ID: {long}\r\n".encode()).header_message_id
    (copy,) = new_copies("a", header_message_id=kept)
    await mailboxes.record("sales", "t", [A], now=NOW, arrivals=[copy])
    assert arrivals.find_arrivals(engine, long) == [copy]


async def test_a_long_message_id_that_was_cut_before_is_found_as_it_came(engine: Engine, mailboxes: Mailboxes) -> None:
    long = f"<{'x' * 900}@x.example>"
    (copy,) = new_copies("a", header_message_id=long[:512])
    await mailboxes.record("sales", "t", [A], now=NOW, arrivals=[copy])
    assert arrivals.find_arrivals(engine, long) == arrivals.find_arrivals(engine, long[1:-1]) == [copy]
    assert arrivals.find_arrivals(engine, long[:500]) == []


async def test_what_waits_is_found_by_its_place_and_file(engine: Engine, mailboxes: Mailboxes) -> None:
    assert arrivals.list_quarantined(engine) == []
    held = new_copies("q", "anna", "bert", at=NOW + 5, place=Place.QUARANTINE, reason="why")
    await mailboxes.record("sales", "t", [X], now=NOW, arrivals=[*new_copies("a"), *held])
    assert arrivals.list_quarantined(engine) == held
    assert sorted(arrivals.list_quarantined_files(engine)) == sorted((one.file, one.at) for one in held)
    assert [one.id for one in arrivals.find_by_file(engine, [held[1].file, "none"])] == [held[1].id]
    assert arrivals.find_by_file(engine, []) == []


async def test_what_the_provider_still_has_is_known_from_the_polls(engine: Engine, mailboxes: Mailboxes) -> None:
    (copy,) = new_copies("a")
    assert find_seen(engine, copy) is None
    await mailboxes.record("sales", "t", [A], now=NOW, arrivals=[copy])
    assert find_seen(engine, copy) == Seen(first_seen=NOW)
    await mailboxes.note_listing("sales", "t", gone=[A], back=(), forget=(), now=NOW + 7)
    assert find_seen(engine, copy) == Seen(first_seen=NOW, gone_at=NOW + 7)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Generator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('arrivals')}/relay.db")
    prepare_database(engine)
    yield engine
    engine.dispose()


@given(text=st.text(st.characters(min_codepoint=0, max_codepoint=0xFFFF, exclude_categories=()), max_size=40))
def test_any_text_of_a_stranger_can_be_kept(file: Engine, text: str) -> None:
    (one,) = new_copies("a")
    with transaction(file, write=True) as tx:
        tx.raw("DELETE FROM arrival")
        arrivals.insert(tx, [replace(one, subject=text, sender=text, header_message_id=text, uidl=text, why=text)])
    (kept,) = rows(file)
    assert "\x00" not in kept.subject
    assert kept.subject.encode().decode() == kept.sender
    assert len(kept.subject) == len(text)
