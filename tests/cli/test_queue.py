"""The queue's commands without a running service: they are the service for that moment."""

import asyncio
from pathlib import Path

import pytest

from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.queue import Queue
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from relay.submission import Submission
from tests.cli.conftest import Run
from tests.peers.office import CLIENT
from tests.peers.relay_process import ANNA, make_account, write_config
from tests.peers.sink import Sink


class _Nobody:
    """A dispatcher that never sends: the mail stays queued."""

    def reserve(self, _account: str) -> None:
        return None

    def wake(self, _account: str) -> None:
        pass

    def max_size(self, _account: str) -> int | None:
        return None


@pytest.fixture
def queued(config: Path) -> list[str]:
    """Two mails in the queue; gives their ids."""
    return asyncio.run(_hand_in(config, ["one", "two\x1b[31m"]))


async def _hand_in(config: Path, subjects: list[str]) -> list[str]:
    from relay.model.envelope import Envelope  # noqa: PLC0415 - beside its one use
    from relay.rules.address import parse_addr_spec  # noqa: PLC0415 - beside its one use

    settings = load_settings(config)
    engine = open_engine(settings.database)
    prepare_database(engine)
    queue = Queue(engine, Writer(engine))
    submission = Submission(settings=lambda: settings, queue=queue, dispatcher=_Nobody())
    envelope = Envelope(reverse_path=None, recipients=(parse_addr_spec("customer@example.net"),))
    ids = []
    for subject in subjects:
        mail = submission.begin(envelope, CLIENT, show_client=False)
        await mail.header(f"From: sales@example.com\r\nSubject: {subject}\r\n".encode())
        await mail.body(b"hello\r\n")
        ids.append((await mail.finish()).text.split()[-1])
    await queue.close()
    engine.dispose()
    return ids


def test_an_empty_queue_says_so(run: Run) -> None:
    assert run("queue", "list").out == "The queue is empty.\n"
    assert run("queue", "list", "--json").json == []


def test_what_waits_is_listed(run: Run, queued: list[str]) -> None:
    out = run("queue", "list").out
    assert all(queue_id in out for queue_id in queued)
    assert "\x1b" not in out
    rows = run("queue", "list", "--json").json
    assert [row["message_id"] for row in rows] == queued
    assert run("queue", "list", "--account", "old", "--json").json == []
    assert len(run("queue", "list", "--user", "anna", "--limit", "1", "--json").json) == 1


def test_one_mail_is_shown_by_the_beginning_of_its_id_or_its_message_id(run: Run, queued: list[str]) -> None:
    shown = run("queue", "show", queued[0], "--json").json
    assert shown["rule"] == "1a"
    out = run("queue", "show", shown["header_message_id"]).out
    assert "Rule 1a" in out
    assert "customer@example.net: pending" in out
    assert run("trace", queued[0]).status == 0
    assert "accepted: rule 1a" in run("trace", queued[0]).out
    assert run("trace", queued[0], "--json").json[0]["id"] == queued[0]


@pytest.mark.parametrize("name", ["nothing", "x", "<no@id>", "01", "%" * 10])
def test_what_is_not_there_is_one_line_and_1(run: Run, name: str) -> None:
    for command in (("queue", "show"), ("queue", "retry"), ("trace",), ("queue", "delete", "--yes")):
        said = run(*command, name)
        assert said.status == 1
        assert len(said.err.splitlines()) == 1


def test_held_mail_waits_until_it_is_released_or_deleted(run: Run, queued: list[str]) -> None:
    assert run("queue", "hold", *queued).out == "2 held\n"
    assert {row["state"] for row in run("queue", "list", "--json").json} == {"held"}
    said = run("queue", "delete", queued[0])
    assert said.status == 2
    assert "--yes" in said.err
    assert run("queue", "delete", "--yes", queued[0]).out == "1 deleted\n"
    assert [row["message_id"] for row in run("queue", "list", "--json").json] == queued[1:]


def test_queue_run_is_the_service_for_that_moment(run: Run, config: Path, queued: list[str]) -> None:
    said = run("queue", "run")  # the provider is not there
    assert said.status == 1
    assert said.out.splitlines()[0] == "2 to try"
    assert "still wait" in said.err
    with Sink() as sink:
        write_config(config.parent, accounts=[make_account("sales", sink.port)], users=[ANNA])
        assert run("queue", "retry", *queued).status == 0
        assert run("queue", "run").status == 0
        assert len(sink.wait_for(2)) == 2
    assert run("queue", "list", "--json").json == []
    assert len(run("queue", "list", "--state", "done", "--json").json) == 2
    assert "message_delivered" not in run("queue", "list").out


def test_many_are_chosen_by_what_they_have_in_common_and_shown_before(run: Run, queued: list[str]) -> None:
    said = run("queue", "hold", "--user", "anna")
    assert said.status == 2
    assert all(queue_id in said.out for queue_id in queued)
    assert "Hold these 2 mails" in said.err
    assert run("queue", "list", "--state", "held", "--json").json == []
    assert run("queue", "hold", "--older", "1 h", "--yes").out == "0 held\n"
    assert run("queue", "hold", "--to", "*@example.com", "--yes").out == "0 held\n"
    assert run("queue", "hold", "--to", "CUSTOMER@*", "--account", "sales", "--yes").out == "2 held\n"
    assert run("queue", "delete", "--all", "--yes", "--state", "queued").out == "0 deleted\n"
    assert run("queue", "delete", "--all", "--yes").out == "2 deleted\n"


@pytest.mark.parametrize("command", ["retry", "hold", "release", "delete"])
def test_a_change_wants_to_know_of_what(run: Run, queued: list[str], command: str) -> None:
    assert run("queue", command).status == 2
    assert run("queue", command, "--all", queued[0], "--yes").status == 2
    assert run("queue", command, "--older", "soon").status == 2


def test_mail_moves_to_another_account_with_its_sender(run: Run, config: Path, queued: list[str]) -> None:
    with Sink() as sink:
        accounts = [make_account("sales", 9), make_account("backup", sink.port, address="backup@example.com")]
        write_config(config.parent, accounts=accounts, users=[ANNA])
        assert run("queue", "move", queued[0], "--account", "nobody").status == 1
        assert run("queue", "move", "--from-account", "sales", "--account", "backup", "--yes").out == "2 moved\n"
        assert {row["account"] for row in run("queue", "list", "--json").json} == {"backup"}
        assert run("queue", "run").status == 0
        mails = sink.wait_for(2)
    assert {mail.reverse_path for mail in mails} == {""}
    assert all(b"From: backup@example.com" in mail.data for mail in mails)
    life = run("trace", queued[0]).out
    assert "moved: by command, to the account backup" in life
    assert life.index("moved:") < life.index("attempt 1 by backup")


def test_an_excluded_account_takes_over_nothing(run: Run, queued: list[str]) -> None:
    said = run("queue", "move", *queued, "--account", "old")
    assert said.status == 1
    assert "excluded" in said.err
    assert {row["account"] for row in run("queue", "list", "--json").json} == {"sales"}


def test_the_list_says_why_an_account_stands_still(run: Run, queued: list[str]) -> None:
    assert queued
    run("account", "pause", "sales")
    assert "Account sales is paused since" in run("queue", "list").out


def test_two_services_of_one_folder_are_refused(run: Run, config: Path, queued: list[str]) -> None:
    from relay.storage.engine import FolderLock  # noqa: PLC0415 - beside its one use

    lock = FolderLock(config.parent)
    lock.acquire()
    try:
        said = run("queue", "run")
        assert said.status == 1
        assert "another" in said.err.lower()
    finally:
        lock.release()
    assert len(queued) == 2
