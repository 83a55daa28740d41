"""`relay trace` of what came in: by each id that anything prints, with its whole way to the file."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relay.demo.provider import Mailbox
from tests.cli.conftest import Run, hand_in
from tests.cli.test_poll import mailbox

__all__ = ["mailbox"]

MAIL = (
    b"From: =?utf-8?q?M=C3=BCller?= <m@kunde.example>\r\nTo: sales@example.com\r\nSubject: Angebot 4711\r\n"
    b"Message-ID: <4711@kunde.example>\r\n\r\nbody of it\r\n"
)


@pytest.fixture
def collected(run: Run, mailbox: Mailbox) -> dict[str, Any]:
    """A mail that was collected."""
    mailbox.mails = [MAIL]
    assert run("poll", "sales").status == 0
    (found,) = run("trace", "<4711@kunde.example>", "--json").json
    assert isinstance(found, dict)
    return found


def test_from_whom_for_whom_why_and_where(run: Run, collected: dict[str, Any], tmp_path: Path) -> None:
    (copy,) = collected["copies"]
    file = Path(copy["file"])
    assert file.parent == tmp_path / "inboxes/anna/new"
    said = run("trace", collected["queue_id"]).out
    for text in (
        f"{collected['queue_id']} <4711@kunde.example>",
        "Müller <m@kunde.example>",
        "Angebot 4711",
        "sales (u at 127.0.0.1)",
        collected["uidl"],
        "not there any more since 20",
        "collected from the mailbox of sales",
        f"For anna <anna@example.com>, in the inbox of anna: {file}",
        "  - The mailbox of 'sales' belongs to anna.",
    ):
        assert text in said
    assert "body of it" not in said
    assert collected["direction"] == "incoming"
    assert collected["at_provider"].startswith("not there")


@pytest.mark.parametrize("how", ["queue_id", "uidl", "message_id"])
def test_each_id_that_is_printed_leads_to_it(run: Run, collected: dict[str, Any], how: str) -> None:
    assert run("trace", collected[how], "--json").json == [collected]


def test_the_name_of_its_file_does_wherever_it_stands(run: Run, collected: dict[str, Any], tmp_path: Path) -> None:
    file = Path(collected["copies"][0]["file"])
    for printed in (file.name, str(file), f"{file.name}:2,S"):
        (found,) = run("trace", printed, "--json").json
        assert found["queue_id"] == collected["queue_id"]
    file.unlink()
    assert run("trace", file.name).out.startswith("Mail ")
    for wrong in (f"{file.name}0", f"{tmp_path}/", "/", ":2,S"):
        assert run("trace", wrong).status == 1, wrong


def test_the_beginning_of_an_id_and_a_bare_message_id_do(run: Run, collected: dict[str, Any]) -> None:
    assert run("trace", collected["queue_id"][:14], "--json").json == [collected]
    assert run("trace", "4711@kunde.example", "--json").json == [collected]
    begin, last = collected["queue_id"][:-4], collected["queue_id"][-4]  # the three behind it are the copy's
    other = f"{begin}{'1' if last == '0' else '0'}zzz"
    for wrong in (collected["queue_id"][:5], other, "<4711@kunde.exampl>", "x" * 900):
        assert run("trace", wrong).status == 1


def test_what_its_reader_did_with_it_is_seen(run: Run, collected: dict[str, Any], tmp_path: Path) -> None:
    file = Path(collected["copies"][0]["file"])
    read = file.rename(tmp_path / "inboxes/anna/cur" / f"{file.name}:2,S")
    assert f"in the inbox of anna: {read}" in run("trace", collected["queue_id"]).out
    read.unlink()
    said = run("trace", collected["queue_id"])
    assert f"put into the inbox of anna, who has moved or deleted it: {file}" in said.out
    assert run("trace", collected["queue_id"], "--json").json[0]["copies"][0]["file"] is None


def test_a_mail_that_went_out_and_came_back_is_told_in_both_directions(
    run: Run, config: Path, mailbox: Mailbox
) -> None:
    smtp = '[account.smtp]\nhost = "127.0.0.1"\nport = 9\nsecurity = "none"\n[account.pop3]'
    config.write_text(config.read_text().replace("[account.pop3]", smtp, 1))
    (queue_id,) = asyncio.run(hand_in(config, ["to a colleague"]))
    (out,) = run("trace", queue_id, "--json").json
    mailbox.mails = [MAIL.replace(b"<4711@kunde.example>", out["message_id"].encode())]
    run("poll", "sales")
    both = run("trace", out["message_id"], "--json").json
    assert [one["direction"] for one in both] == ["outgoing", "incoming"]
    assert both[0]["queue_id"] == queue_id
    said = run("trace", out["message_id"]).out
    assert queue_id in said
    assert "collected from the mailbox of sales" in said
    assert run("trace", both[1]["queue_id"], "--json").json == both[1:]


def test_left_at_the_provider(run: Run, config: Path, mailbox: Mailbox) -> None:
    config.write_text(config.read_text().replace("[account.pop3]", "[account.pop3]\nleave_on_server = true"))
    mailbox.mails = [MAIL]
    run("poll", "sales")
    assert "still there at the last poll" in run("trace", "<4711@kunde.example>").out


def test_a_hostile_sender_forges_no_line(run: Run, mailbox: Mailbox) -> None:
    header = (
        b"From: x@y.example\x1b[2J\r\n =?utf-8?q?=0D=0AFor_bert=2C_in_the_inbox?=\r\nMessage-ID: <\x9b31m@x>\r\n"
        b"Subject: =?utf-8?q?=E2=80=AE=0AFor_bert?=\r\n\r\n"
    )
    mailbox.mails = [header]
    (queue_id,) = run("poll", "sales", "--json").json["sales"]["ids"]
    said = run("trace", queue_id)
    assert said.status == 0
    assert all(line.isprintable() for line in said.out.splitlines())
    assert not [line for line in said.out.splitlines() if line.startswith("For bert")]
    assert run("trace", queue_id, "--json").out.isascii()


def test_several_copies_are_one_mail(run: Run, config: Path, mailbox: Mailbox) -> None:
    text = config.read_text().replace("[account.pop3]", "[account.pop3]\ndistribute = true")
    config.write_text(f'{text}\n[[user]]\nname = "bert"\naddress = "bert@example.com"\n')
    (config.parent / "inboxes").mkdir()
    (config.parent / "inboxes/bert").write_text("in the way")
    mailbox.mails = [MAIL.replace(b"sales@example.com", b"anna@example.com, bert@example.com")]
    run("poll", "sales")
    (mail,) = run("trace", "<4711@kunde.example>", "--json").json
    anna, bert = mail["copies"]
    assert (anna["place"], bert["place"], bert["user"]) == ("inbox", "quarantine", "bert")
    assert run("trace", bert["queue_id"], "--json").json == [mail]
    said = run("trace", anna["queue_id"]).out
    assert f"the copy of bert is put into the quarantine: inbox {config.parent}/inboxes/bert: Not a directory" in said
    assert f"For bert <bert@example.com>, in the quarantine: {bert['file']}" in said
    assert f"`relay quarantine show {bert['queue_id']}`" in said
    run("quarantine", "deliver", bert["queue_id"], "--to", "anna")
    said = run("trace", bert["queue_id"]).out
    assert "the copy of bert is delivered into the inbox of anna from the quarantine by " in said
    assert "For bert <bert@example.com>, in the inbox of anna: " in said


def test_a_quarantine_that_can_not_be_looked_at_hides_no_mail_that_went_out(
    run: Run, config: Path, queued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (config.parent / "quarantine/new").mkdir(parents=True)
    iterdir = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path.parent.name == "quarantine":
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert run("trace", queued[0]).status == 0
    said = run("quarantine", "list")
    assert (said.status, said.err) == (1, f"{config.parent}/quarantine/new: Permission denied\n")
