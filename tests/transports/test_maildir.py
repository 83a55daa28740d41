"""The lane into the Maildirs: a notice is a file, once, also where the disk would not take it at first."""

from pathlib import Path
from typing import Any

from sqlalchemy import text
from structlog.testing import capture_logs

from relay.model.destination import to_inbox
from tests.peers.office import MINUTE, open_office
from tests.peers.provider import Provider

A = "a@example.net"
REFUSED = {f"RCPT {A}": "550 5.1.1 no such user"}


async def test_a_notice_has_line_ends_of_the_disk_and_one_name(tmp_path: Path) -> None:
    async with Provider(REFUSED) as provider, open_office(tmp_path, port=provider.port) as office:
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        (path,) = (office.settings.inboxes / "anna" / "new").iterdir()
        assert b"\r" not in path.read_bytes()
        (line,) = [line for line in lines if line["event"] == "inbox_delivered"]
        assert (line["user"], line["file"]) == ("anna", path.name)
        assert path.stat().st_mode & 0o777 == 0o600


async def test_an_inbox_that_cant_be_written_defers_the_notice_and_never_gives_up(tmp_path: Path) -> None:
    retry = {"intervals": ["1 min"], "give_up_after": "2 min", "warn_after": "1 min"}
    async with Provider(REFUSED) as provider, open_office(tmp_path, port=provider.port, retry=retry) as office:
        office.settings.inboxes.write_text("in the way")
        with capture_logs() as lines:
            await office.hand_in(A)
            for _ in range(10):
                await office.pass_time(MINUTE)
        assert "delivery_deferred" in [line["event"] for line in lines]
        assert len(office.waiting("queued")) == 1
        office.settings.inboxes.unlink()
        await office.pass_time(5 * MINUTE)
        assert len(office.inbox()) == 1
        assert office.waiting() == []


async def test_a_claim_on_a_notice_that_is_lost_is_logged_and_the_file_is_there_once(tmp_path: Path) -> None:
    async with Provider(REFUSED) as provider, open_office(tmp_path, port=provider.port) as office:
        real = office.queue.settle

        async def lose(settlement: Any) -> Any:  # noqa: ANN401 - what the queue takes and gives
            with office.engine.begin() as connection:
                connection.execute(text("UPDATE delivery SET token = 'of another' WHERE destination LIKE 'inbox:%'"))
            return await real(settlement)

        office.queue.settle = lose  # type: ignore[method-assign]
        with capture_logs() as lines:
            await office.hand_in(A)
            await office.send()
        events = [line["event"] for line in lines]
        assert events.count("claim_lost") == 1
        assert "possible_duplicate" not in events
        office.queue.settle = real  # type: ignore[method-assign]
        for _ in range(2):
            await office.pass_time(MINUTE)
        assert len(office.inbox()) == 1
        assert office.waiting() == []


async def test_the_body_of_a_notice_is_kept_as_others_are(tmp_path: Path) -> None:
    for kept, limits in ((0, {}), (2, {"keep_delivered": "1 day"})):
        folder = tmp_path / str(kept)
        folder.mkdir()
        async with Provider(REFUSED) as provider, open_office(folder, port=provider.port, limits=limits) as office:
            await office.hand_in(A)
            await office.send()
            assert office.waiting() == []
            with office.engine.connect() as connection:
                query = "SELECT count(DISTINCT message_id) FROM content"
                assert connection.execute(text(query)).scalar_one() == kept


async def test_a_notice_that_is_written_ends_the_rests_after_faults(tmp_path: Path) -> None:
    async with Provider(REFUSED) as provider, open_office(tmp_path, port=provider.port) as office:
        lane = office.delivery._lanes.at(to_inbox("anna"))
        for n in range(3):
            lane.failed(-1000.0 + n * 100)
        await office.hand_in(A)
        await office.send()
        assert len(office.inbox()) == 1
        lane.failed(0.0)
        assert lane.rest(0.0) == 5.0  # not doubled by the faults of long ago
