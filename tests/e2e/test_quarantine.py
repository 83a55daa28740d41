"""The quarantine beside a running service: filled by a poll, emptied by commands, and all of it in the log."""

import json
from pathlib import Path

import pytest

from relay.demo.provider import PASSWORD
from tests.cli.conftest import serve_mailbox
from tests.peers.relay_process import ANNA, RelayProcess, write_config

BERT = {"name": "bert", "address": "bert@example.com"}


@pytest.mark.timeout(120)
def test_mail_leaves_the_quarantine_while_the_service_runs(tmp_path: Path) -> None:
    inbox = tmp_path / "inboxes/anna"
    inbox.parent.mkdir()
    inbox.write_text("in the way")
    with serve_mailbox() as mailbox:
        mailbox.mails = [b"Subject: 1\r\nMessage-ID: <1@x.example>\r\n\r\none\r\n", b"Subject: 2\r\n\r\ntwo\r\n"]
        login = {"host": "127.0.0.1", "port": mailbox.port, "security": "none", "username": "u", "password": PASSWORD}
        account = {"name": "sales", "address": "sales@example.com", "owner": "anna", "pop3": login}
        config = write_config(tmp_path, accounts=[account], users=[ANNA, BERT])
        with RelayProcess(config) as relay:
            told = relay.wait_for("mail_quarantined", count=2)
            (finished,) = relay.wait_for("poll_finished")
            assert (finished["fetched"], finished["quarantined"]) == (2, 2)
            assert relay.find("mail_received") == []
            held = {one["queue_id"]: one for one in json.loads(relay.run("quarantine", "list", "--json"))}
            assert {line["queue_id"] for line in told} == held.keys()
            first, second = sorted(held, key=lambda queue_id: held[queue_id]["subject"])
            assert relay.run("quarantine", "deliver", first, "--to", "anna", check=False) == ""
            inbox.unlink()
            assert str(inbox / "new") in relay.run("quarantine", "deliver", first, "--to", "anna")
            relay.run("quarantine", "delete", second, "--yes")
            (delivered,) = relay.wait_for("quarantine_delivered")
            (deleted,) = relay.wait_for("quarantine_deleted")
            assert (delivered["queue_id"], delivered["user"], delivered["account"]) == (first, "anna", "sales")
            assert (deleted["queue_id"], deleted["by"]) == (second, delivered["by"])
            assert delivered["by"]
            assert "from the quarantine by" in relay.run("trace", "<1@x.example>")
            assert relay.run("quarantine", "list").startswith("The quarantine is empty.")
            # What comes now goes where it belongs.
            mailbox.mails = [b"Subject: 3\r\n\r\nthree\r\n"]
            assert "sales: 1 fetched, 1 deleted" in relay.run("poll", "sales")
            assert len(list((inbox / "new").iterdir())) == 2
