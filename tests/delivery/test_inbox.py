"""The lane into the Maildirs: a notice is a file, once, also where the disk would not take it at first."""

from pathlib import Path

from structlog.testing import capture_logs

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
